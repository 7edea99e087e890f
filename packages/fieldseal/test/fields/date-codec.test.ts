/** Days of the calendar as a column's value. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dateCodec } from '../../src/fields/date-codec.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

const codec = dateCodec();
const NOT_DATE = {
  code: 'ERR_VALUE_TYPE',
  message: 'The value is not a day that exists, as text of the form YYYY-MM-DD.',
};
const pad = (value: number, width: number) => String(value).padStart(width, '0');

/** The Gregorian rule, spelt out. */
function daysIn(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
}

const years = fc.integer({ min: 1, max: 9999 });
const dates = fc
  .tuple(years, fc.integer({ min: 1, max: 12 }), fc.nat())
  .map(([year, month, day]) => `${pad(year, 4)}-${pad(month, 2)}-${pad(1 + (day % daysIn(year, month)), 2)}`);

describeCodec('date', { codec, values: dates, takes: () => false, wrongType: NOT_DATE.message });

describe('a date', () => {
  it('exists by the Gregorian rule, in every year', () => {
    const check = fc.property(
      fc.integer({ min: 0, max: 9999 }),
      fc.nat({ max: 13 }),
      fc.nat({ max: 33 }),
      (y, m, d) => {
        const text = `${pad(y, 4)}-${pad(m, 2)}-${pad(d, 2)}`;
        if (y >= 1 && d >= 1 && d <= daysIn(y, m)) expect(codec.encode(text)).toBe(text);
        else expect(refusalOf(() => codec.encode(text))).toEqual(NOT_DATE);
      },
    );
    fc.assert(check, { numRuns: 3000 });
  });

  it.each(['0001-01-01', '9999-12-31', '2024-02-29', '2000-02-29', '1582-10-10'])('may be %s', (text) => {
    expect(codec.encode(text)).toBe(text);
    expect(codec.decode(Buffer.from(text))).toBe(text);
  });

  it.each([
    ...['', '0000-01-01', '0000-12-31', '2026-02-29', '1900-02-29', '2026-02-30', '2026-04-31', '2026-00-10'],
    ...['2026-13-01', '2026-01-00', '2026-01-32', '2026-1-1', '26-01-01', '10000-01-01', '+010000-01-01'],
    ...['-0001-01-01', '2026-01-01T00:00:00Z', ' 2026-01-01', '2026-01-01 ', '2026-01-01\n', '2026/01/01', '20260101'],
    ...['2026-W01-1', '2026-001', '٢٠٢٦-٠١-٠١', 'today', 'infinity'],
  ])('is not %j', (text) => {
    expect(refusalOf(() => codec.encode(text))).toEqual(NOT_DATE);
    expect(refusalOf(() => codec.decode(Buffer.from(text)))).toEqual(NOT_DATE);
  });

  it('is one of as many as the calendar has', () => {
    let count = 0;
    for (let year = 1; year <= 9999; year++) for (let month = 1; month <= 12; month++) count += daysIn(year, month);
    expect(codec).toMatchObject({ maxBytes: 10, domain: count });
  });
});
