import { randomUUID } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { decodeRowKey, describeRowKey, encodeRowKey, type RowKey } from '../../src/sweep/row-key.js';
import type { SweptRow } from '../../src/sweep/sweep-database.js';
import { emptyTally } from '../../src/sweep/tally.js';
import { rejectionOf } from '../refusal.js';
import { type PostgresSweep, withPostgresSweep } from './with-postgres-sweep.js';

const BATCH_ROWS = 3;
const TABLE = 'CREATE TABLE t (id int PRIMARY KEY, c text);';
const THREE = `${TABLE} INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');`;
const LOST = { code: 'ERR_RUN_LOST', message: expect.stringMatching(/^Run 1 was stopped or taken over/) };

/** Walks the way a run does: batch after batch, with the cursor through its text each time. */
async function walk({ database, table }: PostgresSweep): Promise<SweptRow[]> {
  const rows: SweptRow[] = [];
  for (let cursor: RowKey | null = null; ; ) {
    const batch: SweptRow[] = await database.read(table, 'key', cursor, null, BATCH_ROWS);
    rows.push(...batch);
    if (batch.length < BATCH_ROWS) return rows;
    cursor = decodeRowKey(encodeRowKey(batch.at(-1)?.key as RowKey));
  }
}

/** Walks over `t` with these keys, writes every row, and returns the keys in the order of the walk. */
function walked(definition: string, keys: readonly string[], primaryKey: string | string[] = 'id'): Promise<string[]> {
  const sql = `${definition}; ${keys.map((key, i) => `INSERT INTO t VALUES (${key}, '${i + 1}');`).join('\n')}`;
  return withPostgresSweep({ sql, primaryKey }, async (sweep) => {
    const rows = await walk(sweep);
    const values = rows.map((row) => Number(row.values[0]));
    expect(values.toSorted((a, b) => a - b)).toEqual(keys.map((_, i) => i + 1));
    expect((await sweep.database.count(sweep.table, 'key', null, 1000))?.records).toBe(keys.length);
    // Every row is met again by its key, and takes its token.
    expect((await sweep.commit(rows, sweep.work('encrypt')))['c']).toMatchObject({ rotated: keys.length, skipped: 0 });
    const tokens = (await sweep.rows('SELECT c FROM t')).map(([token]) =>
      Number(sweep.primary.decrypt(token as string)),
    );
    expect(tokens.toSorted((a, b) => a - b)).toEqual(keys.map((_, i) => i + 1));
    return rows.map(({ key }) => describeRowKey(key));
  });
}

