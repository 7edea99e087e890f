import { blindIndex, codecs, defineModel, encrypted, type Model } from 'fieldseal';
import { expect, it } from 'vitest';
import { describeFields } from './fields-contract.js';
import { type AppRow, FIELDS_ON_POSTGRES } from './with-fields.js';

describeFields('PostgreSQL', FIELDS_ON_POSTGRES);

it('rows of a partitioned table are bound to the table, whatever partition holds them', () =>
  FIELDS_ON_POSTGRES(
    {
      sqlite: '',
      postgres: `CREATE TYPE mood AS ENUM ('ok', 'Not OK');
        CREATE TABLE t (org bigint, id uuid, mood mood, price numeric, v text, v_index text, PRIMARY KEY (id, org, mood, price)) PARTITION BY LIST (org);
        CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t_2 PARTITION OF t FOR VALUES IN (2);
        INSERT INTO t SELECT 1 + i % 2, gen_random_uuid(), CASE i % 3 WHEN 0 THEN 'ok' ELSE 'Not OK' END::mood, 1.50 + i, 'v' || i FROM generate_series(1, 20) i`,
    },
    async (place) => {
      const bound = (alsoReads: 'plaintext'[], tenant?: string) =>
        defineModel({
          t: {
            ...{ primaryKey: ['mood', 'org', 'id', 'price'], rows: 1_000_000 },
            ...(tenant && { tenant }),
            columns: {
              v: encrypted(codecs.string(), {
                scheme: 'xaes',
                boundTo: 'row',
                alsoReads,
                distinct: 1_000_000,
                commonest: 1e-6,
              }),
            },
            indexes: { v_index: blindIndex('v', { bits: 18 }) },
          },
        }) as Model;
      const report = await place.run('encrypt', bound(['plaintext'], 'org'));
      expect(report.columns.map(({ table, column, rotated }) => [table, column, rotated])).toEqual([
        ['t_1', 'v', 10],
        ['t_1', 'v_index', 10],
        ['t_2', 'v', 10],
        ['t_2', 'v_index', 10],
      ]);
      const table = (await place.application()).table(bound([], 'org'));
      const rows = await place.query('SELECT * FROM t');
      for (const row of rows) {
        const { v } = table.decryptRow(row) as { v: string };
        expect(v).toMatch(/^v\d+$/);
        expect(table.lookup('v_index' as never, { v, org: row['org'] })).toEqual([row['v_index']]);
      }
      // A row that the application moves to another partition is another row; it writes the value anew.
      const [moved] = rows.filter(({ org }) => org === '1');
      const { v, v_index } = table.encryptRow({ ...table.decryptRow(moved as AppRow), org: '2' }) as Record<
        string,
        unknown
      >;
      await place.update('t', { org: 2, v, v_index }, { id: moved?.['id'] });
      expect(await place.run('rotate', bound([], 'org'))).toMatchObject({
        status: 'completed',
        counts: { rotated: 20 },
      });
      expect(await place.run('verify', bound([], 'org'))).toMatchObject({
        status: 'completed',
        counts: { current: 40 },
      });
    },
  ));
