/** Destroying a key, and each thing that stands in the way of it. */
import { readFile, rm } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { createBackup } from '../../src/usecases/create-backup.js';
import { createSubjectKeys } from '../../src/usecases/create-subject-keys.js';
import { type DestroyKeyOptions, destroyStoredKey } from '../../src/usecases/destroy-key.js';
import { disableStoredKey } from '../../src/usecases/disable-key.js';
import { enableStoredKey } from '../../src/usecases/enable-key.js';
import { eraseSubject } from '../../src/usecases/erase-subject.js';
import { indexTables } from '../../src/usecases/index-tables.js';
import { restoreBackup } from '../../src/usecases/restore-backup.js';
import { rotateKeys } from '../../src/usecases/rotate-keys.js';
import { stopRun } from '../../src/usecases/stop-run.js';
import { openSubjectReach } from '../../src/usecases/subject-reach.js';
import { sweepTables } from '../../src/usecases/sweep-tables.js';
import { rejectionOf } from '../refusal.js';
import { configText, USERS_CONFIG, withProject } from '../with-project.js';
import { dependenciesOf } from './dependencies-of.js';
import { age, INDEXED_CONFIG, INDEXED_SQL, REALLY, type Rotated, tamper, V1, withRotated } from './with-rotated.js';

const PLAIN = { recipients: [], identities: [], passphrase: null, encrypted: false };
const DESTROY: DestroyKeyOptions = { ...V1, confirmed: true, now: false, abandonBackups: false };

/** Disabled, the seven days over, and verified. */
async function readyToDestroy({ deps, project }: Rotated): Promise<void> {
  await disableStoredKey(deps, { ...V1, force: false });
  age(project, 8);
  expect((await sweepTables(deps, 'verify', REALLY)).status).toBe('completed');
}

const SUBJECTS_SQL = `CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);
  INSERT INTO users (id, email) VALUES (1, 'ada@example.org'), (2, 'brook@example.org')`;
const SUBJECTS_CONFIG = configText(
  `users: { primaryKey: 'id', subject: 'id', columns: { email: encryptedString({ scheme: 'xaes-subject', alsoReads: ['plaintext'] }) } }`,
);

const refused = ({ deps }: Rotated, options: Partial<DestroyKeyOptions> = {}) =>
  rejectionOf(() => destroyStoredKey(deps, { ...DESTROY, ...options }));

