/** What `databaseProvider` promises on every database: the contract suite, a function of the database under test. */
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.js';
import { FieldsealError } from '../../src/errors.js';
import { addKey, promoteKey } from '../../src/keys/keyring-changes.js';
import type { KeyringSnapshot } from '../../src/keys/keyring-snapshot.js';
import { openKeyring } from '../../src/keys/open-keyring.js';
import { RootKey } from '../../src/keys/root-key.js';
import { sealKeyring } from '../../src/keys/sealed-keyring.js';
import type { StoredKeyring } from '../../src/keys/stored-keyring.js';
import { databaseProvider, type QueryFunction } from '../../src/providers/database.js';
import { freshRing, MADE_AT_MS } from '../fresh-keyring.js';
import { rejectionOf } from '../refusal.js';
import type { ProviderDatabase, Work } from './provider-database.js';

const TAMPERED = {
  code: 'ERR_KEYRING_TAMPERED',
  message: 'The stored keyring was changed by someone without the root key; restore its tables from a backup.',
};
const NOT_WELL_FORMED = {
  code: 'ERR_KEYRING_TAMPERED',
  message: 'The stored keyring is not well formed; restore its tables from a backup.',
};

/** Runs one statement, written for SQLite with unqualified tables, on the database. */
function run(database: ProviderDatabase, sql: string, ...params: (string | number)[]) {
  const { dialect, schema = 'fieldseal', query } = database;
  if (dialect === 'sqlite') return query(sql, params);
  let position = 0;
  const prefix = `"${schema.replaceAll('"', '""')}".`;
  const qualified = sql.replaceAll(/\b(?:keyring_state|encryption_keys|keyring_readers)\b/g, (table) => prefix + table);
  return query(
    qualified.replaceAll('?', () => `$${++position}`),
    params,
  );
}

/** Puts a ring in the place of what the tables hold. */
async function storeRing(database: ProviderDatabase, ring: StoredKeyring): Promise<void> {
  await run(database, 'DELETE FROM keyring_state RETURNING keyring_id');
  await run(database, 'DELETE FROM encryption_keys RETURNING version');
  await run(
    database,
    'INSERT INTO keyring_state (singleton, keyring_id, generation, macs) VALUES (1, ?, ?, ?) RETURNING keyring_id',
    ring.id,
    ring.generation,
    JSON.stringify(ring.macs),
  );
  for (const key of ring.keys) {
    await run(
      database,
      'INSERT INTO encryption_keys (purpose, version, key_id, state, created_at, wraps) ' +
        'VALUES (?, ?, ?, ?, ?, ?) RETURNING version',
      key.purpose,
      key.version,
      key.id,
      key.state,
      key.createdAt,
      JSON.stringify(key.wraps),
    );
  }
}

async function readersIn(database: ProviderDatabase) {
  const rows = await run(database, 'SELECT process, generation, seen_at FROM keyring_readers ORDER BY process');
  return rows.map((row) => ({
    process: String(row['process']),
    generation: Number(row['generation']),
    seenAt: Number(row['seen_at']),
  }));
}

