/** What is left of a service, searched for every secret that went through it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fernet } from 'fieldseal';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { configText } from '../with-project.ts';
import { finishedRotation } from './rotation.ts';
import { onPostgres, onSqlite, type RunningService, withService } from './with-service.ts';

const API = '/api/encryption';
const CONFIG = configText("people: { primaryKey: 'id', columns: { phone: encryptedString() } }");
const PLAINTEXTS = ['+82-10-9876-54321 Ada', 'naïve señor çelebi №7', 'sk_live_of_a_customer/with+signs='];

/** The forms in which somebody could have written a secret down, each as the text to look for. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const all = [bytes, ...(/^[\w-]{43}=$/.test(secret) ? [Buffer.from(secret, 'base64url')] : [])];
  const forms = all.flatMap((one) => [
    one.toString('latin1'),
    one.toString('hex'),
    one.toString('hex').toUpperCase(),
    // Base64 of a text that holds it looks different at each of three offsets; its ends depend on the neighbours.
    ...[0, 1, 2].flatMap((offset) =>
      (['base64', 'base64url'] as const).map((encoding) =>
        Buffer.concat([Buffer.alloc(offset), one])
          .toString(encoding)
          .slice(offset === 0 ? 0 : 4, -4),
      ),
    ),
  ]);
  return [...new Set([...forms, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])];
}

/** Which secrets, by their place in the list, stand in a content in some form. */
function found(content: Buffer | string, secrets: readonly string[]): number[] {
  const text = Buffer.from(content).toString('latin1');
  return secrets.flatMap((secret, i) => (formsOf(secret).some((form) => text.includes(form)) ? [i] : []));
}

/** Everything that a service's database holds. */
async function databaseDump({ project, env }: RunningService): Promise<Buffer> {
  if (env['DATABASE_URL'] === 'sqlite:app.db') {
    const files = readdirSync(project.folder).filter((name) => name.startsWith('app.db'));
    return Buffer.concat(files.map((name) => readFileSync(join(project.folder, name))));
  }
  const client = new pg.Client(env['DATABASE_URL']);
  await client.connect();
  const schema = env['DATABASE_SCHEMA'] as string;
  const { rows: tables } = await client.query(
    `SELECT table_name FROM information_schema.tables WHERE table_schema = $1 AND table_type = 'BASE TABLE'`,
    [schema],
  );
  const texts: string[] = [];
  for (const { table_name: table } of tables) {
    const { rows } = await client.query(`SELECT t::text AS row FROM ${schema}.${table} AS t`);
    texts.push(table, ...rows.map(({ row }) => row as string));
  }
  await client.end();
  return Buffer.from(texts.join('\n'));
}

/** Every call that a client could make of the description, once with a secret wherever one could be put by mistake. */
async function useEveryRoute(service: RunningService, admin: string): Promise<void> {
  const { body: document } = await service.request('GET', '/openapi.json');
  const { body: spare } = await service.request('POST', `${API}/keys`, { token: admin, body: { name: 'spare' } });
  for (const [path, methods] of Object.entries(document.paths as Record<string, Record<string, unknown>>)) {
    for (const name of Object.keys(methods)) {
      const method = name.toUpperCase();
      const address = path.replace(/\{\w+\}/g, '1');
      const body = method === 'GET' ? {} : { body: path.endsWith('/verify') ? { key: spare.key } : {} };
      await service.request(method, address, { token: admin, ...body });
      await service.request(method, address, { token: `${spare.key.slice(0, -1)}!`, ...body });
      await service.request(method, `${address}?key=${spare.key}&token=${admin}`, { token: admin, ...body });
      await service.request(method, path.replace(/\{\w+\}/g, spare.key), { token: spare.key, ...body });
      if (method !== 'GET') {
        await service.request(method, address, { token: admin, body: `{"key":"${spare.key}` });
        await service.request(method, address, { token: admin, body: { [spare.key]: spare.key } });
      }
    }
  }
  await service.request('GET', `/${spare.key}`, { token: admin, headers: { cookie: `session=${admin}` } });
  await service.request('GET', '/metrics', { token: admin, headers: { 'x-request-id': spare.key } });
}