describe('a walk meets every row exactly once', () => {
  it('by integers beyond 2^53', async () => {
    const keys = [
      '9007199254740993',
      '9007199254740992',
      '-1',
      '0',
      '9223372036854775807',
      '-9223372036854775808',
      '7',
    ];
    expect(await walked('CREATE TABLE t (id bigint PRIMARY KEY, c text)', keys)).toEqual([
      '[-9223372036854775808]',
      '[-1]',
      '[0]',
      '[7]',
      '[9007199254740992]',
      '[9007199254740993]',
      '[9223372036854775807]',
    ]);
  });

  it('by text, in the order of its collation', async () => {
    const keys = ["''", "'b'", "'A'", "'a'", "'B'", "'Ä'", "'😀'", `'a''"{},\\b'`];
    const order = await walked(`CREATE TABLE t (id text COLLATE "und-x-icu" PRIMARY KEY, c text)`, keys);
    expect(order.indexOf('["a"]')).toBeLessThan(order.indexOf('["A"]'));
    expect(order.indexOf('["A"]')).toBeLessThan(order.indexOf('["b"]'));
  });

  it('by text that a collation calls equal only to itself whatever its case', async () => {
    const collation = "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
    const keys = ["'b'", "'A'", "'C'", "'a1'", "'B1'"];
    const definition = `${collation}; CREATE TABLE t (id text COLLATE nocase PRIMARY KEY, c text)`;
    expect(await walked(definition, keys)).toEqual(['["A"]', '["a1"]', '["b"]', '["B1"]', '["C"]']);
  });

  it('by times, to the microsecond', async () => {
    const keys = [
      "'2026-01-01 00:00:00.000002+00'",
      "'2026-01-01 00:00:00.000001+00'",
      "'infinity'",
      "'0044-03-15 BC'",
    ];
    const order = await walked('CREATE TABLE t (id timestamptz PRIMARY KEY, c text)', [...keys, "'-infinity'"]);
    expect(order.slice(2)).toEqual([
      '["2026-01-01 00:00:00.000001+00"]',
      '["2026-01-01 00:00:00.000002+00"]',
      '["infinity"]',
    ]);
  });

  it.each<[type: string, keys: string[]]>([
    [
      'uuid',
      [
        "'ffffffff-0000-4000-8000-000000000000'",
        "'00000000-0000-4000-8000-00000000000a'",
        "'00000000-0000-4000-8000-000000000009'",
        "'a0000000-0000-4000-8000-000000000000'",
      ],
    ],
    ['numeric', ['1.10', '-2', "'NaN'", '12345678901234567890.123456789', '1.1000000001']],
    ['float8', ['0.1', '1e300', "'-infinity'", '5e-324', '0.30000000000000004', '0.3']],
    ['bytea', ["'\\x'", "'\\x00'", "'\\xff'", "'\\x00ff'"]],
    ['varchar(5)', ["'a '", "'a'", "'b'", "' a'"]],
    ['char(5)', ["'a'", "'b'", "'abcde'", "' a'"]],
    ['interval', ["'1 month'", "'29 days'", "'1 year -3 days'", "'00:00:00.000001'"]],
    ['date', ["'2026-01-02'", "'2026-01-01'", "'1999-12-31'", "'infinity'"]],
    ['inet', ["'10.0.0.2'", "'10.0.0.10'", "'::1'", "'10.0.0.0/8'"]],
    ['boolean', ['true', 'false']],
    ['bit(3)', ["B'101'", "B'001'", "B'111'", "B'000'"]],
    ['int[]', ["'{1,2}'", "'{1}'", "'{}'", "'{1,10}'"]],
    ['jsonb', [`'{"a": 1}'`, `'"a"'`, "'1'", "'null'"]],
  ])('by %s', async (type, keys) => {
    await walked(`CREATE TABLE t (id ${type} PRIMARY KEY, c text)`, keys);
  });

  it('by an enum of another schema, in its own order', async () => {
    const definition = `CREATE SCHEMA s; CREATE TYPE s."Odd Level" AS ENUM ('low', 'high', 'alert', 'a');
      CREATE TABLE t (id s."Odd Level" PRIMARY KEY, c text)`;
    expect(await walked(definition, ["'alert'", "'a'", "'low'", "'high'"])).toEqual([
      '["low"]',
      '["high"]',
      '["alert"]',
      '["a"]',
    ]);
  });

  it('by keys of several columns, with names that want quotes', async () => {
    const definition = 'CREATE TABLE t ("the ""a""" text, "B" int, c text, PRIMARY KEY ("B", "the ""a"""))';
    const keys = ["'a', 1", "'a', -1", "'A', 1", "'b', 0", "'', 1"];
    expect(await walked(definition, keys, ['the "a"', 'B'])).toEqual([
      '[-1,"a"]',
      '[0,"b"]',
      '[1,""]',
      '[1,"A"]',
      '[1,"a"]',
    ]);
  });
});

/** Every value of `c`, tokens opened. */
async function values({ rows, primary }: PostgresSweep): Promise<unknown[]> {
  const stored = (await rows('SELECT c FROM t ORDER BY id')).map(([value]) => value);
  return stored.map((value) => {
    return typeof value === 'string' && value.startsWith('gAAAA') ? ['token', primary.decrypt(value)] : value;
  });
}

