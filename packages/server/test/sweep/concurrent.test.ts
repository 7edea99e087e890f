import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import Database from 'better-sqlite3';
import { databaseProvider, EncryptionService, openKeyring } from 'fieldseal';
import { expect, test } from 'vitest';
import { type Project, withProject } from '../with-project.ts';
import { CUSTOMERS_CONFIG, customersSql } from './customers.ts';

const ROWS = 6_000;

/** An application of its own process: it updates, inserts and deletes the very rows that are swept, and logs each last state. */
const WRITER = `
import { setTimeout } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { databaseProvider, EncryptionService, openKeyring } from 'fieldseal';
const db = new Database('app.db', { timeout: 20_000 });
const query = (sql, params) => db.prepare(sql).all(...params);
const keyring = await openKeyring(databaseProvider({ dialect: 'sqlite', query, rootKey: process.env.KEY }), { refreshSeconds: 0.2 });
const service = new EncryptionService(keyring);
const update = db.prepare('UPDATE customers SET phone = ?, email = ? WHERE id = ?');
const insert = db.prepare('INSERT INTO customers (id, phone, email) VALUES (?, ?, ?)');
const remove = db.prepare('DELETE FROM customers WHERE id = ?');
const last = new Map();
let isStopped = false;
process.once('message', () => { isStopped = true; });
process.send('ready');
for (let i = 0; !isStopped; i++) {
  const id = (i * 2711) % ${ROWS} + 1;
  const phone = 'late-' + i;
  if (i % 10 === 0) {
    remove.run(id);
    last.set(id, null);
  } else if (i % 10 === 5) {
    // Ahead of every cursor, and (with a negative key) behind it.
    const fresh = (i % 20 === 5 ? 1 : -1) * (1_000_000 + i);
    insert.run(fresh, service.encryptField(phone), null);
    last.set(fresh, phone);
  } else if (update.run(service.encryptField(phone), service.encryptField(''), id).changes === 1) last.set(id, phone);
  await setTimeout(1);
}
await keyring.close();
process.send([...last]);
process.disconnect();
`;

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the writer ended with exit code ${code}`);
  });
  ended.catch(() => {});
  return (await Promise.race([once(child, 'message'), ended]))[0];
}

/** Runs commands beside the writer, and returns id → last phone (null: deleted). */
async function besideWriter(project: Project, work: () => Promise<void>): Promise<Map<number, string | null>> {
  const script = await project.write('writer.mjs', WRITER);
  const writer = spawn(process.execPath, [script], {
    cwd: project.folder,
    env: { PATH: process.env['PATH'], KEY: project.key },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    await nextMessage(writer);
    await work();
    const last = nextMessage(writer);
    writer.send('stop');
    return new Map((await last) as [number, string | null][]);
  } finally {
    if (writer.exitCode === null) writer.kill('SIGKILL');
  }
}

test('a writer that updates, inserts and deletes rows during sweeps loses no write', { timeout: 120_000 }, async () => {
  await withProject({ sql: customersSql(ROWS), config: CUSTOMERS_CONFIG }, async (project) => {
    expect((await project.fieldseal('encrypt')).exitCode).toBe(0);
    const last = await besideWriter(project, async () => {
      for (const newKeyVersion of ['v2', 'v3']) {
        const { last: report } = await project.fieldseal('rotate', '--json');
        expect(report).toMatchObject({
          status: 'completed',
          newKeyVersion,
          left: 0,
          counts: { skipped: 0, failed: 0 },
        });
        expect(report.counts.total).toBe(report.counts.rotated + report.counts.current);
      }
    });
    const { last: verified } = await project.fieldseal('verify', '--json');
    expect(verified).toMatchObject({ status: 'completed', counts: { failed: 0 } });
    for (const { held } of verified.columns) expect(Object.keys(held)).toEqual(['v3']);

    const db = new Database(project.file);
    const query = (sql: string, params: readonly (string | number)[]) =>
      db.prepare(sql).all(...params) as Record<string, unknown>[];
    const keyring = await openKeyring(databaseProvider({ dialect: 'sqlite', query, rootKey: project.key }));
    const service = new EncryptionService(keyring);
    const phoneOf = db.prepare('SELECT phone FROM customers WHERE id = ?').pluck();
    expect(last.size).toBeGreaterThan(100);
    for (const [id, phone] of last)
      expect(service.decryptField((phoneOf.get(id) ?? null) as string | null)).toBe(phone);
    const untouched = (
      db.prepare('SELECT id FROM customers WHERE id BETWEEN 1 AND ?').pluck().all(ROWS) as number[]
    ).filter((id) => !last.has(id));
    for (const id of untouched) expect(service.decryptField(phoneOf.get(id) as string)).toBe(`+82-10-${id}`);
    await keyring.close();
    db.close();
  });
});

test('a rotation waits for a live reader, and goes on when it signs off', async () => {
  await withProject({ sql: customersSql(10), config: CUSTOMERS_CONFIG }, async (project) => {
    expect((await project.fieldseal('encrypt')).exitCode).toBe(0);
    const db = new Database(project.file);
    const query = (sql: string, params: readonly (string | number)[]) =>
      db.prepare(sql).all(...params) as Record<string, unknown>[];
    const keyring = await openKeyring(databaseProvider({ dialect: 'sqlite', query, rootKey: project.key }), {
      refreshSeconds: 30,
    });
    const rotation = project.spawn('rotate', '--json');
    const ended = once(rotation, 'exit');
    let stdout = '';
    for await (const text of rotation.stdout as AsyncIterable<Buffer>) {
      stdout += text;
      if (!stdout.includes('"waiting"')) continue;
      // The new key is there, but nothing writes with it while this reader does not know it.
      expect(db.prepare("SELECT state FROM encryption_keys WHERE version = 'v2'").pluck().get()).toBe('pending');
      await keyring.close();
      break;
    }
    expect(await ended).toEqual([0, null]);
    expect(db.prepare("SELECT state FROM encryption_keys WHERE version = 'v2'").pluck().get()).toBe('primary');
    db.close();
  });
});
