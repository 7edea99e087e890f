/** An audit log on each database, and what an intruder does to it, with the triggers out of the way. */
import Database from 'better-sqlite3';
import { Ed25519Key } from 'fieldseal';
import { Sealer } from '../../src/audit/sealer.js';
import type { NoteSigner } from '../../src/audit/signed-note.js';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { sealingLag } from '../../src/usecases/seal-audit.js';
import { withPostgresSchema } from '../postgres.js';
import { withSqliteFile } from '../store/sqlite-file.js';

export interface AuditedStore {
  readonly store: Store;
  /** Runs SQL as whoever owns the database; `{t}` before a table's name stands for its schema. */
  sql(text: string): Promise<Record<string, unknown>[]>;
  /** Takes every trigger away, as whoever owns the tables can. */
  disarm(): Promise<void>;
}

export type WithAuditedStore = (work: (place: AuditedStore) => Promise<void>) => Promise<void>;

export const onSqliteFile: WithAuditedStore = (work) =>
  withSqliteFile(async (file) => {
    const store = await openStore({ dialect: 'sqlite', file });
    const database = new Database(file);
    // What the intruder writes need not survive a loss of power.
    database.pragma('synchronous = OFF');
    const sql = async (text: string) => {
      const statement = database.prepare<[], Record<string, unknown>>(text.replaceAll('{t}', ''));
      if (statement.reader) return statement.all();
      statement.run();
      return [];
    };
    const disarm = async () => {
      for (const { name } of await sql("select name from sqlite_master where type = 'trigger'")) {
        await sql(`drop trigger ${name}`);
      }
    };
    try {
      await work({ store, sql, disarm });
    } finally {
      database.close();
      await store.close();
    }
  });

export const onPostgresSchema: WithAuditedStore = (work) =>
  withPostgresSchema(async ({ url, schema, client }) => {
    const store = await openStore({ dialect: 'postgres', connectionString: url }, { schema });
    const sql = async (text: string) => (await client.query(text.replaceAll('{t}', `${schema}.`))).rows;
    await client.query('set synchronous_commit = off');
    const disarm = async () => {
      const tables = await sql(
        `select distinct c.relname as name from pg_trigger t join pg_class c on c.oid = t.tgrelid
         join pg_namespace n on n.oid = c.relnamespace where n.nspname = '${schema}' and not t.tgisinternal`,
      );
      for (const { name } of tables) await sql(`alter table {t}${name} disable trigger user`);
    };
    try {
      await work({ store, sql, disarm });
    } finally {
      await store.close();
    }
  });

/** A signing key of a test's own. */
export function newSigner(name = 'log.example/audit'): NoteSigner {
  const key = Ed25519Key.fromSeed(Ed25519Key.generateSeed());
  return { name, publicKey: key.publicKey, sign: (message) => key.sign(message) };
}

/** Adds rows and returns their ids. */
export async function addRows(store: Store, count: number): Promise<number[]> {
  const ids: number[] = [];
  await store.transaction(async (tx) => {
    for (let at = 0; at < count; at++) {
      const row = { action: 'key_created', resourceType: 'key', status: 'success', userId: `u${at % 3}` } as const;
      ids.push((await tx.audit.insert({ ...row, details: JSON.stringify({ at, ü: 'ß€' }) })).id);
    }
  });
  return ids;
}

/**
 * Seals until nothing is left. On PostgreSQL a transaction that is open anywhere on the server holds sealing back, and other
 * tests have some.
 */
export async function sealAll(store: Store, signer: NoteSigner | null): Promise<void> {
  const sealer = new Sealer(store, signer);
  do await sealer.pass();
  while ((await sealingLag(store)).rows > 0);
}
