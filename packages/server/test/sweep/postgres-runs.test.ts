import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { databaseProvider, EncryptionService, Fernet, type Keyring, openKeyring } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { type PostgresProject, withPostgresProject } from '../with-postgres-database.ts';
import { configText } from '../with-project.ts';
import { CUSTOMERS_CONFIG } from './customers.ts';
import { rangesOfNewest, rotatedIn } from './ranges-of.js';

const customersSql = (count: number) => `
  CREATE TABLE customers (id int PRIMARY KEY, phone text NOT NULL, email text);
  INSERT INTO customers SELECT i, '+82-10-' || i, CASE WHEN i % 10 = 0 THEN NULL ELSE 'user' || i || '@example.com' END
    FROM generate_series(1, ${count}) i;`;

/** The ring that the command line stored, as an application opens it. */
function openRing({ client, project }: PostgresProject, schema = 'fieldseal'): Promise<Keyring> {
  const query = async (sql: string, params: readonly unknown[]) => (await client.query(sql, [...params])).rows;
  return openKeyring(databaseProvider({ dialect: 'postgres', query, rootKey: project.key, schema }), {
    refreshSeconds: 0.2,
  });
}

describe('the command line on PostgreSQL', () => {
  it('encrypts, rotates, verifies and decrypts, and an application reads along', async () => {
    await withPostgresProject({ sql: customersSql(1200), config: CUSTOMERS_CONFIG }, async (place) => {
      const { fieldseal, rows } = place;
      const before = await rows('SELECT * FROM customers ORDER BY id');
      const dry = await fieldseal('encrypt', '--dry-run', '--json');
      expect(dry.last).toMatchObject({ dryRun: true, counts: { total: 2280, rotated: 2280 } });
      expect(await rows("SELECT nspname FROM pg_namespace WHERE nspname = 'fieldseal'")).toEqual([]);

      expect((await fieldseal('encrypt', '--json')).last).toMatchObject({
        status: 'completed',
        counts: { total: 2280, rotated: 2280, current: 0, skipped: 0, failed: 0 },
        columns: [
          { table: 'customers', column: 'phone', total: 1200, held: { v1: 1200 } },
          { table: 'customers', column: 'email', total: 1080, held: { v1: 1080 } },
        ],
      });
      const keyring = await openRing(place);
      const service = new EncryptionService(keyring);
      expect((await fieldseal('rotate', '--json')).last).toMatchObject({
        status: 'completed',
        newKeyVersion: 'v2',
        left: 0,
        counts: { total: 2280, rotated: 2280 },
      });
      expect(keyring.snapshot().primary.version).toBe('v2');
      for (const [id, phone, email] of await rows('SELECT * FROM customers')) {
        expect(service.decryptField(phone as string)).toBe(`+82-10-${id}`);
        expect(service.decryptField(email as string | null)).toBe(
          Number(id) % 10 === 0 ? null : `user${id}@example.com`,
        );
      }
      await keyring.close();

      const verified = (await fieldseal('verify', '--json')).last;
      expect(verified).toMatchObject({
        status: 'completed',
        columns: [{ held: { v2: 1200 } }, { held: { v2: 1080 } }],
      });
      expect((await fieldseal('decrypt', '--json')).last).toMatchObject({ status: 'completed' });
      expect(await rows('SELECT * FROM customers ORDER BY id')).toEqual(before);
      expect((await fieldseal('status', '--json')).last.runs).toHaveLength(4);
    });
  });

  it('takes schema-qualified, quoted and partitioned tables, and keeps its own in DATABASE_SCHEMA', async () => {
    const sql = `CREATE SCHEMA "My.Schema"; CREATE TABLE "My.Schema"."Odd ""Table""" (
        "the key" uuid DEFAULT gen_random_uuid(), at timestamptz DEFAULT clock_timestamp(), "E mail" text, PRIMARY KEY (at, "the key"));
      INSERT INTO "My.Schema"."Odd ""Table""" ("E mail") SELECT 'a' || i FROM generate_series(1, 700) i;
      CREATE TABLE events (id bigint PRIMARY KEY, body text) PARTITION BY RANGE (id);
      CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
      CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (1000);
      INSERT INTO events SELECT i, 'b' || i FROM generate_series(0, 29) i;`;
    const config = configText(`
      '"My.Schema"."Odd ""Table"""': { primaryKey: ['the key', 'at'], columns: { 'E mail': encryptedString({ alsoReads: ['plaintext'] }) } },
      events: { primaryKey: 'id', columns: { body: encryptedString({ alsoReads: ['plaintext'] }) } }`);
    await withPostgresProject({ sql, config }, async (place) => {
      const env = { DATABASE_SCHEMA: 'my keys' };
      const { last } = await place.fieldseal('encrypt', '--json', { env });
      expect(last).toMatchObject({
        status: 'completed',
        columns: [
          { table: '"My.Schema"."Odd ""Table"""', column: 'E mail', rotated: 700 },
          { table: 'events_1', rotated: 10 },
          { table: 'events_2', rotated: 20 },
        ],
      });
      expect((await place.fieldseal('rotate', '--json', { env })).last).toMatchObject({
        counts: { rotated: 730 },
        left: 0,
      });
      const keyring = await openRing(place, 'my keys');
      const service = new EncryptionService(keyring);
      const bodies = await place.rows('SELECT id, body FROM events ORDER BY id');
      expect(bodies.map(([, body]) => service.decryptField(body as string))).toEqual(bodies.map(([id]) => `b${id}`));
      await keyring.close();
    });
  });

  it('records what it cannot read, and ends with failures', async () => {
    await withPostgresProject(
      { sql: customersSql(5), config: CUSTOMERS_CONFIG },
      async ({ client, fieldseal, rows }) => {
        const foreign = new Fernet(Fernet.generateKey()).encrypt('x');
        await client.query('UPDATE customers SET email = $1 WHERE id = 3', [foreign]);
        const { exitCode, last } = await fieldseal('encrypt', '--json');
        expect([exitCode, last.status]).toEqual([1, 'completed_with_failures']);
        expect(last.failures).toEqual([{ table: 'customers', column: 'email', reason: 'no_key', count: 1 }]);
        expect(await rows('SELECT email FROM customers WHERE id = 3')).toEqual([[foreign]]);
      },
    );
  });

  it('refuses what the preflight finds, and leaves no trace', async () => {
    const sql = 'CREATE TABLE customers (id int PRIMARY KEY, phone varchar(20), email text UNIQUE)';
    await withPostgresProject({ sql, config: CUSTOMERS_CONFIG }, async ({ fieldseal, rows }) => {
      const { exitCode, last } = await fieldseal('encrypt', '--json');
      expect(exitCode).toBe(2);
      expect(last).toMatchObject({
        code: 'ERR_COLUMN_UNSUITABLE',
        message:
          'The declaration does not fit: customers.email stands in a UNIQUE key; customers.phone has the type character varying(20), ' +
          'too short for tokens of up to 248 characters; ALTER TABLE "public"."customers" ALTER COLUMN "phone" TYPE text mends that.',
      });
      expect(await rows("SELECT nspname FROM pg_namespace WHERE nspname = 'fieldseal'")).toEqual([]);
    });
  });

  it('scans, and prints a declaration that loads and encrypts', async () => {
    const sql = `CREATE SCHEMA crm; CREATE TABLE crm."People" (a uuid, b int, email text, phone varchar(200), notes text, PRIMARY KEY (b, a));
      INSERT INTO crm."People" SELECT gen_random_uuid(), i, 'a' || i || '@example.com', NULL, 'nothing' FROM generate_series(1, 6000) i;
      INSERT INTO crm."People" SELECT gen_random_uuid(), 7000 + i, NULL, '+1 555 01' || i, NULL FROM generate_series(10, 60) i;
      CREATE TABLE numbers (id int PRIMARY KEY, n int)`;
    await withPostgresProject({ sql }, async ({ project, fieldseal }) => {
      const { last } = await fieldseal('scan', '--json');
      expect(
        last.columns.map((c: Record<string, unknown>) => [c['table'], c['column'], c['looksLike'], c['sampled']]),
      ).toEqual([
        ['crm.People', 'email', 'email', 1000],
        ['crm.People', 'phone', 'phone', 51],
      ]);
      await project.write('fieldseal.config.ts', last.declaration);
      expect((await fieldseal('encrypt', '--json')).last).toMatchObject({
        status: 'completed',
        counts: { total: 6051 },
      });
      const after = (await fieldseal('scan', '--json')).last;
      expect(after).toMatchObject({ declaration: null, absent: [] });
      expect(after.columns).toMatchObject([
        { declared: true, held: { v1: 1000 } },
        { declared: true, held: { v1: 51 } },
      ]);
    });
  });
});