/** Commits an `encrypt` batch with `meanwhile` between reading and writing. */
async function encryptBatch(sweep: PostgresSweep, meanwhile = '') {
  const rows = await sweep.read();
  await sweep.client.query(meanwhile);
  return (await sweep.commit(rows, sweep.work('encrypt')))['c'];
}

describe('a batch', () => {
  it('writes its rows, its failures, its cursor and its counts together', async () => {
    const sql = `${TABLE} INSERT INTO t VALUES (1, 'one'), (2, NULL)`;
    await withPostgresSweep({ sql }, async (sweep) => {
      await sweep.client.query('INSERT INTO t VALUES (3, $1)', [sweep.foreign.encrypt('three')]);
      const tally = { total: 2, rotated: 1, current: 0, skipped: 0, failed: 1, held: { v2: 1 } };
      expect(await encryptBatch(sweep)).toEqual(tally);
      const stored = (await sweep.rows('SELECT c FROM t WHERE id < 3 ORDER BY id')).flat();
      expect([sweep.primary.decrypt(stored[0] as string), stored[1]]).toEqual(['one', null]);
      expect(await sweep.bookkeeping()).toEqual({
        ranges: [{ cursor: '[["integer","9"]]', state: 'done', counts: JSON.stringify({ c: tally }) }],
        failures: [{ runId: 1, tableName: 't', columnName: 'c', primaryKey: '[3]', reason: 'no_key' }],
      });
    });
  });

  it('writes those columns of a row that change, and no other', async () => {
    const sql = `CREATE TABLE t (id text PRIMARY KEY, c text, d text, "E 'e" text);
      INSERT INTO t VALUES ('k', 'c', 'd', 'e'), ('l', NULL, 'd', 'e'), ('m', 'c', NULL, NULL)`;
    await withPostgresSweep({ sql, columns: ['c', "E 'e"] }, async (sweep) => {
      await sweep.commit(await sweep.read(), sweep.work('encrypt'));
      const open = (value: unknown) => (value === null ? null : sweep.primary.decrypt(value as string));
      const rows = await sweep.rows(`SELECT c, d, "E 'e" FROM t ORDER BY id`);
      expect(rows.map(([c, d, e]) => [open(c), d, open(e)])).toEqual([
        ['c', 'd', 'e'],
        [null, 'd', 'e'],
        ['c', null, null],
      ]);
    });
  });

  const LONG = 'long 😀'.repeat(2_000);
  it.each([
    ['short values', ['"\\{},NULL\n', 'ü😀', '', 'NULL']],
    ['short and long values', ['"\\{},NULL\n', 'ü😀', '', LONG]],
    ['values with the separator of an answer', ['a\x1e', '', '\x1e', 'b']],
    ['values that are what stands for NULL in an answer', ['a', '\x1f', '\x1f', '\x1f']],
  ])('keeps every character of %s, whichever columns of its rows change', async (_, texts) => {
    const sql = 'CREATE TABLE t (id smallint PRIMARY KEY, c text, d text)';
    await withPostgresSweep({ sql, columns: ['c', 'd'] }, async (sweep) => {
      for (const [i, text] of texts.entries()) {
        const [c, d] = [text, i % 2 === 0 ? text : null];
        await sweep.client.query('INSERT INTO t VALUES ($1, $2, $3)', [i - 2, c, d]);
      }
      const read = await sweep.read();
      expect(read.map(({ values }) => values)).toEqual(texts.map((text, i) => [text, i % 2 === 0 ? text : null]));
      expect(await sweep.commit(read, sweep.work('encrypt'))).toMatchObject({
        c: { total: 4, rotated: 4, failed: 0 },
        d: { total: 2, rotated: 2, failed: 0 },
      });
      await sweep.client.query('UPDATE t SET d = c WHERE d IS NULL');
      const stored = await sweep.rows('SELECT c, d FROM t ORDER BY id');
      expect(stored.map((row) => row.map((token) => sweep.primary.decrypt(token as string)))).toEqual(
        texts.map((text) => [text, text]),
      );
    });
  });

  it('keeps keys with the separator of an answer', async () => {
    const sql = "CREATE TABLE t (id text PRIMARY KEY, c text); INSERT INTO t VALUES ('a', 'x'), (E'b\\x1ec', 'y')";
    await withPostgresSweep({ sql }, async (sweep) => {
      await encryptBatch(sweep);
      const rows = await sweep.rows('SELECT id, c FROM t ORDER BY id COLLATE "C"');
      expect(rows.map(([id, token]) => [id, sweep.primary.decrypt(token as string)])).toEqual([
        ['a', 'x'],
        ['b\x1ec', 'y'],
      ]);
    });
  });

  it('is one statement, and several in a transaction where a row moved on', async () => {
    await withPostgresSweep({ sql: THREE }, async (sweep) => {
      const lastStatement = async () => {
        const sql = `SELECT query FROM pg_stat_activity
          WHERE application_name = 'fieldseal sweep' AND datname = current_database()`;
        return String((await sweep.rows(sql))[0]?.[0]);
      };
      await encryptBatch(sweep);
      expect(await lastStatement()).toMatch(/^WITH g /);
      await sweep.client.query("UPDATE t SET c = 'again'");
      await encryptBatch(sweep, "UPDATE t SET c = 'later' WHERE id = 2");
      expect(await lastStatement()).toBe('COMMIT');
    });
  });

  it('keeps its counts while heartbeats write the range’s row', async () => {
    const sql = `${TABLE} INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 400) i`;
    await withPostgresSweep({ sql }, async (sweep) => {
      const rows = await sweep.read();
      let isDone = false;
      const beats = (async () => {
        while (!isDone)
          await sweep.rows('UPDATE fieldseal.sweep_ranges SET lease_until = coalesce(lease_until, 0) + 1');
      })();
      let tally = emptyTally(['c']);
      for (let first = 0; first < rows.length; first += 10) {
        tally = await sweep.commit(rows.slice(first, first + 10), sweep.work('encrypt'), { tally, done: false });
      }
      isDone = true;
      await beats;
      expect(tally['c']).toMatchObject({ total: 400, rotated: 400, current: 0 });
      const [[counts]] = (await sweep.rows('SELECT counts FROM fieldseal.sweep_ranges')) as [[string]];
      expect(JSON.parse(counts)).toEqual(tally);
    });
  });

  it('reports a value that PostgreSQL’s text cannot hold, and leaves its token alone', async () => {
    await withPostgresSweep({ sql: TABLE }, async (sweep) => {
      const token = sweep.older.encrypt('a\0b');
      await sweep.client.query('INSERT INTO t VALUES (1, $1), (2, $2)', [token, sweep.older.encrypt('fine')]);
      const tally = await sweep.commit(await sweep.read(), sweep.work('decrypt'));
      expect(tally['c']).toMatchObject({ total: 2, rotated: 1, failed: 1 });
      expect(await sweep.rows('SELECT c FROM t ORDER BY id')).toEqual([[token], ['fine']]);
      expect((await sweep.bookkeeping()).failures).toMatchObject([{ primaryKey: '[1]', reason: 'not_text' }]);
    });
  });
});

