/** The `keyring` commands as they are typed, on both databases: from the first key to its end. */
import { Fernet } from 'fieldseal';
import { describe, expect, test } from 'vitest';
import { withPostgresProject } from '../with-postgres-database.ts';
import {
  type CommandOptions,
  type CommandResult,
  configText,
  type Project,
  type ProjectOptions,
  withProject,
} from '../with-project.ts';

const OPTIONS: ProjectOptions = {
  sql: `CREATE TABLE users (id INTEGER PRIMARY KEY, phone TEXT);
    INSERT INTO users (id, phone) VALUES (1, '+1-555-0101'), (2, '+1-555-0102')`,
  config: configText("users: { primaryKey: 'id', columns: { phone: encryptedString({ alsoReads: ['plaintext'] }) } }"),
};

/** A database of either kind. */
interface Place {
  readonly project: Project;
  fieldseal(...args: [...string[], CommandOptions]): Promise<CommandResult>;
  /** Lets eight days go by since keys were disabled. */
  age(): Promise<unknown>;
}

const onSqlite = (work: (place: Place) => Promise<void>) =>
  withProject(OPTIONS, (project) =>
    work({
      project,
      fieldseal: (...args) => project.fieldseal(...args),
      age: async () =>
        project.db((db) =>
          db.exec(
            "DROP TRIGGER fieldseal_audit_logs_update; UPDATE audit_logs SET timestamp = strftime('%Y-%m-%dT%H:%M:%fZ', timestamp, '-8 days') WHERE action = 'key_disabled'",
          ),
        ),
    }),
  );

const onPostgres = (work: (place: Place) => Promise<void>) =>
  withPostgresProject(OPTIONS, ({ project, fieldseal, rows }) =>
    work({
      project,
      fieldseal,
      age: () =>
        rows(
          "ALTER TABLE fieldseal.audit_logs DISABLE TRIGGER USER; UPDATE fieldseal.audit_logs SET timestamp = timestamp - interval '8 days' WHERE action = 'key_disabled'",
        ),
    }),
  );

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
])('on %s', (_name, on) => {
  test('the first key is rotated away, its root replaced, and its bytes destroyed', { timeout: 180_000 }, () =>
    on(async ({ project, fieldseal, age }) => {
      const root = project.keepSecret(Fernet.generateKey(), '+1-555-0101');
      const first: CommandOptions = { env: { NEW_ROOT: root } };
      const later: CommandOptions = { env: { ENCRYPTION_KEY: undefined, ROOT_KEY: root } };
      const done = async (options: CommandOptions, ...args: string[]) => {
        const result = await fieldseal(...args, '--json', options);
        expect([args, result.exitCode, result.last]).toEqual([args, 0, expect.objectContaining({ type: 'result' })]);
        return result.last;
      };
      const refused = async (options: CommandOptions, ...args: string[]) => {
        const { exitCode, last } = await fieldseal(...args, '--json', options);
        expect(last).toEqual({ type: 'error', code: expect.any(String), message: expect.any(String) });
        return `${exitCode} ${last.code}`;
      };

      await done(first, 'encrypt');
      expect(await done(first, 'keyring', 'add')).toMatchObject({ version: 'v2', purpose: 'field', state: 'pending' });
      expect(await refused(first, 'keyring', 'add')).toBe('2 ERR_KEY_STATE');
      expect(await done(first, 'keyring', 'promote', 'v2')).toMatchObject({ version: 'v2', state: 'primary' });
      expect(await refused(first, 'keyring', 'disable', 'v2')).toBe('2 ERR_KEY_STATE');
      expect(await done(first, 'rotate')).toMatchObject({ newKeyVersion: 'v3', status: 'completed' });

      expect(await refused(first, 'keyring', 'destroy', 'v1', '--yes')).toBe('2 ERR_KEY_STATE');
      expect(await done(first, 'keyring', 'disable', 'v1')).toMatchObject({ state: 'disabled', needed: [] });
      expect(await done(first, 'keyring', 'enable', 'v1')).toMatchObject({ state: 'active' });
      // What was written under it while it was disabled, or before, nobody could count.
      expect(await refused(first, 'keyring', 'disable', 'v1')).toBe('2 ERR_KEY_UNVERIFIED');
      await done(first, 'verify');
      await done(first, 'keyring', 'disable', 'v1', '--no-process-has-it', '--dropped', 'a.b', '--dropped', 'c.d');
      expect(await refused(first, 'keyring', 'destroy', 'v1', '--yes')).toBe('2 ERR_KEY_NEEDED');

      const rewrapped = await done(first, 'keyring', 'rewrap', 'env:NEW_ROOT');
      expect(rewrapped.roots).toHaveLength(2);
      expect(await refused(first, 'keyring', 'rewrap', 'env:NEW_ROOT', '--finalize')).toBe('2 ERR_KEYRING_ROOT');
      const finalized = await done(later, 'keyring', 'rewrap', 'env:ROOT_KEY', '--finalize');
      expect(finalized.roots).toEqual([rewrapped.root]);
      expect(await refused(first, 'keyring', 'list')).toBe('2 ERR_KEYRING_ROOT');

      expect(await refused(later, 'keyring', 'destroy', 'v1', '--yes')).toBe('2 ERR_KEY_UNVERIFIED');
      await age();
      expect(await done(later, 'verify')).toMatchObject({ status: 'completed', counts: { total: 2, failed: 0 } });
      expect(await refused(later, 'keyring', 'destroy', 'v1')).toBe('2 ERR_USAGE');
      expect(
        await done(later, 'keyring', 'destroy', 'v1', '--yes', '--dropped', 'a.b', '--no-process-has-it'),
      ).toMatchObject({
        version: 'v1',
        state: 'destroyed',
      });

      const { stdout } = await fieldseal('keyring', 'list', later);
      expect(stdout).toMatch(/^v1 +field +destroyed /m);
      expect((await done(later, 'verify')).columns).toEqual([expect.objectContaining({ held: { v3: 2 } })]);
      // Who still has the first key is told so.
      expect(await refused({ env: { ROOT_KEY: root } }, 'verify')).toBe('2 ERR_KEYRING_ROOT');
      const previous = { env: { ...later.env, ENCRYPTION_KEY_PREVIOUS: project.key } };
      expect(await refused(previous, 'verify')).toBe('2 ERR_KEY_STATE');
    }),
  );
});

test('a version that is missing, or a purpose whose key has no versions, is a mistake on the command line', () =>
  withProject(OPTIONS, async (project) => {
    for (const args of [
      ['keyring', 'promote'],
      ['keyring', 'destroy', '--yes'],
      ['keyring', 'add', '--purpose', 'api-key-hash'],
      ['keyring', 'rewrap'],
    ]) {
      const { exitCode, last } = await project.fieldseal(...args, '--json');
      expect([args, exitCode, last.code]).toEqual([args, 2, 'ERR_USAGE']);
    }
    const { stderr, exitCode } = await project.fieldseal('keyring', 'add');
    expect([exitCode, stderr]).toEqual([
      2,
      'fieldseal: The database holds no keyring yet; `fieldseal encrypt` makes one. [ERR_KEYRING_NOT_FOUND]\n',
    ]);
  }));