/** The contract, on databases that `withDatabase` opens. */
export function databaseProviderContract(name: string, withDatabase: (work: Work) => Promise<void>): void {
  const secret = Secret.random(32);
  const root = new RootKey(secret);
  const provide = (database: ProviderDatabase, rootKey: string | Secret = secret) =>
    databaseProvider({ ...database, rootKey });
  const sealed = (ring: KeyringSnapshot) => sealKeyring(ring, [root]);

  describe(`databaseProvider on ${name}`, () => {
    it('loads the stored ring, under either root and with a root key given as text', () =>
      withDatabase(async (database) => {
        const ring = freshRing(3);
        const other = Secret.random(32);
        await storeRing(database, sealKeyring(ring, [root, new RootKey(other)]));
        for (const rootKey of [secret, other, `${secret.reveal().toString('base64url')}=`]) {
          const loaded = await provide(database, rootKey).load();
          expect([loaded.id, loaded.generation]).toEqual([ring.id, ring.generation]);
          for (const key of ring.keys) expect(loaded.findSecret(key.secret as Secret)).toMatchObject({ id: key.id });
        }
      }));

    it('says that there is no ring yet', () =>
      withDatabase(async (database) => {
        expect(await rejectionOf(() => provide(database).load())).toEqual({
          code: 'ERR_KEYRING_NOT_FOUND',
          message: 'The database holds no keyring yet; `fieldseal encrypt` makes one.',
        });
      }));

    it('says that the ring cannot be read, with the reason of the database', () =>
      withDatabase(async (database) => {
        const query: QueryFunction = (sql, params) => database.query(sql.replaceAll('keyring_state', 'absent'), params);
        const error = await provide({ ...database, query })
          .load()
          .catch((thrown) => thrown);
        expect(error).toBeInstanceOf(FieldsealError);
        expect({ code: error.code, message: error.message }).toEqual({
          code: 'ERR_KEYRING_NOT_FOUND',
          message: 'The stored keyring could not be read from the database.',
        });
        expect(error.cause).toBeInstanceOf(Error);
      }));

    it('does not open under another root', () =>
      withDatabase(async (database) => {
        await storeRing(database, sealed(freshRing()));
        expect(await rejectionOf(() => provide(database, Secret.random(32)).load())).toEqual({
          code: 'ERR_KEYRING_ROOT',
          message:
            'The stored keyring is not wrapped under this root key; set ENCRYPTION_KEY (or ROOT_KEY) to the one it was made with.',
        });
      }));

    it.each([
      "UPDATE encryption_keys SET state = 'disabled' WHERE version = 'v2'",
      "UPDATE encryption_keys SET version = 'v7' WHERE version = 'v2'",
      "UPDATE encryption_keys SET purpose = 'blind-index' WHERE version = 'v2'",
      "UPDATE encryption_keys SET key_id = 4294967296 WHERE version = 'v2'",
      "UPDATE encryption_keys SET key_id = -1 WHERE version = 'v2'",
      "UPDATE encryption_keys SET created_at = '' WHERE version = 'v2'",
      "UPDATE encryption_keys SET wraps = '{}' WHERE version = 'v2'",
      "UPDATE encryption_keys SET wraps = (SELECT wraps FROM encryption_keys WHERE version = 'v1') WHERE version = 'v2'",
      "DELETE FROM encryption_keys WHERE version = 'v2'",
      "DELETE FROM encryption_keys WHERE purpose = 'field'",
      'UPDATE keyring_state SET generation = generation + 1',
      'UPDATE keyring_state SET generation = -1',
      "UPDATE keyring_state SET keyring_id = 'abababababababababababababababab'",
      "UPDATE keyring_state SET keyring_id = ''",
    ])('does not open after %s', (tampering) =>
      withDatabase(async (database) => {
        await storeRing(database, sealed(freshRing(2)));
        await run(database, `${tampering} RETURNING 1 AS done`);
        expect(await rejectionOf(() => provide(database).load())).toEqual(TAMPERED);
      }),
    );

    it.each(['', 'null', '7', '"text"', '[]', '{', '{"a":1}', '{"a":null}'])(
      'does not open with %j for its JSON',
      (json) =>
        withDatabase(async (database) => {
          for (const [table, column] of [
            ['keyring_state', 'macs'],
            ['encryption_keys', 'wraps'],
          ]) {
            await storeRing(database, sealed(freshRing(2)));
            await run(database, `UPDATE ${table} SET ${column} = ? RETURNING 1 AS done`, json);
            expect(await rejectionOf(() => provide(database).load())).toEqual(NOT_WELL_FORMED);
          }
        }),
    );

    it('reports this process as one reader with the generation that it uses, and signs it off', () =>
      withDatabase(async (database) => {
        await storeRing(database, sealed(freshRing()));
        const [one, two] = [provide(database), provide(database)];
        const before = Math.floor(Date.now() / 1000);
        await one.acknowledge?.(1);
        await two.acknowledge?.(1);
        await one.acknowledge?.(4_294_967_296);
        const readers = await readersIn(database);
        expect(readers.map(({ generation }) => generation).sort()).toEqual([1, 4_294_967_296]);
        for (const { process, seenAt } of readers) {
          expect(process).toMatch(/^[0-9a-f]{24}$/);
          expect(Math.abs(seenAt - before)).toBeLessThan(30);
        }
        await one.close?.();
        expect((await readersIn(database)).map(({ generation }) => generation)).toEqual([1]);
        await two.close?.();
        expect(await readersIn(database)).toEqual([]);
      }));

    it('lets an open keyring follow a rotation, and never back', () =>
      withDatabase(async (database) => {
        const before = freshRing();
        await storeRing(database, sealed(before));
        const provider = provide(database);
        const keyring = await openKeyring(provider);
        const { ring, version } = addKey(before, null, 'pending', MADE_AT_MS);
        const after = promoteKey(ring, version);

        await storeRing(database, sealed(after));
        await keyring.refresh(provider);
        expect(keyring.writableSnapshot().primary.version).toBe('v2');
        expect((await readersIn(database)).map(({ generation }) => generation)).toEqual([after.generation]);

        await storeRing(database, sealed(before));
        expect(await rejectionOf(() => keyring.refresh(provider))).toEqual({
          code: 'ERR_KEYRING_ROLLBACK',
          message: 'The stored keyring is older than one seen before, or another one.',
        });
        expect(keyring.snapshot().generation).toBe(after.generation);

        await keyring.close();
        expect(await readersIn(database)).toEqual([]);
      }));
  });
}
