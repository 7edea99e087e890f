import { describe, expect, it } from 'vitest';
import type { BatchWork } from '../../src/sweep/sweep-database.js';
import { emptyTally } from '../../src/sweep/tally.js';
import { refusalOf } from '../refusal.js';
import { type Sweep, withSweep } from './with-sweep.js';

const TABLE = 'CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT);';
const THREE = `${TABLE} INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');`;

const LOST = { code: 'ERR_RUN_LOST', message: expect.stringMatching(/^Run 1 was stopped or taken over/) };

/** Every value of `c`, tokens opened. */
function values({ app, primary }: Sweep): unknown[] {
  const stored = app.prepare('SELECT c FROM t ORDER BY id').pluck().all();
  return stored.map((value) => {
    return typeof value === 'string' && value.startsWith('gAAAA') ? ['token', primary.decrypt(value)] : value;
  });
}

/** Commits an `encrypt` batch with `meanwhile` between reading and writing. */
function encryptBatch(sweep: Sweep, meanwhile: (sweep: Sweep) => void = () => {}) {
  const rows = sweep.read();
  meanwhile(sweep);
  return sweep.commit(rows, sweep.work('encrypt'))['c'];
}

describe('a batch', () => {
  it('writes its rows, its failures, its cursor and its counts together', async () => {
    await withSweep({ sql: `${TABLE} INSERT INTO t VALUES (1, 'one'), (2, NULL), (3, x'ff')` }, async (sweep) => {
      const tally = { total: 2, rotated: 1, current: 0, skipped: 0, failed: 1, held: { v2: 1 } };
      expect(encryptBatch(sweep)).toEqual(tally);
      expect(values(sweep)).toEqual([['token', 'one'], null, Buffer.of(0xff)]);
      expect(await sweep.bookkeeping()).toEqual({
        ranges: [{ cursor: '[["integer","9"]]', state: 'done', counts: JSON.stringify({ c: tally }) }],
        failures: [{ runId: 1, tableName: 't', columnName: 'c', primaryKey: '[3]', reason: 'not_text' }],
      });
    });
  });

  it('adds to the counts that it was given, and leaves those as they are', async () => {
    await withSweep({ sql: THREE }, async (sweep) => {
      const tally = emptyTally(['c']);
      const first = sweep.commit(sweep.read().slice(0, 1), sweep.work('encrypt'), { tally, done: false });
      const second = sweep.commit(sweep.read().slice(1), sweep.work('encrypt'), { tally: first });
      expect([tally, first, second].map((counts) => counts['c']?.rotated)).toEqual([0, 1, 3]);
    });
  });

  it('writes every swept column of a row, and no other', async () => {
    const sql = `CREATE TABLE t (a TEXT, c TEXT, d TEXT, e TEXT, PRIMARY KEY (a)); INSERT INTO t VALUES ('k', 'c', 'd', 'e')`;
    await withSweep({ sql, columns: ['c', 'd'], primaryKey: 'a' }, async (sweep) => {
      sweep.commit(sweep.read(), sweep.work('encrypt'));
      const row = sweep.app.prepare('SELECT * FROM t').get() as Record<string, string>;
      expect([
        row['a'],
        sweep.primary.decrypt(row['c'] ?? ''),
        sweep.primary.decrypt(row['d'] ?? ''),
        row['e'],
      ]).toEqual(['k', 'c', 'd', 'e']);
    });
  });

  it('reports a value that is no valid UTF-8, and leaves its bytes alone', async () => {
    const sql = `${TABLE} INSERT INTO t VALUES (1, CAST(x'61ff62' AS TEXT)), (2, 'fine \ufffd')`;
    await withSweep({ sql }, async (sweep) => {
      expect(encryptBatch(sweep)).toMatchObject({ rotated: 1, failed: 1 });
      expect(sweep.app.prepare('SELECT typeof(c), hex(c) FROM t WHERE id = 1').raw().get()).toEqual(['text', '61FF62']);
      expect(values(sweep)[1]).toEqual(['token', 'fine \ufffd']);
      expect((await sweep.bookkeeping()).failures).toMatchObject([{ primaryKey: '[1]', reason: 'not_text' }]);
    });
  });
});