describe('a write of an application between reading and writing', () => {
  it('survives an update, a deletion and a new row in the place of the old one', async () => {
    await withPostgresSweep({ sql: `${THREE} INSERT INTO t VALUES (4, 'four')` }, async (sweep) => {
      const tally = await encryptBatch(
        sweep,
        "UPDATE t SET c = 'later' WHERE id = 2; DELETE FROM t WHERE id IN (1, 3); INSERT INTO t VALUES (3, 'another')",
      );
      expect(tally).toEqual({ total: 3, rotated: 3, current: 0, skipped: 0, failed: 0, held: { v2: 3 } });
      expect(await values(sweep)).toEqual([
        ['token', 'later'],
        ['token', 'another'],
        ['token', 'four'],
      ]);
    });
  });

  it('survives when it wrote a token already, NULL, or something unreadable', async () => {
    await withPostgresSweep({ sql: THREE }, async (sweep) => {
      const rows = await sweep.read();
      const foreign = sweep.foreign.encrypt('later');
      await sweep.client.query('UPDATE t SET c = CASE id WHEN 1 THEN $1 WHEN 3 THEN $2 END', [
        sweep.primary.encrypt('later'),
        foreign,
      ]);
      const tally = (await sweep.commit(rows, sweep.work('encrypt')))['c'];
      expect(tally).toEqual({ total: 2, rotated: 0, current: 1, skipped: 0, failed: 1, held: { v2: 1 } });
      expect((await sweep.rows('SELECT c FROM t WHERE id > 1 ORDER BY id')).flat()).toEqual([null, foreign]);
    });
  });

  it('survives when one of two columns was changed, and the other keeps its value', async () => {
    const sql = `CREATE TABLE t (id int PRIMARY KEY, c text, d text); INSERT INTO t VALUES (1, 'c', 'd')`;
    await withPostgresSweep({ sql, columns: ['c', 'd'] }, async (sweep) => {
      await encryptBatch(sweep, "UPDATE t SET d = 'later'");
      const [[c, d]] = (await sweep.rows('SELECT c, d FROM t')) as [[string, string]];
      expect([sweep.primary.decrypt(c), sweep.primary.decrypt(d)]).toEqual(['c', 'later']);
    });
  });

  it('survives when it differs in case only, under a collation that does not tell cases apart', async () => {
    const sql = `CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE t (id int PRIMARY KEY, c text COLLATE nocase); INSERT INTO t VALUES (1, 'ada')`;
    await withPostgresSweep({ sql }, async (sweep) => {
      expect(await sweep.rows("SELECT c = 'ADA' FROM t")).toEqual([[true]]);
      await encryptBatch(sweep, "UPDATE t SET c = 'ADA'");
      expect(await values(sweep)).toEqual([['token', 'ADA']]);
    });
  });

  it('that leaves the same value behind is met again and does no harm', async () => {
    await withPostgresSweep({ sql: THREE }, async (sweep) => {
      const aba = "UPDATE t SET c = 'other' WHERE id = 2; UPDATE t SET c = 'two' WHERE id = 2";
      expect(await encryptBatch(sweep, aba)).toMatchObject({ total: 3, rotated: 3, skipped: 0 });
      expect(await values(sweep)).toEqual([
        ['token', 'one'],
        ['token', 'two'],
        ['token', 'three'],
      ]);
    });
  });

  it('survives when two rows exchanged their keys', async () => {
    await withPostgresSweep({ sql: THREE }, async (sweep) => {
      const swap =
        'UPDATE t SET id = 9 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2; UPDATE t SET id = 2 WHERE id = 9';
      expect(await encryptBatch(sweep, swap)).toMatchObject({ total: 3, rotated: 3 });
      expect(await values(sweep)).toEqual([
        ['token', 'two'],
        ['token', 'one'],
        ['token', 'three'],
      ]);
    });
  });

  it.each(['VACUUM (FREEZE) t', 'VACUUM (FULL) t'])('is not what a %s is', async (vacuum) => {
    await withPostgresSweep({ sql: THREE }, async (sweep) => {
      expect(await encryptBatch(sweep, vacuum)).toMatchObject({ total: 3, rotated: 3, skipped: 0 });
    });
  });

  it('meets the right row again among keys beyond 2^53 and times of one millisecond', async () => {
    for (const [type, first, second] of [
      ['bigint', '9007199254740992', '9007199254740993'],
      ['timestamptz', "'2026-01-01 00:00:00.000001Z'", "'2026-01-01 00:00:00.000002Z'"],
    ]) {
      const sql = `CREATE TABLE t (id ${type} PRIMARY KEY, c text); INSERT INTO t VALUES (${first}, 'a'), (${second}, 'b')`;
      await withPostgresSweep({ sql }, async (sweep) => {
        await encryptBatch(sweep, `UPDATE t SET c = 'later' WHERE id = ${first}`);
        expect(await values(sweep)).toEqual([
          ['token', 'later'],
          ['token', 'b'],
        ]);
      });
    }
  });
});

