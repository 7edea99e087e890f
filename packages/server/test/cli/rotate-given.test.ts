import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { ended } from '../ended.js';
import { rotatedIn } from '../sweep/ranges-of.js';
import { type CommandOptions, type Project, USERS_CONFIG, withProject } from '../with-project.js';

const ENV_CONFIG = USERS_CONFIG.replace("'stored'", "'env'");
const ROWS = 4_000;
const MANY_SQL = `
  CREATE TABLE users (id INTEGER PRIMARY KEY, phone TEXT);
  WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
  INSERT INTO users SELECT i, '+1-555-' || i FROM n;
`;
/** A batch has 500 rows: eight batches of two seconds each. */
const SLOWLY = ['--max-rows-per-second', '250'];

const under = (key: string): CommandOptions => ({ env: { ENCRYPTION_KEY: key } });

const stored = (project: Project) =>
  project.db((db) =>
    db.prepare('SELECT phone FROM users WHERE phone IS NOT NULL ORDER BY id').pluck().all(),
  ) as string[];

/** Every value opened with one key alone. */
const openedWith = (project: Project, key: string) => {
  const fernet = new Fernet(key);
  return stored(project).map((token) => fernet.decrypt(token));
};

/** How far a run is; undefined before there is one. */
const rotatedRecords = (project: Project, run: number) =>
  project.db((db) => {
    if (!db.prepare('SELECT 1 FROM encryption_key_rotations WHERE id = ?').get(run)) return undefined;
    const ranges = db.prepare('SELECT counts FROM sweep_ranges WHERE run_id = ? AND pass = 1').all(run);
    return rotatedIn(ranges as { counts: string }[]);
  });

const POLL = { timeout: 30_000, interval: 20 };

/** A process that read the keyring at `generation` and was seen just now. */
function signOn(project: Project, generation: number): void {
  project.db((db) =>
    db.prepare("INSERT INTO keyring_readers VALUES ('elsewhere', ?, unixepoch('now') + 60)").run(generation),
  );
}
const signOff = (project: Project) => project.db((db) => db.exec('DELETE FROM keyring_readers'));

const versions = async (project: Project, options: CommandOptions = {}) => {
  const { last } = await project.fieldseal('keyring', 'list', '--json', options);
  return {
    keys: last.keys
      .filter(({ purpose }: Record<string, string>) => purpose === 'field')
      .map(({ version, state }: Record<string, string>) => `${version} ${state}`),
    roots: last.roots.length,
  };
};

