import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { blindIndex, codecs, defineModel, encrypted, type Model, Table } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { rangesOfNewest, rotatedIn } from '../test/sweep/ranges-of.js';
import { FIELDS_PROJECTS, type FieldsProject } from '../test/sweep/with-fields-project.js';

const ROWS = 2500;

const CONFIG = `import { blindIndex, codecs, defineConfig, defineModel, encrypted } from 'fieldseal';
export default defineConfig({ keys: 'stored', model: defineModel({ t: {
  primaryKey: 'id', tenant: 'org', rows: 1_000_000,
  columns: { v: encrypted(codecs.string(), { scheme: 'xaes', boundTo: 'row', alsoReads: ['plaintext'], distinct: 1_000_000, commonest: 1e-6 }) },
  indexes: { v_index: blindIndex('v', { bits: 18 }) },
} }) });`;
const MODEL = defineModel({
  t: {
    ...{ primaryKey: 'id', tenant: 'org', rows: 1_000_000 },
    columns: {
      v: encrypted(codecs.string(), { scheme: 'xaes', boundTo: 'row', distinct: 1_000_000, commonest: 1e-6 }),
    },
    indexes: { v_index: blindIndex('v', { bits: 18 }) },
  },
}) as Model;
const SQL = `CREATE TABLE t (id INTEGER PRIMARY KEY, org INTEGER NOT NULL, v TEXT, v_index TEXT);
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
  INSERT INTO t SELECT i, i % 3, 'value ' || i, NULL FROM n;`;

/** Starts a command and kills it some while after its first progress; returns what it had rewritten by then. */
async function kill(place: FieldsProject, delayMs: number, ...args: string[]): Promise<number> {
  const child = place.spawn(...args, '--json', '--max-rows-per-second', '1000');
  const ended = once(child, 'exit');
  for await (const text of child.stdout as AsyncIterable<Buffer>) if (text.includes('"progress"')) break;
  await setTimeout(delayMs);
  child.kill('SIGKILL');
  await ended;
  return rotatedIn(await place.query(rangesOfNewest(place.own)));
}

/** How many rows have one index value under the old key and the new one. */
async function coincidences(place: FieldsProject): Promise<number> {
  const table = new Table(MODEL, 't', await place.keyring());
  const values = Array.from({ length: ROWS }, (_, i) => ({ v: `value ${i + 1}`, org: (i + 1) % 3 }));
  return values.filter((row) => table.lookup('v_index' as never, row).length === 1).length;
}

describe.each(FIELDS_PROJECTS)('killed with SIGKILL again and again on %s', (_name, withPlace) => {
  it('`encrypt` and `index --rotate` end with every row readable, found and counted once', { timeout: 120_000 }, () =>
    withPlace({ sql: SQL, config: CONFIG }, async (place) => {
      for (const [args, records] of [
        [['encrypt'], 2 * ROWS],
        [['index', '--rotate'], ROWS],
      ] as const) {
        const seed = Date.now() % 100;
        const partial = new Set<number>();
        for (let round = 0; round < 2; round++) {
          const rotated = await kill(place, (seed + 157 * round) % 300, ...args);
          if (rotated > 0 && rotated < records) partial.add(rotated);
        }
        expect([seed, partial.size > 0]).toEqual([seed, true]);
        const { exitCode, last } = await place.fieldseal(...args, '--json');
        // One in 2^18 values has the same 18 bits under both keys, and is current before it is rotated.
        const current = args[0] === 'index' ? await coincidences(place) : 0;
        expect(last).toMatchObject({
          ...{ status: 'completed', left: 0, failures: [] },
          counts: { total: records, rotated: records - current, current, skipped: 0, failed: 0 },
        });
        expect(exitCode).toBe(0);
      }
      const keys = await place.query(
        `SELECT version, state FROM ${place.own}encryption_keys WHERE purpose = 'blind-index' ORDER BY version`,
      );
      expect(keys.map(({ version, state }) => [version, state])).toEqual([
        ['v1', 'active'],
        ['v2', 'primary'],
      ]);
      const table = new Table(MODEL, 't', await place.keyring());
      const rows = await place.query('SELECT * FROM t');
      expect(rows).toHaveLength(ROWS);
      for (const row of rows) {
        const v = `value ${row['id']}`;
        expect(table.decryptRow(row)['v']).toBe(v);
        // The key that writes comes first; the old one is asked for until a later run retires it.
        expect(table.lookup('v_index' as never, { v, org: row['org'] })[0]).toBe(row['v_index']);
      }
    }),
  );
});
