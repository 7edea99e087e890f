import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { configText, type Project, withProject } from '../with-project.js';

const SQL = 'CREATE TABLE users (id INTEGER PRIMARY KEY, phone TEXT)';
const config = (options: string) =>
  configText(`users: { primaryKey: 'id', columns: { phone: encryptedString(${options}) } }`);

function insert(project: Project, values: readonly unknown[]): void {
  project.db((db) => {
    const statement = db.prepare('INSERT INTO users (phone) VALUES (?)');
    for (const value of values) statement.run(value);
  });
}

const stored = (project: Project) =>
  project.db((db) => db.prepare('SELECT phone FROM users ORDER BY id').pluck().all()) as string[];

/** The token with a bit of its ciphertext changed: as long, and as well formed. */
function altered(token: string): string {
  const bytes = Buffer.from(token, 'base64url');
  bytes[30] = (bytes[30] as number) ^ 1;
  return bytes.toString('base64url') + '='.repeat((3 - (bytes.length % 3)) % 3);
}

async function failuresOf(project: Project, run: number) {
  const { exitCode, last } = await project.fieldseal('status', String(run), '--json');
  expect(exitCode).toBe(0);
  return last.run.failures.map(({ primaryKey, reason, columnName }: Record<string, string>) => [
    columnName,
    primaryKey,
    reason,
  ]);
}

describe('a value that cannot be read', () => {
  it('is reported by its primary key and left as it is, and all others are rotated', async () => {
    await withProject({ sql: SQL, config: config('') }, async (project) => {
      const own = new Fernet(project.key);
      const foreign = new Fernet(Fernet.generateKey());
      const texts = ['one', 'two', 'three', 'four', 'five'].map((word) => `+1-555-${word}`);
      const tokens = texts.map((text) => own.encrypt(text));
      const bad = [
        altered(own.encrypt('+1-555-altered')),
        own.encrypt('+1-555-short').slice(0, -4),
        foreign.encrypt('+1-555-foreign'),
        '+1-555-plain',
        Buffer.from('+1-555-bytes'),
      ];
      project.keepSecret(...texts, ...tokens, '+1-555-plain', ...bad.filter((value) => typeof value === 'string'));
      insert(project, [...tokens.slice(0, 3), ...bad, ...tokens.slice(3)]);

      const reasons = { no_key: 2, not_text: 1, plaintext: 2 };
      const dry = await project.fieldseal('rotate', '--dry-run', '--json');
      expect([dry.exitCode, dry.last.status, dry.last.counts]).toEqual([
        1,
        'completed_with_failures',
        { total: 10, rotated: 5, current: 0, skipped: 0, failed: 5 },
      ]);

      const { exitCode, last, stderr } = await project.fieldseal('rotate', '--json');
      expect([exitCode, stderr]).toEqual([1, '']);
      expect(last).toMatchObject({
        run: 1,
        status: 'completed_with_failures',
        counts: { total: 10, rotated: 5, current: 0, skipped: 0, failed: 5 },
        left: 0,
        passes: 2,
      });
      for (const report of [dry.last, last]) {
        const counted = report.failures.map(({ reason, count }: { reason: string; count: number }) => [reason, count]);
        expect(Object.fromEntries(counted)).toEqual(reasons);
      }
      expect(await failuresOf(project, 1)).toEqual([
        ['phone', '[4]', 'no_key'],
        ['phone', '[5]', 'plaintext'],
        ['phone', '[6]', 'no_key'],
        ['phone', '[7]', 'plaintext'],
        ['phone', '[8]', 'not_text'],
      ]);
      const after = stored(project);
      expect(after.slice(3, 8)).toEqual(bad);
      expect([...after.slice(0, 3), ...after.slice(8)].filter((value) => tokens.includes(value))).toEqual([]);

      const shown = await project.fieldseal('status', '1');
      for (const text of ['users.phone', '[4]', 'no_key', '2 × plaintext in a column', '5 unreadable.']) {
        expect(shown.stdout).toContain(text);
      }
      const verified = await project.fieldseal('verify', '--json');
      expect([verified.exitCode, verified.last.counts, verified.last.columns[0].held]).toEqual([
        1,
        { total: 10, rotated: 0, current: 5, skipped: 0, failed: 5 },
        { v2: 5 },
      ]);

      const decrypted = await project.fieldseal('decrypt', '--json');
      expect([decrypted.exitCode, decrypted.last.counts.rotated]).toEqual([1, 5]);
      expect(stored(project)).toEqual([...texts.slice(0, 3), ...bad, ...texts.slice(3)]);
    });
  });

  it('as too long to be encrypted is not mistaken for one that another process wrote', async () => {
    await withProject({ sql: SQL, config: config("{ length: 12, alsoReads: ['plaintext'] }") }, async (project) => {
      const long = project.keepSecret('+1-555-0101 extension 7');
      insert(project, [long, '+1-555-0102']);
      const { exitCode, last } = await project.fieldseal('encrypt', '--json');
      expect([exitCode, last.status, last.left, last.passes]).toEqual([1, 'completed_with_failures', 0, 2]);
      expect(last.counts).toEqual({ total: 2, rotated: 1, current: 0, skipped: 0, failed: 1 });
      expect(last.failures).toEqual([{ table: 'users', column: 'phone', reason: 'too_long', count: 1 }]);
      expect(await failuresOf(project, 1)).toEqual([['phone', '[1]', 'too_long']]);
      expect(stored(project)[0]).toBe(long);
    });
  });
});
