/** Adding, promoting, disabling and enabling a key. */
import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { addPendingKey } from '../../src/usecases/add-key.js';
import { disableStoredKey } from '../../src/usecases/disable-key.js';
import { enableStoredKey } from '../../src/usecases/enable-key.js';
import { indexTables } from '../../src/usecases/index-tables.js';
import { promoteStoredKey } from '../../src/usecases/promote-key.js';
import { rotateKeys } from '../../src/usecases/rotate-keys.js';
import { sweepTables } from '../../src/usecases/sweep-tables.js';
import { rejectionOf } from '../refusal.js';
import { configText, USERS_CONFIG, withProject } from '../with-project.js';
import { dependenciesOf } from './dependencies-of.js';
import { INDEXED_CONFIG, INDEXED_SQL, REALLY, signOn, V1, withRotated } from './with-rotated.js';

const V2 = { version: 'v2', purpose: 'field' } as const;
const UNVERIFIED = {
  code: 'ERR_KEY_UNVERIFIED',
  message:
    'No sweep has counted what is under v1 since it last wrote, or began to read; run `fieldseal verify`, then this again.',
};
const V3 = { version: 'v3', purpose: 'field' } as const;

describe('adding a key', () => {
  it('makes it pending, one at a time, and the next rotation moves to it', () =>
    withRotated({}, async ({ deps, states, audit }) => {
      expect(await addPendingKey(deps, 'field')).toEqual({ ...V3, state: 'pending', generation: expect.any(Number) });
      expect(audit().at(-1)).toEqual({
        action: 'key_added',
        id: 'v3',
        details: { purpose: 'field', state: 'pending', adopted: false },
      });
      expect(await rejectionOf(() => addPendingKey(deps, 'field'))).toEqual({
        code: 'ERR_KEY_STATE',
        message: 'The key v3 is pending already; the next rotation moves to it.',
      });
      expect((await rotateKeys(deps, { ...REALLY, given: null })).newKeyVersion).toBe('v3');
      expect(states()).toEqual(['v1 active', 'v2 active', 'v3 primary']);
    }));

  it('of the blind indexes needs a first one', () =>
    withRotated({}, async ({ deps }) => {
      expect(await rejectionOf(() => addPendingKey(deps, 'blind-index'))).toEqual({
        code: 'ERR_KEY_NOT_FOUND',
        message: 'The keyring has no key for blind indexes yet; `fieldseal index` makes the first.',
      });
      expect((await rejectionOf(() => indexTables(deps, { ...REALLY, rotate: false }))).code).toBe(
        'ERR_INDEX_NOT_FOUND',
      );
    }));

  it('leaves a database without a keyring as it is', () =>
    withProject({}, async (project) => {
      const before = await project.databaseFiles();
      expect(await rejectionOf(() => addPendingKey(dependenciesOf(project), 'field'))).toEqual({
        code: 'ERR_KEYRING_NOT_FOUND',
        message: 'The database holds no keyring yet; `fieldseal encrypt` makes one.',
      });
      expect(await project.databaseFiles()).toEqual(before);
    }));
});

describe('promoting a key', () => {
  it('waits until every live process has loaded it, and moves no value', () =>
    withRotated({}, async ({ deps, project, states, audit, notices }) => {
      const { generation } = await addPendingKey(deps, 'field');
      signOn(project, generation - 1);
      const waiting = new Promise<void>((resolve) => {
        deps.notify = (notice) => {
          notices.push(notice);
          if (notice.type === 'waiting') resolve();
        };
      });
      const promoted = promoteStoredKey(deps, V3);
      await waiting;
      expect(states()).toEqual(['v1 active', 'v2 primary', 'v3 pending']);
      project.db((db) => db.exec('DELETE FROM keyring_readers'));
      expect(await promoted).toEqual({ ...V3, state: 'primary', generation: generation + 1 });
      expect(notices).toEqual([{ type: 'waiting', readers: 1 }]);
      expect(audit().at(-1)).toEqual({
        action: 'key_promoted',
        id: 'v3',
        details: { purpose: 'field', previous: 'v2' },
      });
      expect((await sweepTables(deps, 'verify', REALLY)).columns[0]?.held).toEqual({ v2: 2 });
      expect(await promoteStoredKey(deps, V3)).toMatchObject({ state: 'primary', generation: generation + 1 });
    }));

  it('is refused for a disabled key, and while a run is unfinished', () =>
    withRotated({}, async ({ deps, project, states }) => {
      await disableStoredKey(deps, { ...V1, force: false });
      expect(await rejectionOf(() => promoteStoredKey(deps, V1))).toEqual({
        code: 'ERR_KEY_STATE',
        message: 'The key v1 is disabled and cannot become the primary.',
      });
      await addPendingKey(deps, 'field');
      project.db((db) => db.exec("INSERT INTO encryption_key_rotations (initiated_by) VALUES ('cli')"));
      expect((await rejectionOf(() => promoteStoredKey(deps, V3))).code).toBe('ERR_RUN_UNFINISHED');
      expect(states()).toEqual(['v1 disabled', 'v2 primary', 'v3 pending']);
    }));

  it('is refused when readers know only the environment, and it has not the key', () =>
    withRotated({}, async ({ withKey, project }) => {
      await project.write('fieldseal.config.ts', USERS_CONFIG.replace("'stored'", "'env'"));
      await addPendingKey(withKey, 'field');
      expect(await rejectionOf(() => promoteStoredKey(withKey, V3))).toEqual({
        code: 'ERR_ROTATE_ENV_KEYS',
        message:
          "The configuration says keys: 'env', and v3 is in neither ENCRYPTION_KEY nor ENCRYPTION_KEY_PREVIOUS: readers that know only these could not read what it writes.",
      });
      // Back to the first key, which they have.
      expect((await promoteStoredKey(withKey, V1)).state).toBe('primary');
    }));
});

