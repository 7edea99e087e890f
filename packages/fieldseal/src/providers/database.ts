/** A keyring out of the database where the service keeps it. The application hands over a query function. */
import { decodeFernetKey } from '../core/fernet.js';
import { Secret } from '../core/secret.js';
import { FieldsealError } from '../errors.js';
import type { KeyProvider } from '../keys/key-provider.js';
import { RootKey } from '../keys/root-key.js';
import { openSealedKeyring } from '../keys/sealed-keyring.js';
import type { KeyPurpose, KeyState, StoredKeyring } from '../keys/stored-keyring.js';

/**
 * Runs one statement and returns its rows as objects. Parameters stand as `?` for SQLite and `$1`, `$2` for PostgreSQL.
 *
 * @example
 * const sqlite = (sql, params) => db.prepare(sql).all(...params);
 * const postgres = async (sql, params) => (await pool.query(sql, params)).rows;
 */
export type QueryFunction = (sql: string, params: readonly (string | number)[]) => Row[] | Promise<Row[]>;
type Row = Record<string, unknown>;

/** What `databaseProvider` needs. */
export interface DatabaseProviderOptions {
  readonly dialect: 'sqlite' | 'postgres';
  readonly query: QueryFunction;
  /** The key that wraps the ring: `ROOT_KEY`, or `ENCRYPTION_KEY` where there is none. Base64url text, or 32 bytes. */
  readonly rootKey: string | Secret;
  /** PostgreSQL only: the schema of the service's tables (`fieldseal` when left out). */
  readonly schema?: string;
}

function isTextRecord(value: unknown): value is Record<string, string> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && Object.values(value).every((text) => typeof text === 'string');
}

function parseRecord(text: unknown): Record<string, string> {
  let record: unknown = null;
  try {
    record = JSON.parse(String(text));
  } catch {} // Refused below, like JSON of another shape.
  if (isTextRecord(record)) return record;
  throw new FieldsealError(
    'ERR_KEYRING_TAMPERED',
    'The stored keyring is not well formed; restore its tables from a backup.',
  );
}

function ringFromRows(rows: Row[]): StoredKeyring {
  const first = rows[0] as Row;
  return {
    id: String(first['keyring_id']),
    generation: Number(first['generation']),
    macs: parseRecord(first['macs']),
    keys: rows
      .filter((row) => row['version'] !== null)
      .map((row) => ({
        version: String(row['version']),
        purpose: String(row['purpose']) as KeyPurpose,
        id: Number(row['key_id']),
        state: String(row['state']) as KeyState,
        createdAt: String(row['created_at']),
        wraps: parseRecord(row['wraps']),
      })),
  };
}

/**
 * Reads the stored keyring, and reports this process as one of its readers, so that a rotation waits until it has seen
 * the new key. The role behind `query` needs SELECT on `keyring_state` and `encryption_keys`, and SELECT, INSERT,
 * UPDATE and DELETE on `keyring_readers`.
 *
 * @example
 * const keyring = await openKeyring(databaseProvider({ dialect: 'sqlite', query, rootKey }));
 */
export function databaseProvider(options: DatabaseProviderOptions): KeyProvider {
  const { dialect, query } = options;
  const root = new RootKey(
    typeof options.rootKey === 'string' ? decodeFernetKey(options.rootKey, 'python') : options.rootKey,
  );
  const prefix = dialect === 'postgres' ? `"${(options.schema ?? 'fieldseal').replaceAll('"', '""')}".` : '';
  const [one, two] = dialect === 'postgres' ? ['$1', '$2'] : ['?', '?'];
  const nowSeconds =
    dialect === 'postgres'
      ? 'floor(extract(epoch from clock_timestamp()))::bigint'
      : "CAST(strftime('%s', 'now') AS INTEGER)";
  const process = Secret.random(12).reveal().toString('hex');
  // One statement, so that state and keys are of one generation.
  const select =
    `SELECT s.keyring_id, s.generation, s.macs, k.purpose, k.version, k.key_id, k.state, k.created_at, k.wraps ` +
    `FROM ${prefix}keyring_state s LEFT JOIN ${prefix}encryption_keys k ON 1 = 1`;
  // RETURNING, so that drivers which tell reading from writing statements accept it in the same call.
  const upsert =
    `INSERT INTO ${prefix}keyring_readers (process, generation, seen_at) VALUES (${one}, ${two}, ${nowSeconds}) ` +
    `ON CONFLICT (process) DO UPDATE SET generation = excluded.generation, seen_at = excluded.seen_at RETURNING process`;

  return {
    async load() {
      let rows: Row[];
      try {
        rows = await query(select, []);
      } catch (cause) {
        throw new FieldsealError('ERR_KEYRING_NOT_FOUND', 'The stored keyring could not be read from the database.', {
          cause,
        });
      }
      if (rows.length === 0) {
        throw new FieldsealError(
          'ERR_KEYRING_NOT_FOUND',
          'The database holds no keyring yet; `fieldseal encrypt` makes one.',
        );
      }
      return openSealedKeyring(ringFromRows(rows), root);
    },
    async acknowledge(generation) {
      await query(upsert, [process, generation]);
    },
    async close() {
      await query(`DELETE FROM ${prefix}keyring_readers WHERE process = ${one} RETURNING process`, [process]);
    },
  };
}