describe('destroying a key', () => {
  it('takes its bytes out of the database, and says in the audit log why it could', () =>
    withRotated({}, async (rotated) => {
      const { deps, project, states, audit } = rotated;
      await readyToDestroy(rotated);
      const destroyed = await destroyStoredKey(deps, DESTROY);
      expect(destroyed).toEqual({
        ...V1,
        state: 'destroyed',
        generation: expect.any(Number),
        verifiedBy: 3,
        backups: [],
      });
      expect(states()).toEqual(['v1 destroyed', 'v2 primary']);
      const wraps = project.db((db) =>
        db.prepare("SELECT wraps FROM encryption_keys WHERE version = 'v1' AND purpose = 'field'").pluck().get(),
      );
      expect(wraps).toBe('{}');
      expect(audit().at(-1)).toEqual({
        action: 'key_destroyed',
        id: 'v1',
        details: { purpose: 'field', verifiedBy: 3, disabledAt: expect.any(String) },
      });
      // Everything goes on under v2, and a second call changes nothing.
      expect((await sweepTables(deps, 'verify', REALLY)).status).toBe('completed');
      expect(await destroyStoredKey(deps, DESTROY)).toEqual({ ...destroyed, verifiedBy: null });
      expect(await rejectionOf(() => enableStoredKey(deps, V1))).toEqual({
        code: 'ERR_KEY_STATE',
        message: 'The key v1 is destroyed; only a disabled key can be enabled.',
      });
    }));

  it('leaves nothing of them in the write-ahead log of a SQLite database, or says that it could not', () =>
    withRotated({}, async (rotated) => {
      const { deps, project, notices } = rotated;
      project.db((db) => db.pragma('journal_mode = WAL'));
      // An application that goes on keeps the log in its place.
      const other = new Database(project.file);
      try {
        other.prepare('SELECT count(*) FROM users').get();
        const wraps = other.prepare("SELECT wraps FROM encryption_keys WHERE version = 'v1' AND purpose = 'field'");
        await readyToDestroy(rotated);
        const before = Buffer.from(wraps.pluck().get() as string);
        await destroyStoredKey(deps, DESTROY);
        for (const file of [project.file, `${project.file}-wal`]) {
          expect([file, (await readFile(file)).includes(before)]).toEqual([file, false]);
        }
        expect(notices.filter(({ type }) => type === 'warning')).toEqual([]);

        await rotateKeys(deps, { ...REALLY, given: null });
        await disableStoredKey(deps, { version: 'v2', purpose: 'field', force: false });
        await sweepTables(deps, 'verify', REALLY);
        other.exec('BEGIN');
        other.prepare('SELECT count(*) FROM users').get();
        await destroyStoredKey(deps, { ...DESTROY, version: 'v2', now: true });
        expect(notices.filter(({ type }) => type === 'warning')).toEqual([
          {
            type: 'warning',
            text: 'another process uses the database, and its -wal file may still hold what was just forgotten; run `PRAGMA wal_checkpoint(TRUNCATE)` once it is idle',
          },
        ]);
      } finally {
        other.close();
      }
    }));

  it('is refused for a key that is not disabled', () =>
    withRotated({}, async (rotated) => {
      expect(await refused(rotated)).toEqual({
        code: 'ERR_KEY_STATE',
        message: 'The key v1 is active; only a disabled key can be destroyed.',
      });
      expect(await refused(rotated, { version: 'v2' })).toEqual({
        code: 'ERR_KEY_STATE',
        message: 'The key v2 is primary; only a disabled key can be destroyed.',
      });
      expect((await refused(rotated, { version: 'v9' })).code).toBe('ERR_KEY_NOT_FOUND');
    }));

  it('is refused until it is confirmed, and changes nothing before', () =>
    withRotated({}, async (rotated) => {
      await readyToDestroy(rotated);
      expect(await refused(rotated, { confirmed: false })).toEqual({
        code: 'ERR_USAGE',
        message:
          'Nothing stands in the way of destroying v1. It cannot be undone. Processes that still have it as ENCRYPTION_KEY or ENCRYPTION_KEY_PREVIOUS, with ROOT_KEY or without, will not open the keyring any more. Add --yes.',
      });
      expect(rotated.states()).toEqual(['v1 disabled', 'v2 primary']);
    }));

  it('is refused while a run is unfinished', () =>
    withRotated({}, async (rotated) => {
      await readyToDestroy(rotated);
      rotated.project.db((db) => {
        db.exec("INSERT INTO encryption_key_rotations (kind, initiated_by) VALUES ('encrypt', 'cli')");
      });
      expect(await refused(rotated)).toEqual({
        code: 'ERR_RUN_UNFINISHED',
        message:
          'Run 4 (encrypt) is unfinished and works with the keys as they are; finish it with `fieldseal resume 4` or give it up with `fieldseal cancel 4`.',
      });
      await stopRun(rotated.deps, 4, 'cancelled');
      expect((await destroyStoredKey(rotated.deps, DESTROY)).state).toBe('destroyed');
    }));

  it('is refused while the environment still has the key', () =>
    withRotated({}, async (rotated) => {
      await readyToDestroy(rotated);
      const previous = dependenciesOf(rotated.project, {
        env: { ROOT_KEY: rotated.root, ENCRYPTION_KEY_PREVIOUS: rotated.project.key },
      });
      for (const deps of [rotated.withKey, previous]) {
        expect(await rejectionOf(() => destroyStoredKey(deps, DESTROY))).toEqual({
          code: 'ERR_KEY_NEEDED',
          message:
            'v1 is still in the environment: take it out of ENCRYPTION_KEY (give ROOT_KEY alone) and ENCRYPTION_KEY_PREVIOUS, here and everywhere else.',
        });
      }
    }));

  it('is refused until a verify began after the key had been disabled for seven days', () =>
    withRotated({}, async (rotated) => {
      const { deps, project } = rotated;
      await sweepTables(deps, 'verify', REALLY);
      await disableStoredKey(deps, { ...V1, force: false });
      // One that began before does for nothing, not even for --now.
      expect(await refused(rotated, { now: true })).toEqual({
        code: 'ERR_KEY_UNVERIFIED',
        message: 'No verify has begun and ended since v1 was disabled; run `fieldseal verify`, then this again.',
      });
      await sweepTables(deps, 'verify', REALLY);
      age(project, 6);
      expect(await refused(rotated)).toEqual({
        code: 'ERR_KEY_UNVERIFIED',
        message: expect.stringMatching(
          /^No verify has begun and ended since 20\S+Z, when v1 has been disabled for 7 days; run `fieldseal verify`, then this again\.$/,
        ),
      });
      expect((await destroyStoredKey(deps, { ...DESTROY, now: true })).verifiedBy).toBe(4);
    }));

  it('is refused when the verify went over another declaration', () =>
    withRotated({}, async (rotated) => {
      await readyToDestroy(rotated);
      const column = "encryptedString({ alsoReads: ['plaintext'] })";
      const other = await rotated.project.write(
        'fieldseal.config.ts',
        configText(`users: { primaryKey: 'id', columns: { phone: ${column}, name: ${column} } }`),
      );
      expect(await refused(rotated)).toEqual({
        code: 'ERR_KEY_UNVERIFIED',
        message:
          "Run 3 verified under another declaration of tables and columns than today's; run `fieldseal verify`, then this again.",
      });
      await rm(other);
      expect((await destroyStoredKey(rotated.deps, DESTROY)).state).toBe('destroyed');
    }));

  it('is refused when the verify looked at less than an earlier run that found values under the key', () =>
    withRotated({}, async (rotated) => {
      const { deps, project } = rotated;
      await readyToDestroy(rotated);
      // The column is declared no more, though its values are there.
      const column = "encryptedString({ alsoReads: ['plaintext'] })";
      await project.write(
        'fieldseal.config.ts',
        configText(`users: { primaryKey: 'id', columns: { name: ${column} } }`),
      );
      await sweepTables(deps, 'verify', REALLY);
      expect(await refused(rotated)).toEqual({
        code: 'ERR_KEY_NEEDED',
        message:
          'Run 1 found values under v1: users.phone (2); and run 4, the last that counted, did not look there. Declare it and run `fieldseal verify`; of a column that was dropped, or decrypted, say --dropped users.phone.',
      });
      expect((await refused(rotated, { dropped: ['users.name'] })).code).toBe('ERR_KEY_NEEDED');
      expect((await destroyStoredKey(deps, { ...DESTROY, dropped: ['users.phone'] })).state).toBe('destroyed');
    }));

  it('is refused without the configuration that earlier runs had', () =>
    withRotated({}, async (rotated) => {
      const { deps, project } = rotated;
      await disableStoredKey(deps, { ...V1, force: false });
      age(project, 8);
      // Such a verify looks at the service's own column alone.
      await rm(`${project.folder}/fieldseal.config.mjs`);
      await sweepTables(deps, 'verify', REALLY);
      expect(await refused(rotated)).toEqual({
        code: 'ERR_CONFIG_NOT_FOUND',
        message:
          'Earlier runs went over declared tables, and there is no fieldseal.config.ts (or .js) in the current folder; start this where it is.',
      });
      expect(rotated.states()).toEqual(['v1 disabled', 'v2 primary']);
    }));

  it('is refused when the verify ended more than a day ago', () =>
    withRotated({}, async (rotated) => {
      const { deps, project } = rotated;
      await readyToDestroy(rotated);
      tamper(project, (db) =>
        db.exec(
          "UPDATE audit_logs SET timestamp = strftime('%Y-%m-%dT%H:%M:%fZ', timestamp, '-25 hours') WHERE action LIKE 'verify%'",
        ),
      );
      age(project, 3);
      expect(await refused(rotated)).toEqual({
        code: 'ERR_KEY_UNVERIFIED',
        message: 'Run 3 verified more than 24 hours ago; run `fieldseal verify`, then this again.',
      });
      await sweepTables(deps, 'verify', REALLY);
      expect((await destroyStoredKey(deps, DESTROY)).state).toBe('destroyed');
    }));

  it('of the environment is refused while processes know only that, unless the operator says that none has it', () =>
    withRotated({}, async (rotated) => {
      const { deps, project } = rotated;
      await readyToDestroy(rotated);
      await project.write('fieldseal.config.ts', USERS_CONFIG.replace("'stored'", "'env'"));
      expect(await refused(rotated)).toEqual({
        code: 'ERR_KEY_NEEDED',
        message:
          "The configuration says keys: 'env', and v1 came from the environment: a process that still has it goes on writing under it. Where none has it any more, say --no-process-has-it.",
      });
      expect((await destroyStoredKey(deps, { ...DESTROY, noProcessHasIt: true })).state).toBe('destroyed');
    }));

  it('is refused while a value needs the key, and says which column', () =>
    withRotated({}, async (rotated) => {
      const { deps, project } = rotated;
      await readyToDestroy(rotated);
      // A process that knows only the first key.
      const late = new Fernet(project.key).encrypt('+1-555-0109');
      project.db((db) => db.prepare('UPDATE users SET phone = ? WHERE id = 2').run(late));
      await sweepTables(deps, 'verify', REALLY);
      expect(await refused(rotated)).toEqual({
        code: 'ERR_KEY_NEEDED',
        message:
          'Run 4 could not read everything, and what it could not read may need v1: users.phone (1 × no_key). See `fieldseal status 4`; `fieldseal keyring enable v1` brings back what is under it.',
      });
      await enableStoredKey(deps, V1);
      expect((await sweepTables(deps, 'verify', REALLY)).columns[0]?.held).toEqual({ v1: 1, v2: 1 });
    }));

  it('is refused when the audit log does not say since when it is disabled', () =>
    withRotated({}, async (rotated) => {
      await readyToDestroy(rotated);
      tamper(rotated.project, (db) => db.exec("DELETE FROM audit_logs WHERE action = 'key_disabled'"));
      expect(await refused(rotated)).toEqual({
        code: 'ERR_KEY_UNVERIFIED',
        message: 'The audit log does not say when v1 was disabled; enable it and disable it again.',
      });
    }));

  it('is refused while a backup was made under the key; that restores by itself and brings the key back', () =>
    withRotated({}, async (rotated) => {
      const { deps, project, states } = rotated;
      await createBackup(deps, { ...PLAIN, to: `${project.folder}/before.backup` });
      await readyToDestroy(rotated);
      await createBackup(deps, { ...PLAIN, to: `${project.folder}/after.backup` });
      expect(await refused(rotated)).toEqual({
        code: 'ERR_KEY_NEEDED',
        message: expect.stringMatching(
          /^Backups were made while v1 was in use: before\.backup \(20\S+Z\)\. Rows copied out of them could not be read any more; when that is no longer wanted, add --abandon-backups\.$/,
        ),
      });
      const { backups } = await destroyStoredKey(deps, { ...DESTROY, abandonBackups: true });
      expect(backups).toEqual([expect.stringContaining('before.backup')]);
      await restoreBackup(deps, { ...PLAIN, from: `${project.folder}/before.backup`, to: null, force: true });
      expect(states()).toEqual(['v1 active', 'v2 primary']);
      expect((await sweepTables(deps, 'verify', REALLY)).status).toBe('completed');
    }));

  it('is refused for a backup that is older than a thousand others, and for one between a forced disabling and the verify', () =>
    withRotated({}, async (rotated) => {
      const { deps, project } = rotated;
      await createBackup(deps, { ...PLAIN, to: `${project.folder}/first.backup` });
      await readyToDestroy(rotated);
      project.db((db) =>
        db.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)
          INSERT INTO audit_logs (action, resource_type, resource_id, status)
          SELECT 'backup_created', 'backup', 'later ' || i, 'success' FROM n`),
      );
      expect((await refused(rotated)).message).toContain('first.backup');
      tamper(project, (db) => db.exec("DELETE FROM audit_logs WHERE action = 'backup_created'"));
      await enableStoredKey(deps, V1);
      await disableStoredKey(deps, { ...V1, force: true });
      await createBackup(deps, { ...PLAIN, to: `${project.folder}/between.backup` });
      await sweepTables(deps, 'verify', REALLY);
      expect((await refused(rotated, { now: true })).message).toContain('between.backup');
    }));

  it('of the blind indexes is refused while an index value is under it', () =>
    withRotated({ sql: INDEXED_SQL, config: INDEXED_CONFIG }, async ({ deps, project, states }) => {
      const stored = () => project.db((db) => db.prepare('SELECT phone_index FROM users WHERE id = 1').pluck().get());
      await indexTables(deps, { ...REALLY, rotate: false });
      const old = stored();
      await indexTables(deps, { ...REALLY, rotate: true });
      const current = stored();
      await indexTables(deps, { ...REALLY, rotate: false });
      expect(states('blind-index')).toEqual(['v1 disabled', 'v2 primary']);
      const options: DestroyKeyOptions = { ...DESTROY, purpose: 'blind-index', now: true };
      const put = (value: unknown) =>
        project.db((db) => db.prepare('UPDATE users SET phone_index = ? WHERE id = 1').run(value));
      put(old);
      const { run } = await sweepTables(deps, 'verify', REALLY);
      expect(await rejectionOf(() => destroyStoredKey(deps, options))).toEqual({
        code: 'ERR_KEY_NEEDED',
        message: `Run ${run} could not read everything, and what it could not read may need v1: users.phone_index (1 × wrong_index). See \`fieldseal status ${run}\`.`,
      });
      put(current);
      await sweepTables(deps, 'verify', REALLY);
      expect(await destroyStoredKey(deps, options)).toMatchObject({ version: 'v1', state: 'destroyed' });
      expect(states('blind-index')).toEqual(['v1 destroyed', 'v2 primary']);
      // The next rotation of the indexes goes on counting.
      await indexTables(deps, { ...REALLY, rotate: true });
      expect(states('blind-index')).toEqual(['v1 destroyed', 'v2 active', 'v3 primary']);
    }));

  it('is refused while the keyring itself is wrapped under the key', () =>
    withProject({}, async (project) => {
      const deps = dependenciesOf(project);
      await sweepTables(deps, 'encrypt', REALLY);
      await rotateKeys(deps, { ...REALLY, given: null });
      await disableStoredKey(deps, { ...V1, force: false });
      expect(await rejectionOf(() => destroyStoredKey(deps, DESTROY))).toEqual({
        code: 'ERR_KEY_NEEDED',
        message:
          'The keyring itself is wrapped under v1; wrap it under another root key first, with `fieldseal keyring rewrap`.',
      });
    }));

  it('is not held up by the values of an erased subject, which no key opens', () =>
    withProject({ sql: SUBJECTS_SQL, config: SUBJECTS_CONFIG }, async (project) => {
      const root = project.keepSecret(Fernet.generateKey());
      const file = await project.write('subject-root', project.keepSecret(Fernet.generateKey()));
      const env = { ROOT_KEY: root, SUBJECT_ROOT_FILE: file };
      const withKey = dependenciesOf(project, { env: { ...env, ENCRYPTION_KEY: project.key } });
      const deps = dependenciesOf(project, { env });
      await sweepTables(withKey, 'encrypt', REALLY);
      const options = { subject: '1', tenant: null, dryRun: false, abandonUnreadable: false };
      await eraseSubject({ ...deps, openReach: () => openSubjectReach(deps) }, options);
      await rotateKeys(deps, { ...REALLY, given: null });
      await disableStoredKey(deps, { ...V1, force: false });
      const verified = await sweepTables(deps, 'verify', REALLY);
      expect([verified.status, verified.columns[0]?.held]).toEqual(['completed', { erased: 1, v2: 1 }]);
      expect((await destroyStoredKey(deps, { ...DESTROY, now: true })).state).toBe('destroyed');
      // A value of somebody else that came from a copy is another matter.
      await sweepTables(deps, 'verify', REALLY);
      project.db((db) => db.exec('UPDATE users SET id = 3 WHERE id = 1'));
      await createSubjectKeys(deps, { subjects: ['3'], tenant: null });
      expect((await sweepTables(deps, 'verify', REALLY)).failures).toMatchObject([{ reason: 'no_key', count: 1 }]);
    }));
});