describe('locks', () => {
  it('of an application hold up only their rows, and what it writes under them survives', async () => {
    const sql = `${TABLE} INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 200) i`;
    await withPostgresSweep({ sql }, async (sweep) => {
      const rows = await sweep.read();
      const app = await sweep.connect();
      await app.query("BEGIN; UPDATE t SET c = 'later' WHERE id = 150");
      const committing = sweep.commit(rows, sweep.work('encrypt'));
      // The rows in front of the lock are written, in transactions of their own, while it is held.
      for (let done = 0; done < 149; await setTimeout(10)) {
        const [[count]] = (await sweep.rows("SELECT count(*)::int FROM t WHERE c LIKE 'gAAAA%'")) as [[number]];
        done = count;
      }
      const [[range]] = (await sweep.rows('SELECT counts FROM fieldseal.sweep_ranges')) as [[string]];
      expect(JSON.parse(range).c.rotated).toBe(149);
      await app.query('COMMIT');
      expect((await committing)['c']).toMatchObject({ total: 200, rotated: 200, skipped: 0 });
      expect((await values(sweep))[149]).toEqual(['token', 'later']);
    });
  });

  it('that stay make the batch fail as busy, and the same rows go on where they were, counted once', async () => {
    await withPostgresSweep({ sql: THREE }, async (sweep) => {
      const rows = await sweep.read();
      const app = await sweep.connect();
      await app.query('BEGIN; SELECT FROM t WHERE id = 3 FOR UPDATE');
      const encrypt = sweep.work('encrypt');
      expect(await rejectionOf(() => sweep.commit(rows, encrypt))).toMatchObject({ code: 'ERR_DATABASE_BUSY' });
      expect((await values(sweep)).slice(1)).toEqual([['token', 'two'], 'three']);
      await app.query('COMMIT');
      expect((await sweep.commit(rows, encrypt))['c']).toEqual({
        total: 3,
        rotated: 3,
        current: 0,
        skipped: 0,
        failed: 0,
        held: { v2: 3 },
      });
    });
  });

  it('taken in the other order never give the application a deadlock', async () => {
    const sql = `${TABLE} INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 100) i`;
    await withPostgresSweep({ sql }, async (sweep) => {
      const rows = await sweep.read();
      const app = await sweep.connect();
      let isDone = false;
      const backwards = (async () => {
        while (!isDone) {
          await app.query('BEGIN');
          for (let id = 100; id > 0; id -= 7) await app.query("UPDATE t SET c = 'later' WHERE id = $1", [id]);
          await app.query('COMMIT');
        }
      })();
      const tally = await sweep.commit(rows, sweep.work('encrypt'));
      isDone = true;
      await backwards;
      expect(tally['c']).toMatchObject({ total: 100, rotated: 100 });
    });
  });
});

