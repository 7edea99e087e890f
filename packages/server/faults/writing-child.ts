/**
 * An application of its own process, on SQLite or PostgreSQL: it updates, inserts and deletes the very rows that are swept
 * and logs what it was last told is written. A statement without an answer may have taken place or not: both are logged.
 */
import { setTimeout } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { databaseProvider, EncryptionService, openKeyring } from 'fieldseal';
import pg from 'pg';

type Ask = (
  sql: string,
  parameters: readonly unknown[],
) => Promise<{ rows: Record<string, unknown>[]; changed: number }>;

const { DATABASE_URL: url = '', ENCRYPTION_KEY: rootKey = '', ROWS: rowsText = '' } = process.env;
const dialect = url.startsWith('sqlite:') ? 'sqlite' : 'postgres';
const rows = Number(rowsText);

/** The connection went away before the answer came. */
class Unanswered extends Error {}

function onSqlite(): Ask {
  const db = new Database(url.slice('sqlite:'.length), { timeout: 20_000 });
  return async (sql, parameters) => {
    const statement = db.prepare<unknown[], Record<string, unknown>>(sql);
    if (statement.reader) return { rows: statement.all(...parameters), changed: 0 };
    return { rows: [], changed: statement.run(...parameters).changes };
  };
}

async function connect(): Promise<pg.Client> {
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch {
      client.end().catch(() => undefined);
      await setTimeout(50);
    }
  }
}

/** An error that the server sent about the statement alone ends this process: an application has to see none. */
function isLost(error: unknown): boolean {
  return !(error instanceof pg.DatabaseError) || error.severity === 'FATAL' || error.severity === 'PANIC';
}

function onPostgres(): Ask {
  let open: pg.Client | null = null;
  return async (sql, parameters) => {
    const client = open ?? (await connect());
    open = client;
    try {
      const { rows: answer, rowCount } = await client.query(sql, [...parameters]);
      return { rows: answer, changed: rowCount ?? 0 };
    } catch (error) {
      if (!isLost(error)) throw error;
      open = null;
      client.end().catch(() => undefined);
      throw new Unanswered();
    }
  };
}

const connection = () => (dialect === 'sqlite' ? onSqlite() : onPostgres());
const ask = connection();
const readers = connection();
const query = async (sql: string, parameters: readonly unknown[]) => (await readers(sql, parameters)).rows;
const keyring = await openKeyring(databaseProvider({ dialect, query, rootKey }), { refreshSeconds: 0.2 });
const service = new EncryptionService(keyring);

/** By id: the texts that the row may hold now; null: no row. */
const last = new Map<number, (string | null)[]>();
let unanswered = 0;

/** @param text what the row holds afterwards, if there is an answer and it changed one */
async function write(id: number, text: string | null, sql: string, ...parameters: unknown[]): Promise<void> {
  let i = 0;
  const numbered = dialect === 'sqlite' ? sql : sql.replaceAll('?', () => `$${++i}`);
  const before = last.get(id) ?? [id >= 1 && id <= rows ? `+82-10-${id}` : null];
  try {
    const { changed } = await ask(numbered, parameters);
    last.set(id, [changed === 1 ? text : null]);
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    unanswered++;
    last.set(id, [...before, text]);
  }
}

let isStopped = false;
let isPaused = false;
process.on('message', (message) => {
  if (message === 'stop') isStopped = true;
  isPaused = message === 'pause';
});
process.send?.('ready');
for (let i = 0; !isStopped; i++) {
  if (isPaused) {
    process.send?.('paused');
    while (isPaused) await setTimeout(5);
  }
  const id = ((i * 2711) % rows) + 1;
  const text = `late-${i}`;
  const [phone, email] = [service.encryptField(text), service.encryptField(text)];
  if (i % 10 === 0) await write(id, null, 'DELETE FROM people WHERE id = ?', id);
  else if (i % 10 === 5) {
    // Ahead of every cursor, and (with a negative key) behind it.
    const fresh = (i % 20 === 5 ? 1 : -1) * (1_000_000 + i);
    await write(fresh, text, 'INSERT INTO people (id, phone, email) VALUES (?, ?, ?)', fresh, phone, email);
  } else await write(id, text, 'UPDATE people SET phone = ?, email = ? WHERE id = ?', phone, email, id);
  await setTimeout(1);
}
await keyring.close();
process.send?.({ last: [...last], unanswered }, () => process.exit());