describe('disabling a key', () => {
  it('takes it out of reading, until it is enabled again', () =>
    withRotated({}, async ({ deps, states, audit, notices }) => {
      expect(await disableStoredKey(deps, { ...V1, force: false })).toEqual({
        ...V1,
        state: 'disabled',
        generation: expect.any(Number),
        verifiedBy: 2,
        needed: [],
      });
      expect(audit().at(-1)).toEqual({ action: 'key_disabled', id: 'v1', details: { purpose: 'field' } });
      const rows = audit().length;
      await disableStoredKey(deps, { ...V1, force: false });
      expect(audit()).toHaveLength(rows);
      expect(notices).toEqual([]);
      expect((await enableStoredKey(deps, V1)).state).toBe('active');
      expect(states()).toEqual(['v1 active', 'v2 primary']);
      expect(audit().at(-1)).toEqual({ action: 'key_enabled', id: 'v1', details: { purpose: 'field' } });
    }));

  it('is refused for the primary and a pending key, and while a run is unfinished', () =>
    withRotated({}, async ({ deps, project, states }) => {
      await addPendingKey(deps, 'field');
      const refused = (name: typeof V1 | typeof V2 | typeof V3) =>
        rejectionOf(() => disableStoredKey(deps, { ...name, force: true }));
      expect(await refused(V2)).toEqual({
        code: 'ERR_KEY_STATE',
        message: 'The key v2 is primary; only an active key can be disabled.',
      });
      expect((await refused(V3)).message).toBe('The key v3 is pending; only an active key can be disabled.');
      project.db((db) => db.exec("INSERT INTO encryption_key_rotations (kind, initiated_by) VALUES ('index', 'cli')"));
      expect((await refused(V1)).code).toBe('ERR_RUN_UNFINISHED');
      expect(states()).toEqual(['v1 active', 'v2 primary', 'v3 pending']);
    }));

  it('is refused while the last sweep found values under it; forced, it says which nobody can read', () =>
    withRotated({}, async ({ deps, notices }) => {
      await addPendingKey(deps, 'field');
      await promoteStoredKey(deps, V3);
      expect(await rejectionOf(() => disableStoredKey(deps, { ...V2, force: false }))).toEqual({
        code: 'ERR_KEY_NEEDED',
        message:
          'Run 2 found values under v2: users.phone (2). Rotate first; with --force nobody can read them until `fieldseal keyring enable v2`.',
      });
      notices.length = 0;
      expect(await disableStoredKey(deps, { ...V2, force: true })).toMatchObject({
        state: 'disabled',
        needed: [{ table: 'users', column: 'phone', values: 2 }],
      });
      expect(notices).toEqual([
        {
          type: 'warning',
          text: 'nobody can read these values until v2 is enabled again: users.phone (2)',
        },
      ]);
      expect((await sweepTables(deps, 'verify', REALLY)).counts.failed).toBe(2);
      await enableStoredKey(deps, V2);
      expect((await sweepTables(deps, 'verify', REALLY)).counts.failed).toBe(0);
    }));

  it('is refused when no sweep has counted what it holds; forced, it warns', () =>
    withRotated({}, async ({ deps, project, notices }) => {
      project.db((db) => db.exec('DELETE FROM encryption_key_rotations'));
      expect(await rejectionOf(() => disableStoredKey(deps, { ...V1, force: false }))).toEqual(UNVERIFIED);
      expect((await disableStoredKey(deps, { ...V1, force: true })).verifiedBy).toBeNull();
      expect(notices).toEqual([
        { type: 'warning', text: 'no sweep has counted what v1 holds; run `fieldseal verify` now' },
      ]);
    }));

  it('is refused when it was the primary, or read again, since the last sweep that counted', () =>
    withRotated({}, async ({ deps, project, withKey }) => {
      // Back to v1, a value under it, and on to v2: the rotation counted before that.
      await promoteStoredKey(deps, V1);
      project.db((db) => db.exec("UPDATE users SET phone = '+1-555-0109' WHERE id = 1"));
      await sweepTables(withKey, 'encrypt', REALLY);
      await promoteStoredKey(deps, V2);
      expect((await rejectionOf(() => disableStoredKey(deps, { ...V1, force: false }))).code).toBe('ERR_KEY_NEEDED');
      // Where no run saw the value either.
      project.db((db) => db.exec("DELETE FROM encryption_key_rotations WHERE kind = 'encrypt'"));
      expect(await rejectionOf(() => disableStoredKey(deps, { ...V1, force: false }))).toEqual(UNVERIFIED);
      await sweepTables(deps, 'verify', REALLY);
      expect((await rejectionOf(() => disableStoredKey(deps, { ...V1, force: false }))).code).toBe('ERR_KEY_NEEDED');
      await rotateKeys(deps, { ...REALLY, given: null });
      expect((await disableStoredKey(deps, { ...V1, force: false })).verifiedBy).not.toBeNull();
      await enableStoredKey(deps, V1);
      expect(await rejectionOf(() => disableStoredKey(deps, { ...V1, force: false }))).toEqual(UNVERIFIED);
    }));

  it('of a value that encrypt made under it is refused once another key writes', () =>
    withProject({}, async (project) => {
      const deps = dependenciesOf(project);
      await sweepTables(deps, 'encrypt', REALLY);
      await addPendingKey(deps, 'field');
      await promoteStoredKey(deps, V2);
      expect(await rejectionOf(() => disableStoredKey(deps, { ...V1, force: false }))).toEqual({
        code: 'ERR_KEY_NEEDED',
        message:
          'Run 1 found values under v1: users.phone (2). Rotate first; with --force nobody can read them until `fieldseal keyring enable v1`.',
      });
    }));

  it('of the blind indexes is refused when it wrote since the last run that counted', () =>
    withRotated({ sql: INDEXED_SQL, config: INDEXED_CONFIG }, async ({ deps, states }) => {
      const of = (version: string) => ({ version, purpose: 'blind-index' as const });
      await indexTables(deps, { ...REALLY, rotate: true });
      expect(states('blind-index')).toEqual(['v1 active', 'v2 primary']);
      await promoteStoredKey(deps, of('v1'));
      await promoteStoredKey(deps, of('v2'));
      expect(await rejectionOf(() => disableStoredKey(deps, { ...of('v1'), force: false }))).toEqual(UNVERIFIED);
      await sweepTables(deps, 'verify', REALLY);
      expect((await disableStoredKey(deps, { ...of('v1'), force: false })).state).toBe('disabled');
    }));

  it('is refused without the configuration, or where the last sweep left out a column that had values', () =>
    withRotated({}, async ({ deps, project }) => {
      const column = "encryptedString({ alsoReads: ['plaintext'] })";
      await project.write(
        'fieldseal.config.ts',
        configText(`users: { primaryKey: 'id', columns: { name: ${column} } }`),
      );
      await sweepTables(deps, 'verify', REALLY);
      expect((await rejectionOf(() => disableStoredKey(deps, { ...V1, force: false }))).message).toMatch(
        /^Run 1 found values under v1: users\.phone \(2\); and run 3, the last that counted, did not look there\. /,
      );
      for (const ending of ['ts', 'mjs']) await rm(`${project.folder}/fieldseal.config.${ending}`);
      const dropped = { ...V1, force: false, dropped: ['users.phone'] };
      expect((await rejectionOf(() => disableStoredKey(deps, dropped))).code).toBe('ERR_CONFIG_NOT_FOUND');
      await project.write('fieldseal.config.js', USERS_CONFIG.replace("'stored'", "'env'"));
      expect((await rejectionOf(() => disableStoredKey(deps, dropped))).code).toBe('ERR_KEY_NEEDED');
      expect((await disableStoredKey(deps, { ...dropped, noProcessHasIt: true })).state).toBe('disabled');
    }));
});