describe('a statement that takes too long', () => {
  it('is tried again in smaller parts, and every row is written and counted once', async () => {
    const sql = `${TABLE} INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 60) i;
      CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN new; END';
      CREATE TRIGGER slow BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()`;
    await withPostgresSweep({ sql }, async (sweep) => {
      const rows = await sweep.read();
      const committing = sweep.commit(rows, sweep.work('encrypt'));
      // What statement_timeout does, without its half a minute: the same error ends the statement.
      for (let cut = 0; cut < 1; await setTimeout(5)) {
        cut = (
          await sweep.rows(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'fieldseal sweep' AND datname = current_database() AND query LIKE '%UPDATE ONLY%' AND state = 'active'",
          )
        ).length;
      }
      expect((await committing)['c']).toMatchObject({ total: 60, rotated: 60, current: 0, skipped: 0 });
    });
  });
});

describe('row security that comes into force under a run', () => {
  it('is an error and not a part of the rows', async () => {
    const role = `reader_${randomUUID().replaceAll('-', '')}`;
    const as = (url: string) => Object.assign(new URL(url), { username: role, password: 'reader' }).href;
    await withPostgresSweep(
      { sql: `${THREE} CREATE ROLE ${role} LOGIN PASSWORD 'reader'; GRANT ALL ON t TO ${role}`, through: as },
      async (sweep) => {
        expect(await sweep.read()).toHaveLength(3);
        await sweep.client.query('ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON t USING (id < 3)');
        expect(await rejectionOf(() => sweep.read())).toEqual({
          code: 'ERR_DATABASE_FAILED',
          message: 'The database denies its user a needed privilege (42501).',
        });
        await sweep.client.query(`DROP OWNED BY ${role}`);
      },
    );
  });
});

