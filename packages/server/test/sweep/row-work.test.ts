import { encryptedString, Field } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { rowWork } from '../../src/sweep/row-work.js';
import { emptyTally } from '../../src/sweep/tally.js';
import { TRANSFORMS } from '../../src/sweep/transform.js';
import { freshRing } from './fresh-ring.js';

const { ring, older, primary } = freshRing();
const fields = ['phone', 'fax', 'mobile'].map((column) => new Field('t', column, encryptedString()));
const table = { name: 't', keyColumns: ['id'], rowidName: null, fields };
const key = [{ type: 'integer', value: 1n }] as const;

describe('the work of a row', () => {
  it('changes, reports and counts each of its fields on its own', () => {
    const token = older.encrypt('1');
    const work = rowWork(
      table,
      ring,
      TRANSFORMS.rotate,
    )({ key, values: [7n, token, primary.encrypt('2')], context: { id: 1n } });
    expect(work.changes).toEqual([{ columnIndex: 1, value: expect.any(String) }]);
    expect(primary.decrypt(work.changes[0]?.value as string)).toBe('1');
    expect(work.failures).toEqual([{ columnIndex: 0, reason: 'not_text' }]);
    const tally = emptyTally(['phone', 'fax', 'mobile']);
    work.count(tally);
    expect(tally).toEqual({
      phone: { total: 1, rotated: 0, current: 0, skipped: 0, failed: 1, held: {} },
      fax: { total: 1, rotated: 1, current: 0, skipped: 0, failed: 0, held: { v2: 1 } },
      mobile: { total: 1, rotated: 0, current: 1, skipped: 0, failed: 0, held: { v2: 1 } },
    });
  });

  it('leaves NULL alone: it is no record', () => {
    const work = rowWork(table, ring, TRANSFORMS.encrypt)({ key, values: [null, null, ''], context: { id: 1n } });
    expect(work.changes).toMatchObject([{ columnIndex: 2 }]);
    const tally = emptyTally(['phone', 'fax', 'mobile']);
    work.count(tally);
    expect(Object.values(tally).map(({ total }) => total)).toEqual([0, 0, 1]);
  });

  it('is nothing at all in a row of NULLs', () => {
    const work = rowWork(table, ring, TRANSFORMS.encrypt)({ key, values: [null, null, null], context: { id: 1n } });
    expect([work.changes, work.failures]).toEqual([[], []]);
  });
});
