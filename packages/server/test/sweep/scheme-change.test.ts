import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { blindIndex, codecs, defineModel, encrypted, type Model, Table } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { FIELDS_PROJECTS, type FieldsProject } from './with-fields-project.js';

const ROWS = 800;
type Scheme = 'fernet' | 'xaes';
const FACTS = { distinct: 1_000_000, commonest: 1e-6 };

function model(scheme: Scheme, alsoReads: readonly (Scheme | 'plaintext')[]): Model {
  const bound = scheme === 'xaes' || alsoReads.includes('xaes') ? ({ boundTo: 'row' } as const) : {};
  return defineModel({
    t: {
      ...{ primaryKey: 'id', tenant: 'org', rows: 1_000_000 },
      columns: { v: encrypted(codecs.string(), { scheme, alsoReads, ...bound, ...FACTS }) },
      indexes: { v_index: blindIndex('v', { bits: 18 }) },
    },
  }) as Model;
}

/** The same as the text of a configuration. */
function configOf(scheme: Scheme, alsoReads: readonly (Scheme | 'plaintext')[]): string {
  const bound = scheme === 'xaes' || alsoReads.includes('xaes') ? ", boundTo: 'row'" : '';
  return `import { blindIndex, codecs, defineConfig, defineModel, encrypted } from 'fieldseal';
export default defineConfig({ keys: 'stored', model: defineModel({ t: {
  primaryKey: 'id', tenant: 'org', rows: 1_000_000,
  columns: { v: encrypted(codecs.string(), { scheme: '${scheme}', alsoReads: ${JSON.stringify(alsoReads)}${bound}, distinct: 1_000_000, commonest: 1e-6 }) },
  indexes: { v_index: blindIndex('v', { bits: 18 }) },
} }) });`;
}

const SQL = `CREATE TABLE t (id INTEGER PRIMARY KEY, org INTEGER NOT NULL, v TEXT, v_index TEXT);
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
  INSERT INTO t SELECT i, i % 3, 'first ' || i, NULL FROM n;`;

/** Two versions of an application that update, insert, delete and read while `isOver` is false; what they wrote last. */
async function applications(place: FieldsProject, tables: readonly Table[], isOver: () => boolean) {
  const last = new Map<number, string | null>();
  for (let i = 0; !isOver(); i++) {
    const table = tables[i % tables.length] as Table;
    const id = ((i * 2711) % ROWS) + 1;
    const row = { id, org: id % 3, v: `later ${i}` };
    if (i % 10 === 0) {
      await place.query('DELETE FROM t WHERE id = ?', id);
      last.set(id, null);
    } else if (i % 10 === 5) {
      // Ahead of every cursor, and behind it.
      const fresh = { ...row, id: (i % 20 === 5 ? 1 : -1) * (1_000_000 + i) };
      const { id: key, org, v, v_index } = table.encryptRow(fresh) as Record<string, unknown>;
      await place.query('INSERT INTO t (id, org, v, v_index) VALUES (?, ?, ?, ?)', key, org, v, v_index);
      last.set(fresh.id, row.v);
    } else {
      const { v, v_index } = table.encryptRow(row) as Record<string, unknown>;
      const updated = await place.query('UPDATE t SET v = ?, v_index = ? WHERE id = ? RETURNING id', v, v_index, id);
      if (updated.length === 1) last.set(id, row.v);
    }
    const read = ((i * 7) % ROWS) + 1;
    const [found] = await place.query('SELECT * FROM t WHERE id = ?', read);
    const expected = last.has(read) ? last.get(read) : `first ${read}`;
    expect(found ? table.decryptRow(found)['v'] : null).toBe(expected);
    await setTimeout(1);
  }
  return last;
}

/** Runs a command beside the applications; returns its report and what they wrote last. */
async function beside(place: FieldsProject, tables: readonly Table[], ...args: string[]) {
  let isOver = false;
  const child = place.spawn(...args, '--json', '--max-rows-per-second', '2000');
  let stdout = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const ended = once(child, 'close').finally(() => {
    isOver = true;
  });
  const last = await applications(place, tables, () => isOver);
  await ended;
  const report = JSON.parse(stdout.trim().split('\n').at(-1) as string);
  return { report, last };
}

describe.each(FIELDS_PROJECTS)('a column on %s', (_name, withPlace) => {
  it('goes from fernet to xaes and back while both versions of an application read and write it', () =>
    withPlace({ sql: SQL, config: configOf('fernet', ['plaintext']) }, async (place) => {
      expect((await place.fieldseal('encrypt', '--json')).last).toMatchObject({ counts: { rotated: 2 * ROWS } });
      const keyring = await place.keyring();
      const expected = new Map(
        Array.from({ length: ROWS }, (_, i) => [i + 1, `first ${i + 1}`] as [number, string | null]),
      );
      for (const [from, to] of [
        ['fernet', 'xaes'],
        ['xaes', 'fernet'],
      ] as const) {
        await place.project.write('fieldseal.config.mjs', configOf(to, [from]));
        const [older, newer] = [model(from, [to]), model(to, [from])].map((one) => new Table(one, 't', keyring)) as [
          Table,
          Table,
        ];
        // First both write; then, the older version being gone, what that left is moved as well.
        if (from === 'fernet') {
          const { report, last } = await beside(place, [older, newer], 'encrypt');
          expect(report).toMatchObject({ type: 'result', failures: [], counts: { failed: 0, skipped: 0 } });
          expect(last.size).toBeGreaterThan(50);
          for (const [id, value] of last) expected.set(id, value);
          await place.query('DELETE FROM t WHERE id NOT BETWEEN 1 AND ?', ROWS);
          await place.query('DELETE FROM t WHERE id BETWEEN 1 AND ? AND id % 10 = 1', ROWS);
          for (const id of expected.keys()) if (id < 1 || id > ROWS || id % 10 === 1) expected.delete(id);
        }
        const { exitCode, last: moved } = await place.fieldseal('encrypt', '--json');
        expect([exitCode, moved.left, moved.status]).toEqual([0, 0, 'completed']);

        await place.project.write('fieldseal.config.mjs', configOf(to, []));
        const { last: verified } = await place.fieldseal('verify', '--json');
        expect(verified).toMatchObject({ status: 'completed', failures: [] });
        expect(verified.columns.map(({ held }: { held: object }) => Object.keys(held))).toEqual([['v1'], ['index v1']]);
        const sealed = new Table(model(to, []), 't', keyring);
        const rows = await place.query('SELECT * FROM t');
        const living = [...expected].filter(([, value]) => value !== null);
        expect(rows).toHaveLength(living.length);
        for (const row of rows) {
          expect(sealed.decryptRow(row)['v']).toBe(expected.get(row['id']));
          expect(sealed.lookup('v_index' as never, { v: expected.get(row['id']), org: row['org'] })).toContain(
            row['v_index'],
          );
        }
      }
    }));
});