describe('a batch that cannot be written', () => {
  async function unchanged(sweep: PostgresSweep, work: () => Promise<void>): Promise<void> {
    const before = [await values(sweep), await sweep.bookkeeping()];
    await work();
    expect([await values(sweep), await sweep.bookkeeping()]).toEqual(before);
  }

  it('writes nothing at all under a fence that is not the range’s any more', async () => {
    await withPostgresSweep({ sql: THREE }, async (sweep) => {
      const tally = emptyTally(['c']);
      const rows = await sweep.read();
      await unchanged(sweep, async () => {
        const commit = () => sweep.commit(rows, sweep.work('encrypt'), { fence: sweep.fence - 1, tally });
        expect(await rejectionOf(commit)).toEqual(LOST);
      });
      expect(tally).toEqual(emptyTally(['c']));
    });
  });

  it.each(['paused', 'cancelled'] as const)('writes nothing once the run is %s', async (status) => {
    await withPostgresSweep({ sql: THREE }, async (sweep) => {
      const rows = await sweep.read();
      expect(await sweep.store.runs.stop(1, status)).toBe(true);
      await unchanged(sweep, async () => {
        expect(await rejectionOf(() => sweep.commit(rows, sweep.work('encrypt')))).toEqual(LOST);
      });
    });
  });

  it('is rolled back when a trigger changes what is written', async () => {
    const trigger = `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.c := rtrim(new.c, ''=''); RETURN new; END';
      CREATE TRIGGER trims BEFORE UPDATE ON t FOR EACH ROW WHEN (new.id = 3) EXECUTE FUNCTION f()`;
    await withPostgresSweep({ sql: `${THREE} ${trigger}` }, async (sweep) => {
      const rows = await sweep.read();
      await unchanged(sweep, async () => {
        expect(await rejectionOf(() => sweep.commit(rows, sweep.work('encrypt')))).toEqual({
          code: 'ERR_TABLE_TRIGGERS',
          message:
            't: a trigger changed what was written, so that it would not be read as it is; nothing of the batch is kept.',
        });
      });
    });
  });

  it.each([
    ['changes what is written', 'UPDATE t SET c = lower(new.c) WHERE id = new.id'],
    ['deletes the row', 'DELETE FROM t WHERE id = new.id'],
  ])('is rolled back when a trigger behind the update %s', async (_what, does) => {
    const trigger = `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN ${does}; RETURN NULL; END';
      CREATE TRIGGER mutates AFTER UPDATE ON t FOR EACH ROW WHEN (new.id = 3 AND pg_trigger_depth() = 0) EXECUTE FUNCTION f()`;
    await withPostgresSweep({ sql: `${THREE} ${trigger}` }, async (sweep) => {
      const rows = await sweep.read();
      await unchanged(sweep, async () => {
        expect(await rejectionOf(() => sweep.commit(rows, sweep.work('encrypt')))).toEqual({
          code: 'ERR_TABLE_TRIGGERS',
          message:
            't: a trigger changed what was written, so that it would not be read as it is; nothing of the batch is kept.',
        });
      });
    });
  });

  it('counts a row that takes no write as skipped, and not as rotated', async () => {
    const trigger = `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER keeps BEFORE UPDATE ON t FOR EACH ROW WHEN (old.id = 2) EXECUTE FUNCTION f()`;
    await withPostgresSweep({ sql: `${THREE} ${trigger}` }, async (sweep) => {
      const rows = await sweep.read();
      const tally = (await sweep.commit(rows, sweep.work('encrypt')))['c'];
      expect(tally).toEqual({ total: 3, rotated: 2, current: 0, skipped: 1, failed: 0, held: { v2: 2 } });
      expect(await values(sweep)).toEqual([['token', 'one'], 'two', ['token', 'three']]);
    });
  });
});