describe('nothing of a secret is in the database, the log, the metrics or the audit log', () => {
  test.each([
    ['SQLite', 'true', onSqlite],
    ['SQLite', 'false', onSqlite],
    ['PostgreSQL', 'true', onPostgres],
  ] as const)('on %s with API_KEY_RECOVERABLE=%s', async (name, recoverable, place) => {
    const serveEnv = { API_KEY_RECOVERABLE: recoverable, LOG_LEVEL: 'trace' };
    const sql = 'CREATE TABLE people (id INTEGER PRIMARY KEY, phone TEXT)';
    const options = name === 'SQLite' ? { sql, config: CONFIG, serveEnv } : { serveEnv };
    await withService(place, options, async (service) => {
      for (const plaintext of PLAINTEXTS) service.recordSecret(plaintext);
      if (name === 'SQLite') {
        const fernet = new Fernet(service.project.key);
        service.project.db((db) => {
          const insert = db.prepare('INSERT INTO people (phone) VALUES (?)');
          for (const plaintext of PLAINTEXTS) insert.run(fernet.encrypt(plaintext));
        });
      }
      const [admin, user] = [await service.token('root', '--admin'), await service.token('7')];
      const { body: mine } = await service.request('POST', `${API}/keys`, {
        token: user,
        body: { name: 'mine', scopes: 'read:projects' },
      });
      for (const token of [mine.key, user, service.project.key, service.env['AUTH_JWT_SECRET'] as string])
        await service.request('GET', `${API}/keys`, { token });
      await useEveryRoute(service, admin);
      await service.request('DELETE', `${API}/keys/${mine.id}`, { token: user });
      // Whatever became of the others, one rotation moves every value to a new key.
      const listed = await service.request('GET', `${API}/rotations`, { token: admin });
      for (const { id } of listed.body)
        await service.request('POST', `${API}/rotations/${id}/cancel`, { token: admin });
      const { body: rotation } = await service.request('POST', `${API}/rotate`, { token: admin });
      expect(await finishedRotation(service, rotation.rotation_id, admin)).toMatchObject({ failed_records: 0 });

      const secrets = service.secrets();
      expect(secrets.length).toBeGreaterThanOrEqual(PLAINTEXTS.length + 6);
      const { body: metrics } = await service.request('GET', '/metrics');
      const { stdout: audit } = await service.project.fieldseal('audit', 'export', { env: service.env });
      const { body: rows } = await service.request('GET', `${API}/audit-logs?limit=500`, { token: admin });
      const database = await databaseDump(service);
      expect([metrics.length, audit.length, rows.logs.length, database.length].every((size) => size > 10)).toBe(true);
      const hits = { database, log: service.output(), metrics, audit, rows: JSON.stringify(rows) };
      expect(Object.entries(hits).map(([place, content]) => [place, found(content, secrets)])).toEqual(
        Object.keys(hits).map((place) => [place, []]),
      );
      // What is searched for would be found.
      expect(found(Buffer.concat([database, Buffer.from(`x${mine.key}`).subarray(0)]), secrets)).toHaveLength(1);
      expect(database.includes(mine.prefix)).toBe(true);
    });
  });

  test('a secret is found in whatever form it stands', () => {
    const key = Fernet.generateKey();
    const bytes = Buffer.from(key, 'base64url');
    for (const text of [
      `a ${key} b`,
      Buffer.from(`a${key}bc`).toString('base64'),
      Buffer.from(`ab${key}c`).toString('base64url'),
      Buffer.from(key).toString('hex'),
      bytes,
      `\\x${bytes.toString('hex')}`,
      encodeURIComponent(key),
    ])
      expect(found(text, ['another secret', key])).toEqual([1]);
    expect(found(JSON.stringify('a "quoted" secret'), ['a "quoted" secret'])).toEqual([0]);
    expect(found('nothing', [key])).toEqual([]);
  });
});
