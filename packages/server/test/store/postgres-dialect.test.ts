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