describe('rotating from OLD to NEW', () => {
  it('moves every value to NEW, lets either key start, and drops OLD once nothing is left under it', async () => {
    await withProject({ config: ENV_CONFIG }, async (project) => {
      const old = project.key;
      const fresh = project.keepSecret(Fernet.generateKey(), '+1-555-0101', '+1-555-0102', '+1-555-0103');
      const oldFernet = new Fernet(old);
      expect((await project.fieldseal('encrypt')).exitCode).toBe(0);
      const madeAt = stored(project).map((token) => oldFernet.extractTimestamp(token));

      const rotated = await project.fieldseal('rotate', old, fresh);
      expect([rotated.exitCode, rotated.stdout]).toEqual([
        0,
        expect.stringMatching(/^Run 2, rotate v1 → v2: completed/),
      ]);
      expect(rotated.stderr).toContain('ENCRYPTION_KEY must now become NEW everywhere');
      expect(openedWith(project, fresh)).toEqual(['+1-555-0101', '+1-555-0102']);
      expect(stored(project).map((token) => new Fernet(fresh).extractTimestamp(token))).toEqual(madeAt);
      for (const key of [old, fresh]) {
        expect(await versions(project, under(key))).toEqual({ keys: ['v1 active', 'v2 primary'], roots: 2 });
      }
      // Somebody who has one key only must not change the ring for the other.
      const alone = await project.fieldseal('verify', { env: { ENCRYPTION_KEY_PREVIOUS: Fernet.generateKey() } });
      expect([alone.exitCode, alone.stderr]).toEqual([
        2,
        expect.stringContaining(
          'finish it with `fieldseal rotate OLD NEW`, then the same with --finalize. [ERR_ROOT_CHANGE_UNFINISHED]',
        ),
      ]);

      // A process that was not updated writes under OLD.
      project.db((db) => db.prepare('UPDATE users SET phone = ? WHERE id = 3').run(oldFernet.encrypt('+1-555-0103')));
      const keys = { env: { OLD: old, NEW: fresh } };
      const early = await project.fieldseal('rotate', 'env:OLD', 'env:NEW', '--finalize', '--json', keys);
      expect([early.exitCode, early.last.code, early.last.message]).toEqual([
        1,
        'ERR_RUN_NOT_CLEAN',
        '1 values are left under OLD and 0 cannot be read; nothing was dropped. See run 3.',
      ]);

      const again = await project.fieldseal('rotate', 'env:OLD', 'env:NEW', '--json', keys);
      expect([again.exitCode, again.last.newKeyVersion, again.last.counts]).toEqual([
        0,
        'v2',
        { total: 3, rotated: 1, current: 2, skipped: 0, failed: 0 },
      ]);
      const done = await project.fieldseal('rotate', '-', '-', '--finalize', { stdin: `${old}\n${fresh}\n` });
      expect([done.exitCode, done.stderr]).toEqual([0, expect.stringContaining('OLD no longer opens the keyring.')]);
      expect(await versions(project, under(fresh))).toEqual({ keys: ['v1 active', 'v2 primary'], roots: 1 });
      const dropped = await project.fieldseal('verify', under(old));
      expect([dropped.exitCode, dropped.stderr]).toEqual([2, expect.stringContaining('[ERR_KEYRING_ROOT]')]);
    });
  });

  it('is refused between equal keys, and where ENCRYPTION_KEY is neither', async () => {
    await withProject(async (project) => {
      const [one, two] = [Fernet.generateKey(), Fernet.generateKey()];
      project.keepSecret(one, two);
      const before = await project.databaseFiles();
      const same = await project.fieldseal('rotate', project.key, ` ${project.key}`, '--json');
      expect([same.exitCode, same.last.code, same.last.message]).toEqual([
        2,
        'ERR_KEY_DUPLICATE',
        'OLD and NEW are the same key.',
      ]);
      const neither = await project.fieldseal('rotate', one, two, '--json');
      expect([neither.exitCode, neither.last.code, neither.last.message]).toEqual([
        2,
        'ERR_KEYRING_ROOT',
        'ENCRYPTION_KEY is neither OLD nor NEW; give the key in use as OLD.',
      ]);
      expect(await project.databaseFiles()).toEqual(before);
    });
  });

  it('takes a key that begins with a dash in full, too', async () => {
    await withProject({ config: ENV_CONFIG }, async (project) => {
      const dashed = project.keepSecret(`${Buffer.alloc(32, 0xfb).toString('base64url')}=`);
      expect(dashed).toMatch(/^-/);
      expect((await project.fieldseal('encrypt')).exitCode).toBe(0);
      expect((await project.fieldseal('rotate', project.key, dashed)).exitCode).toBe(0);
      expect(openedWith(project, dashed)).toHaveLength(2);
    });
  });

  it('leaves the wrapping alone where ROOT_KEY does it', async () => {
    await withProject({ config: ENV_CONFIG }, async (project) => {
      const fresh = project.keepSecret(Fernet.generateKey());
      const env = { ROOT_KEY: project.keepSecret(Fernet.generateKey()), NEW: fresh };
      expect((await project.fieldseal('encrypt', { env })).exitCode).toBe(0);
      expect((await project.fieldseal('rotate', 'env:ENCRYPTION_KEY', 'env:NEW', { env })).exitCode).toBe(0);
      expect(openedWith(project, fresh)).toHaveLength(2);
      const done = await project.fieldseal('rotate', project.key, 'env:NEW', '--finalize', { env });
      expect(done.exitCode).toBe(0);
      const now = { env: { ...env, ENCRYPTION_KEY: fresh } };
      expect(await versions(project, now)).toEqual({ keys: ['v1 active', 'v2 primary'], roots: 1 });
    });
  });
});

