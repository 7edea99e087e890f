import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Kysely, sql } from 'kysely';
import { describe, expect, inject, it } from 'vitest';
import { postgresDialect } from '../../src/store/postgres-dialect.js';

async function row(text: string, options: string): Promise<unknown> {
  const url = new URL(inject('postgresUrl'));
  url.searchParams.set('options', options);
  const db = new Kysely<object>({ dialect: postgresDialect(url.href, false) });
  try {
    return (await sql.raw(text).execute(db)).rows[0];
  } finally {
    await db.destroy();
  }
}

describe('a session on PostgreSQL', () => {
  it('commits durably and reads what is committed, whatever the defaults are', async () => {
    const settings = `select current_setting('synchronous_commit') as durable, current_setting('default_transaction_isolation') as isolation`;
    const lax = '-c synchronous_commit=off -c default_transaction_isolation=serializable';
    expect(await row(settings, lax)).toEqual({ durable: 'on', isolation: 'read committed' });
    expect(await row(settings, '-c synchronous_commit=remote_apply')).toMatchObject({ durable: 'remote_apply' });
  });

  it('gives times in UTC and int8 as numbers', async () => {
    const values = `select '2026-01-02 03:04:05.678+05:45'::timestamptz as time, 4294967295::int8 as id, count(*) as count`;
    expect(await row(values, '-c timezone=America/New_York')).toEqual({
      time: '2026-01-01T21:19:05.678Z',
      id: 4_294_967_295,
      count: 1,
    });
  });
});

it.each(['UTC', 'Asia/Kathmandu'])(
  'times of a session in %s are those that were written, cut to milliseconds',
  async (zone) => {
    const given = [
      ...[
        '2026-12-01T01:50:07.000Z',
        '2026-12-01T01:50:07.100Z',
        '2026-12-01T01:50:07.009Z',
        '2026-12-01T01:50:07.999Z',
      ],
      ...[
        '0001-02-03T00:00:00.010Z',
        '1969-12-31T23:59:59.999Z',
        '9999-12-31T23:59:59.999Z',
        '+010000-01-01T00:00:00.000Z',
      ],
    ];
    const columns = given.map((time, i) => `'${time.replace('+0', '')}'::timestamptz as t${i}`);
    columns.push(`'2026-12-01T01:50:07.123999Z'::timestamptz as cut`);
    const expected = Object.fromEntries(given.map((time, i) => [`t${i}`, time]));
    expect(await row(`select ${columns.join(', ')}`, `-c timezone=${zone}`)).toEqual({
      ...expected,
      cut: '2026-12-01T01:50:07.123Z',
    });
  },
);

describe('a pool', () => {
  it.each([1, 3])('of %d connections makes no more of them, however many queries wait', async (size) => {
    const db = new Kysely<object>({ dialect: postgresDialect(inject('postgresUrl'), false, { size }) });
    try {
      const ask = async () => {
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid, pg_sleep(0.02)`.execute(db);
        return rows[0]?.pid;
      };
      expect(new Set(await Promise.all(Array.from({ length: 12 }, ask))).size).toBe(size);
    } finally {
      await db.destroy();
    }
  });

  it('drops a connection that is cut while its session is prepared, and can be closed', async () => {
    const target = new URL(inject('postgresUrl'));
    let cuts = 0;
    const proxy = createServer((near) => {
      const far = connect(Number(target.port), target.hostname);
      for (const socket of [near, far]) socket.on('error', () => {});
      near.on('close', () => far.destroy());
      near.on('data', (bytes) => {
        if (cuts < 12 && bytes.includes('set_config')) {
          cuts++;
          near.destroy();
        } else far.write(bytes);
      });
      far.pipe(near);
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    const through = new URL(target);
    [through.hostname, through.port] = ['127.0.0.1', String((proxy.address() as AddressInfo).port)];
    const db = new Kysely<object>({ dialect: postgresDialect(through.href, false, { size: 2 }) });
    const ask = () => sql`select 1 as one`.execute(db);
    try {
      for (let i = 0; i < 12; i++) await expect(ask()).rejects.toThrow('Connection terminated unexpectedly');
      expect((await ask()).rows).toEqual([{ one: 1 }]);
    } finally {
      await db.destroy();
      proxy.close();
    }
  });

  it('whose connections are to be recycled replaces them', async () => {
    const dialect = postgresDialect(inject('postgresUrl'), false, { size: 1, recycleSeconds: 1 });
    const db = new Kysely<object>({ dialect });
    const ask = async () => (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)).rows[0]?.pid;
    try {
      const first = await ask();
      await expect.poll(ask, { timeout: 30_000, interval: 300 }).not.toBe(first);
    } finally {
      await db.destroy();
    }
  });
});
