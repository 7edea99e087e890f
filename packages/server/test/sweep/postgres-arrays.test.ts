import fc from 'fast-check';
import { expect, it } from 'vitest';
import { numberArray, textArray } from '../../src/sweep/postgres-arrays.js';
import { withPostgresDatabase } from '../with-postgres-database.ts';

it('an array of texts is to PostgreSQL what it is to us', async () => {
  await withPostgresDatabase('', async ({ rows }) => {
    const text = fc.string({ unit: 'grapheme' }).filter((each) => each.isWellFormed() && !each.includes('\0'));
    const texts = fc.array(fc.option(text));
    await fc.assert(
      fc.asyncProperty(texts, async (given) => {
        expect(await rows('SELECT to_json($1::text[])', [textArray(given)])).toEqual([[given]]);
      }),
      { numRuns: 50 },
    );
  });
});

it('integers of each size keep their ends', async () => {
  await withPostgresDatabase('', async ({ rows }) => {
    for (const [type, bits] of [
      ['smallint', 16n],
      ['integer', 32n],
      ['bigint', 64n],
    ] as const) {
      const ends = [-(2n ** (bits - 1n)), -1n, 0n, 1n, 2n ** (bits - 1n) - 1n];
      const answer = await rows(`SELECT unnest($1::${type}[])::text`, [numberArray(ends.map(String))]);
      expect(answer.flat()).toEqual(ends.map(String));
    }
    const xids = ['2', '3', '2147483648', '4294967295'];
    expect((await rows('SELECT unnest($1::xid[])::text', [numberArray(xids)])).flat()).toEqual(xids);
  });
});