describe('a rotation', () => {
  it('killed with SIGKILL again and again ends with every row readable and counted once', {
    timeout: 120_000,
  }, async () => {
    const count = 8000;
    await withPostgresProject({ sql: customersSql(count), config: CUSTOMERS_CONFIG }, async (place) => {
      expect((await place.fieldseal('encrypt')).exitCode).toBe(0);
      const checkpoints = new Set<unknown>();
      for (let round = 0; round < 5; round++) {
        const child = place.spawn('rotate', '--json', '--max-rows-per-second', '2500');
        const ended = once(child, 'exit');
        for await (const text of child.stdout as AsyncIterable<Buffer>) if (text.includes('"progress"')) break;
        await setTimeout(37 * round);
        child.kill('SIGKILL');
        await ended;
        const rotated = rotatedIn((await place.rows(rangesOfNewest('fieldseal.'))).map(([counts]) => ({ counts })));
        if (rotated > 0 && rotated < 15_200) checkpoints.add(rotated);
      }
      expect(checkpoints.size).toBeGreaterThan(1);
      const { exitCode, last } = await place.fieldseal('rotate', '--json');
      expect(exitCode).toBe(0);
      expect(last).toMatchObject({
        status: 'completed',
        newKeyVersion: 'v2',
        left: 0,
        counts: { total: 15_200, rotated: 15_200, current: 0, skipped: 0, failed: 0 },
      });
      const keyring = await openRing(place);
      const service = new EncryptionService(keyring);
      for (const [id, phone] of await place.rows('SELECT id, phone FROM customers')) {
        expect(service.decryptField(phone as string)).toBe(`+82-10-${id}`);
      }
      await keyring.close();
    });
  });

  it('beside a writer that updates, inserts and deletes loses no write', { timeout: 120_000 }, async () => {
    const count = 4000;
    await withPostgresProject({ sql: customersSql(count), config: CUSTOMERS_CONFIG }, async (place) => {
      expect((await place.fieldseal('encrypt')).exitCode).toBe(0);
      const keyring = await openRing(place);
      const service = new EncryptionService(keyring);
      const app = await place.connect();
      const last = new Map<number, string | null>();
      let isOver = false;
      const writing = (async () => {
        for (let i = 0; !isOver; i++) {
          const id = ((i * 2711) % count) + 1;
          const phone = `late-${i}`;
          if (i % 10 === 0) {
            await app.query('DELETE FROM customers WHERE id = $1', [id]);
            last.set(id, null);
          } else if (i % 10 === 5) {
            const fresh = (i % 20 === 5 ? 1 : -1) * (1_000_000 + i);
            await app.query('INSERT INTO customers VALUES ($1, $2, NULL)', [fresh, service.encryptField(phone)]);
            last.set(fresh, phone);
          } else {
            const token = service.encryptField(phone);
            const { rowCount } = await app.query('UPDATE customers SET phone = $2, email = $2 WHERE id = $1', [
              id,
              token,
            ]);
            if (rowCount === 1) last.set(id, phone);
          }
          await setTimeout(1);
        }
      })();
      for (const newKeyVersion of ['v2', 'v3']) {
        const { last: report } = await place.fieldseal('rotate', '--json', '--max-rows-per-second', '8000');
        expect(report).toMatchObject({
          status: 'completed',
          newKeyVersion,
          left: 0,
          counts: { skipped: 0, failed: 0 },
        });
        expect(report.counts.total).toBe(report.counts.rotated + report.counts.current);
      }
      isOver = true;
      await writing;
      const { last: verified } = await place.fieldseal('verify', '--json');
      expect(verified).toMatchObject({ status: 'completed', counts: { failed: 0 } });
      for (const { held } of verified.columns) expect(Object.keys(held)).toEqual(['v3']);
      const stored = new Map(
        (await place.rows('SELECT id, phone FROM customers')).map(([id, phone]) => [
          id as number,
          service.decryptField(phone as string),
        ]),
      );
      expect(last.size).toBeGreaterThan(100);
      for (const [id, phone] of last) expect(stored.get(id) ?? null).toBe(phone);
      for (const [id, phone] of stored) if (!last.has(id)) expect(phone).toBe(`+82-10-${id}`);
      await keyring.close();
    });
  });
});