describe('a lost connection', () => {
  const CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fieldseal sweep'";

  it('is replaced, before a read and before a batch', async () => {
    await withPostgresSweep({ sql: THREE }, async (sweep) => {
      await sweep.client.query(CUT);
      const rows = await sweep.read();
      await sweep.client.query(CUT);
      expect((await sweep.commit(rows, sweep.work('encrypt')))['c']).toMatchObject({ total: 3, rotated: 3 });
    });
  });

  it('in the middle of a batch loses nothing of it and counts nothing twice', async () => {
    const sql = `${TABLE} INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 50) i;
      CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN new; END';
      CREATE TRIGGER slow BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()`;
    await withPostgresSweep({ sql }, async (sweep) => {
      const rows = await sweep.read();
      const committing = sweep.commit(rows, sweep.work('encrypt'));
      for (let cut = 0; cut === 0; await setTimeout(5)) {
        cut = (await sweep.rows(`${CUT} AND query LIKE '%UPDATE ONLY%' AND state = 'active'`)).length;
      }
      expect((await committing)['c']).toMatchObject({ total: 50, rotated: 50, current: 0 });
    });
  });

  it.each([
    ['the statement that is a batch', ''],
    // A row that moved on makes the batch a transaction of several statements.
    ['a COMMIT', "UPDATE t SET c = 'later' WHERE id = 2"],
  ])('between %s and its answer does not make the batch count twice', async (_, meanwhile) => {
    await withCuttingProxy(async (proxy) => {
      await withPostgresSweep({ sql: THREE, through: proxy.through }, async (sweep) => {
        const rows = await sweep.read();
        await sweep.client.query(meanwhile);
        proxy.cutBehind(meanwhile ? 'COMMIT' : 'UPDATE ONLY');
        expect((await sweep.commit(rows, sweep.work('encrypt')))['c']).toMatchObject({
          total: 3,
          rotated: 3,
          current: 0,
        });
        expect(proxy.cuts()).toBe(1);
      });
    });
  });
});

/** A proxy in front of the server that can swallow the answer to the next statement with that text, and cut the connection. */
async function withCuttingProxy(
  work: (proxy: { through(url: string): string; cutBehind(sql: string): void; cuts(): number }) => Promise<void>,
): Promise<void> {
  let armed: string | null = null;
  let cuts = 0;
  let target: URL | null = null;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target?.port), target?.hostname);
    let isCommitted = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => [client, upstream].map((each) => each.destroy()));
    }
    client.on('data', (data) => {
      if (armed && data.includes(armed)) [isCommitted, armed] = [true, null];
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (!isCommitted) client.write(data);
      else {
        cuts++;
        client.destroy();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await work({
      through(url) {
        target = new URL(url);
        const through = new URL(url);
        through.port = String((server.address() as AddressInfo).port);
        return through.href;
      },
      cutBehind: (sql) => {
        armed = sql;
      },
      cuts: () => cuts,
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}