describe('a write of an application between reading and writing', () => {
  const meanwhile = (sql: string) => (sweep: Sweep) => void sweep.app.exec(sql);

  it('survives an update, and is encrypted itself', async () => {
    await withSweep({ sql: THREE }, async (sweep) => {
      const tally = encryptBatch(sweep, meanwhile("UPDATE t SET c = 'later' WHERE id = 2"));
      expect(tally).toEqual({ total: 3, rotated: 3, current: 0, skipped: 0, failed: 0, held: { v2: 3 } });
      expect(values(sweep)).toEqual([
        ['token', 'one'],
        ['token', 'later'],
        ['token', 'three'],
      ]);
    });
  });

  it('survives when it wrote a token already, NULL, or something unreadable', async () => {
    await withSweep({ sql: THREE }, async (sweep) => {
      const tally = encryptBatch(sweep, ({ app, primary, foreign }) => {
        app.prepare('UPDATE t SET c = ? WHERE id = 1').run(primary.encrypt('later'));
        app.prepare('UPDATE t SET c = NULL WHERE id = 2').run();
        app.prepare('UPDATE t SET c = ? WHERE id = 3').run(foreign.encrypt('later'));
      });
      expect(tally).toEqual({ total: 2, rotated: 0, current: 1, skipped: 0, failed: 1, held: { v2: 1 } });
      expect(sweep.app.prepare('SELECT c IS NULL FROM t').pluck().all()).toEqual([0, 1, 0]);
      expect((await sweep.bookkeeping()).failures).toMatchObject([{ primaryKey: '[3]', reason: 'no_key' }]);
    });
  });

  it('survives a deletion: the row is no record any more', async () => {
    await withSweep({ sql: THREE }, async (sweep) => {
      expect(encryptBatch(sweep, meanwhile('DELETE FROM t WHERE id = 2'))).toMatchObject({ total: 2, rotated: 2 });
      expect(values(sweep)).toEqual([
        ['token', 'one'],
        ['token', 'three'],
      ]);
    });
  });

  it('survives a new row in the place of the one that was read', async () => {
    await withSweep({ sql: THREE }, async (sweep) => {
      const sql = "DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (2, 'another')";
      expect(encryptBatch(sweep, meanwhile(sql))).toMatchObject({ total: 3, rotated: 3 });
      expect(values(sweep)[1]).toEqual(['token', 'another']);
    });
  });

  it('survives when one of two columns was changed, and the other keeps its value', async () => {
    const sql = `CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT, d TEXT); INSERT INTO t VALUES (1, 'c', 'd')`;
    await withSweep({ sql, columns: ['c', 'd'] }, async (sweep) => {
      const rows = sweep.read();
      sweep.app.exec("UPDATE t SET d = 'later'");
      const tally = sweep.commit(rows, sweep.work('encrypt'));
      expect([tally['c']?.rotated, tally['d']?.rotated]).toEqual([1, 1]);
      const [c, d] = sweep.app.prepare('SELECT c, d FROM t').raw().get() as string[];
      expect([sweep.primary.decrypt(c ?? ''), sweep.primary.decrypt(d ?? '')]).toEqual(['c', 'later']);
    });
  });

  it('survives when it differs in case only, in a NOCASE column', async () => {
    const sql = `CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT COLLATE NOCASE); INSERT INTO t VALUES (1, 'ada')`;
    await withSweep({ sql }, async (sweep) => {
      encryptBatch(sweep, meanwhile("UPDATE t SET c = 'ADA'"));
      expect(values(sweep)).toEqual([['token', 'ADA']]);
    });
  });

  it('survives when it differs in trailing spaces only, in an RTRIM column', async () => {
    const sql = `CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT COLLATE RTRIM); INSERT INTO t VALUES (1, 'ada')`;
    await withSweep({ sql }, async (sweep) => {
      encryptBatch(sweep, meanwhile("UPDATE t SET c = 'ada  '"));
      expect(values(sweep)).toEqual([['token', 'ada  ']]);
    });
  });

  it.each(['TEXT', 'BLOB', ''])('survives when it turned the text into the same bytes as a blob (%j)', async (type) => {
    const sql = `CREATE TABLE t (id INTEGER PRIMARY KEY, c ${type}); INSERT INTO t VALUES (1, 'ada')`;
    await withSweep({ sql }, async (sweep) => {
      expect(encryptBatch(sweep, meanwhile('UPDATE t SET c = CAST(c AS BLOB)'))).toMatchObject({ failed: 1 });
      expect(values(sweep)).toEqual([Buffer.from('ada')]);
      expect((await sweep.bookkeeping()).failures).toMatchObject([{ primaryKey: '[1]', reason: 'not_text' }]);
    });
  });

  it.each([
    ['integers beyond 2^53', 'INTEGER', ['9007199254740992', '9007199254740993']],
    ['text without UTF-8', 'TEXT', ["CAST(x'ff' AS TEXT)", "CAST(x'fe' AS TEXT)"]],
    ['blobs', 'BLOB', ["x'ff'", "x'fe'"]],
    ['keys of any type', '', ["'1'", '1']],
  ])('meets the right row again among %s', async (_name, type, [first, second]) => {
    const sql = `CREATE TABLE t (id ${type} PRIMARY KEY, c TEXT); INSERT INTO t VALUES (${first}, 'a'), (${second}, 'b')`;
    await withSweep({ sql }, async (sweep) => {
      encryptBatch(sweep, meanwhile(`UPDATE t SET c = 'later' WHERE id = ${first}`));
      const stored = sweep.app.prepare(`SELECT c FROM t ORDER BY id = ${second}`).pluck().all() as string[];
      expect(stored.map((token) => sweep.primary.decrypt(token))).toEqual(['later', 'b']);
    });
  });
});