describe('a rotation that is stopped', () => {
  it('by Ctrl-C ends with 3, and a resume goes on from there: every record counts once', async () => {
    await withProject({ sql: MANY_SQL, config: ENV_CONFIG }, async (project) => {
      const fresh = project.keepSecret(Fernet.generateKey());
      const env = { NEW: fresh };
      expect((await project.fieldseal('encrypt')).exitCode).toBe(0);
      const child = project.spawn('rotate', 'env:ENCRYPTION_KEY', 'env:NEW', ...SLOWLY, { env });
      const end = ended(child);
      await expect.poll(() => rotatedRecords(project, 2), POLL).toBeGreaterThan(0);
      child.kill('SIGINT');
      const stopped = await end;
      expect([stopped.exitCode, stopped.stderr]).toEqual([
        3,
        expect.stringContaining('Run 2 is paused; `fieldseal resume 2` goes on from there. [ERR_RUN_STOPPED]'),
      ]);
      const before = rotatedRecords(project, 2) ?? 0;
      expect(before).toBeLessThan(ROWS);
      const status = await project.fieldseal('status', '2', '--json');
      expect(status.last.run).toMatchObject({ status: 'paused', progressPercent: Math.floor((before / ROWS) * 100) });

      // Also where the configuration allows no rotation to a random key.
      const resumed = await project.fieldseal('resume', '2', '--json', { env });
      expect([resumed.exitCode, resumed.last.counts]).toEqual([
        0,
        { total: ROWS, rotated: ROWS, current: 0, skipped: 0, failed: 0 },
      ]);
      expect(resumed.lines.find(({ type }) => type === 'run')).toMatchObject({ run: 2, resumed: true });
      const texts = openedWith(project, fresh);
      expect([texts.length, new Set(texts).size, texts[0]]).toEqual([ROWS, ROWS, '+1-555-1']);
      expect((await project.fieldseal('resume', '2')).stderr).toContain('[ERR_RUN_NOT_FOUND]');
    });
  });

  it('by pause or cancel stops its driver, and is in the way of other sweeps until it is over', async () => {
    await withProject({ sql: MANY_SQL }, async (project) => {
      expect((await project.fieldseal('encrypt')).exitCode).toBe(0);
      for (const [command, status] of [
        ['pause', 'paused'],
        ['cancel', 'cancelled'],
      ] as const) {
        const child = project.spawn('rotate', ...SLOWLY);
        const end = ended(child);
        const before = rotatedRecords(project, 2) ?? 0;
        await expect.poll(() => rotatedRecords(project, 2), POLL).toBeGreaterThan(before);
        expect((await project.fieldseal(command, '2')).stdout).toBe(`Run 2 is ${status}.\n`);
        const { exitCode, stderr } = await end;
        expect([exitCode, stderr]).toEqual([
          3,
          expect.stringContaining(`Run 2 was ${status} from elsewhere. [ERR_RUN_STOPPED]`),
        ]);
        if (command === 'cancel') continue;
        const encrypt = await project.fieldseal('encrypt', '--json');
        expect([encrypt.exitCode, encrypt.last.code]).toEqual([2, 'ERR_RUN_UNFINISHED']);
        const other = { env: { NEW: Fernet.generateKey() } };
        const another = await project.fieldseal('rotate', 'env:ENCRYPTION_KEY', 'env:NEW', '--json', other);
        expect([another.exitCode, another.last.code]).toEqual([2, 'ERR_RUN_UNFINISHED']);
      }
      expect((await project.fieldseal('resume', '2')).stderr).toContain('[ERR_RUN_NOT_FOUND]');
      expect((await project.fieldseal('encrypt', '--json')).last.columns[0].held).toMatchObject({
        v1: expect.any(Number),
        v2: expect.any(Number),
      });
    });
  });

  it('before its key was used leaves the key to the next one', async () => {
    await withProject(async (project) => {
      expect((await project.fieldseal('encrypt')).exitCode).toBe(0);
      signOn(project, 1);
      const child = project.spawn('rotate', '--json');
      const end = ended(child);
      await expect.poll(() => rotatedRecords(project, 2), POLL).toBe(0);
      expect((await project.fieldseal('cancel', '2')).exitCode).toBe(0);
      const { exitCode, stdout } = await end;
      expect([exitCode, stdout]).toEqual([3, expect.stringContaining('Run 2 was cancelled from elsewhere.')]);
      expect((await versions(project)).keys).toEqual(['v1 primary', 'v2 pending']);
      signOff(project);
      const next = await project.fieldseal('rotate', '--json');
      expect([next.last.run, next.last.newKeyVersion]).toEqual([3, 'v2']);
      expect((await versions(project)).keys).toEqual(['v1 active', 'v2 primary']);
    });
  });

  it('while it waits for readers goes on with both keys, and a resume that has one says so', async () => {
    await withProject(async (project) => {
      const env = { NEW: project.keepSecret(Fernet.generateKey()) };
      expect((await project.fieldseal('encrypt')).exitCode).toBe(0);
      signOn(project, 1);
      const child = project.spawn('rotate', 'env:ENCRYPTION_KEY', 'env:NEW', { env });
      const end = ended(child);
      const waiting = new Promise<void>((resolve) => {
        child.stderr?.on('data', (text: string) => {
          if (text.includes('waiting for 1 process(es) to load the new key')) resolve();
        });
      });
      await waiting;
      child.kill('SIGINT');
      expect((await end).exitCode).toBe(3);
      signOff(project);
      const resumed = await project.fieldseal('resume', '2', '--json');
      expect([resumed.exitCode, resumed.last.code, resumed.last.message]).toEqual([
        2,
        'ERR_ROOT_CHANGE_UNFINISHED',
        expect.stringContaining('finish it with `fieldseal rotate OLD NEW`'),
      ]);
      const finished = await project.fieldseal('rotate', 'env:ENCRYPTION_KEY', 'env:NEW', '--json', { env });
      expect([finished.exitCode, finished.last.run, finished.last.counts.rotated]).toEqual([0, 2, 2]);
    });
  });
});