describe('a batch that cannot be written', () => {
  async function unchanged(sweep: Sweep, work: () => void): Promise<void> {
    const before = [values(sweep), await sweep.bookkeeping()];
    work();
    expect([values(sweep), await sweep.bookkeeping()]).toEqual(before);
  }

  const failing = `${THREE} INSERT INTO t VALUES (4, x'ff');`;

  it('writes nothing at all under a fence that is not the range’s any more', async () => {
    await withSweep({ sql: failing }, async (sweep) => {
      const tally = emptyTally(['c']);
      await unchanged(sweep, () => {
        const commit = () => sweep.commit(sweep.read(), sweep.work('encrypt'), { fence: sweep.fence - 1, tally });
        expect(refusalOf(commit)).toEqual(LOST);
      });
      expect(tally).toEqual(emptyTally(['c']));
    });
  });

  it.each(['paused', 'cancelled'] as const)('writes nothing once the run is %s', async (status) => {
    await withSweep({ sql: failing }, async (sweep) => {
      const rows = sweep.read();
      expect(await sweep.store.runs.stop(1, status)).toBe(true);
      await unchanged(sweep, () => {
        expect(refusalOf(() => sweep.commit(rows, sweep.work('encrypt')))).toEqual(LOST);
      });
    });
  });

  it('is rolled back when something is thrown in the middle, and the same batch can be tried again', async () => {
    await withSweep({ sql: failing }, async (sweep) => {
      const tally = emptyTally(['c']);
      const encrypt = sweep.work('encrypt');
      const rows = sweep.read();
      sweep.app.exec("UPDATE t SET c = 'later' WHERE id = 3");
      await unchanged(sweep, () => {
        // The third row moved on, so that it is asked for again inside the transaction.
        const breaking: BatchWork = (asked) => {
          if (asked.some(({ values }) => values[0] === 'later')) throw new Error('broken');
          return encrypt(asked);
        };
        expect(() => sweep.commit(rows, breaking, { tally })).toThrow('broken');
      });
      expect(tally).toEqual(emptyTally(['c']));
      expect(sweep.commit(rows, encrypt, { tally })['c']).toMatchObject({ total: 4, rotated: 3, failed: 1 });
    });
  });

  it('is rolled back when the disk is full', async () => {
    const sql = `${TABLE} WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300)
      INSERT INTO t SELECT i, hex(zeroblob(200)) FROM n;`;
    await withSweep({ sql }, async (sweep) => {
      const rows = sweep.read();
      const pages = sweep.own.pragma('page_count', { simple: true });
      sweep.own.pragma(`max_page_count = ${pages}`);
      await unchanged(sweep, () => {
        expect(refusalOf(() => sweep.commit(rows, sweep.work('encrypt')))).toEqual({
          code: 'ERR_DATABASE_FAILED',
          message: expect.stringMatching(/^The database .* has no room left on its disk \(SQLITE_FULL\)\.$/),
        });
      });
      sweep.own.pragma('max_page_count = 100000');
      expect(sweep.commit(rows, sweep.work('encrypt'))['c']).toMatchObject({ total: 300, rotated: 300 });
    });
  });

  it.each([
    ['changes what is written', 'UPDATE t SET c = lower(new.c) WHERE id = new.id'],
    ['deletes the row', 'DELETE FROM t WHERE id = new.id'],
  ])('is rolled back when a trigger %s', async (_what, does) => {
    await withSweep({ sql: failing }, async (sweep) => {
      const rows = sweep.read();
      sweep.app.exec(`CREATE TRIGGER mutates AFTER UPDATE ON t WHEN new.id = 3 BEGIN ${does}; END`);
      await unchanged(sweep, () => {
        expect(refusalOf(() => sweep.commit(rows, sweep.work('encrypt')))).toEqual({
          code: 'ERR_TABLE_TRIGGERS',
          message:
            't: a trigger changed what was written, so that it would not be read as it is; nothing of the batch is kept.',
        });
      });
    });
  });

  it('is written beside a trigger that copies values elsewhere', async () => {
    const sql = `${THREE} CREATE TABLE copies (id, c);`;
    await withSweep({ sql }, async (sweep) => {
      sweep.app.exec('CREATE TRIGGER copies AFTER UPDATE ON t BEGIN INSERT INTO copies VALUES (new.id, new.c); END');
      expect(encryptBatch(sweep)).toMatchObject({ total: 3, rotated: 3 });
      expect(sweep.app.prepare('SELECT count(*) FROM t JOIN copies USING (id, c)').pluck().get()).toBe(3);
    });
  });

  it('is rolled back when a trigger refuses a row, whose value no message holds', async () => {
    const sql = `${THREE} CREATE TRIGGER refuses BEFORE INSERT ON t BEGIN SELECT 1; END;`;
    await withSweep({ sql }, async (sweep) => {
      sweep.app.exec('CREATE TRIGGER ignores BEFORE UPDATE ON t WHEN old.id = 3 BEGIN SELECT RAISE(IGNORE); END');
      await unchanged(sweep, () => {
        expect(refusalOf(() => encryptBatch(sweep))).toEqual({
          code: 'ERR_DATABASE_FAILED',
          message: 't: the row [3] does not take its new value although nobody else writes; a trigger may refuse it.',
        });
      });
    });
  });
});
