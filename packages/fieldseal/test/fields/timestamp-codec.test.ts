/** Points in time as a column's value. */
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { timestampCodec } from '../../src/fields/timestamp-codec.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

const codec = timestampCodec();
const plaintext = (text: string) => codec.decodePlaintext?.(text)?.toISOString();
const EXTREME_MS = 8.64e15;
const dates = fc.oneof(
  fc.date({ noInvalidDate: true }),
  fc.date({ noInvalidDate: true, min: new Date('2000-01-01'), max: new Date('2100-01-01') }),
);

describeCodec('timestamp', {
  codec,
  values: dates,
  takes: (value) => value instanceof Date && !Number.isNaN(value.getTime()),
  wrongType: 'The value is not a valid Date.',
});

describe('a timestamp', () => {
  it.each([
    [0, '1970-01-01T00:00:00.000Z'],
    [-1, '1969-12-31T23:59:59.999Z'],
    [1795510800123, '2026-11-24T09:00:00.123Z'],
    [EXTREME_MS, '+275760-09-13T00:00:00.000Z'],
    [-EXTREME_MS, '-271821-04-20T00:00:00.000Z'],
  ])('is RFC 3339 text in UTC (%j)', (ms, text) => {
    expect(codec.encode(new Date(ms))).toBe(text);
    expect(codec.decode(Buffer.from(text)).getTime()).toBe(ms);
    expect(text.length).toBeLessThanOrEqual(codec.maxBytes ?? 0);
  });

  it('may be a Date of another realm, or of a subclass whose own text is not asked', () => {
    class Masked extends Date {
      override toISOString = () => 'masked';
    }
    expect(codec.encode(runInNewContext('new Date(0)'))).toBe('1970-01-01T00:00:00.000Z');
    expect(codec.encode(new Masked(0))).toBe('1970-01-01T00:00:00.000Z');
  });

  it('is a new Date each time', () => {
    const bytes = Buffer.from('2026-11-24T09:00:00.000Z');
    const first = codec.decode(bytes);
    first.setTime(0);
    expect(codec.decode(bytes).toISOString()).toBe('2026-11-24T09:00:00.000Z');
  });

  it.each([
    ...['', '2026-11-24', '2026-11-24T09:00:00Z', '2026-11-24T09:00:00.12Z', '2026-11-24T09:00:00.1234Z'],
    ...[
      '2026-11-24 09:00:00.000Z',
      '2026-11-24T09:00:00.000z',
      '2026-11-24T09:00:00.000+00:00',
      '2026-11-24T09:00:00.000',
    ],
    ...['2026-02-30T00:00:00.000Z', '2026-13-01T00:00:00.000Z', '2026-11-24T24:00:00.000Z', '2026-11-24T09:60:00.000Z'],
    ...['2026-11-24T09:00:60.000Z', '+002026-11-24T09:00:00.000Z', '-000000-01-01T00:00:00.000Z'],
    ...['+275760-09-13T00:00:00.001Z', '0', 'Tue, 24 Nov 2026 09:00:00 GMT', 'Invalid Date'],
  ])('is not read from %j', (text) => {
    expect(refusalOf(() => codec.decode(Buffer.from(text)))).toEqual({
      code: 'ERR_VALUE_TYPE',
      message: 'The stored value is not a point in time in UTC with milliseconds.',
    });
  });
});

describe('the plaintext of a timestamp', () => {
  it.each([
    ['RFC 3339', '2026-11-24T09:00:00Z', '2026-11-24T09:00:00.000Z'],
    ['RFC 3339 in lower case', '2026-11-24t09:00:00z', '2026-11-24T09:00:00.000Z'],
    ['RFC 3339 east of Greenwich', '2026-11-24T09:00:00.5+05:30', '2026-11-24T03:30:00.500Z'],
    ['RFC 3339 west of it, into the next year', '2026-12-31T20:00:00-08:00', '2027-01-01T04:00:00.000Z'],
    ['RFC 3339 of unknown local time', '2026-11-24T09:00:00-00:00', '2026-11-24T09:00:00.000Z'],
    ['PostgreSQL', '2026-11-24 09:00:00.123+00', '2026-11-24T09:00:00.123Z'],
    ['PostgreSQL, offset with minutes', '2026-11-24 09:00:00+05:30', '2026-11-24T03:30:00.000Z'],
    ['PostgreSQL, offset of local mean time', '1890-01-01 00:00:00+00:19:32', '1889-12-31T23:40:28.000Z'],
    ['PostgreSQL, offset of hours', '2026-11-24 09:00:00-03', '2026-11-24T12:00:00.000Z'],
    ['SQLite', '2026-11-24 09:00:00', '2026-11-24T09:00:00.000Z'],
    ['SQLite with a fraction', '2026-11-24 09:00:00.120', '2026-11-24T09:00:00.120Z'],
    ['nine digits that fit', '2026-11-24 09:00:00.120000000', '2026-11-24T09:00:00.120Z'],
    ['the first year', '0001-01-01 00:00:00', '0001-01-01T00:00:00.000Z'],
    ['year 50', '0050-06-01T00:00:00Z', '0050-06-01T00:00:00.000Z'],
    ['a leap day', '2024-02-29 23:59:59+00', '2024-02-29T23:59:59.000Z'],
    ['the codec itself', '+275760-09-13T00:00:00.000Z', '+275760-09-13T00:00:00.000Z'],
  ])('may be as %s writes it', (_name, text, utc) => {
    expect(plaintext(text)).toBe(utc);
  });

  it('is the same point in time in every offset', () => {
    const minutes = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 });
    const near = fc.date({ noInvalidDate: true, min: new Date('1000-01-01'), max: new Date('9000-01-01') });
    const check = fc.property(near, minutes, fc.constantFrom('T', ' '), (date, offset, separator) => {
      const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1).replace('T', separator);
      const [hh, mm] = [Math.trunc(Math.abs(offset) / 60), Math.abs(offset) % 60].map((n) =>
        String(n).padStart(2, '0'),
      );
      expect(plaintext(`${local}${offset < 0 ? '-' : '+'}${hh}:${mm}`)).toBe(date.toISOString());
    });
    fc.assert(check, { numRuns: 1000 });
  });

  it.each([
    ...['', '2026-11-24', '09:00:00', '2026-11-24 09:00', '2026-11-24  09:00:00', '2026-11-24T09:00:00.Z'],
    ...['2026-11-24T09:00:00.1234567890Z', '2026-11-24T09:00:00,5Z', '2026-11-24T09:00:00 Z', '2026-11-24T9:00:00Z'],
    ...['2026-02-29T00:00:00Z', '2026-04-31T00:00:00Z', '2026-13-01T00:00:00Z', '2026-00-01T00:00:00Z'],
    ...['2026-11-00T00:00:00Z', '2026-11-24T24:00:00Z', '2026-11-24T09:60:00Z', '2026-11-24T09:00:60Z'],
    ...['2026-11-24T09:00:00+24:00', '2026-11-24T09:00:00+05:60', '2026-11-24T09:00:00+5', '2026-11-24T09:00:00+0530'],
    ...['2026-11-24 09:00:00+00:19:60', '2026-11-24 09:00:00 BC', '10000-01-01 00:00:00', '-000000-01-01T00:00:00Z'],
    ...['infinity', 'Nov 24 2026', '1795510800123', ' 2026-11-24 09:00:00', '2026-11-24 09:00:00\n'],
    ...['+275760-09-13T00:00:00-00:01', '+275760-09-13T00:00:00.001Z'],
  ])('is not %j', (text) => {
    expect(refusalOf(() => plaintext(text))).toEqual({
      code: 'ERR_VALUE_TYPE',
      message: 'The plaintext is not a point in time in the form of RFC 3339, PostgreSQL or SQLite.',
    });
  });

  it.each(['2026-11-24 09:00:00.123456+00', '2026-11-24T09:00:00.0001Z', '2026-11-24T09:00:00.000000001Z'])(
    'is refused rather than cut where it is finer than milliseconds (%s)',
    (text) => {
      expect(refusalOf(() => plaintext(text))).toEqual({
        code: 'ERR_VALUE_OUT_OF_RANGE',
        message: 'The plaintext is a point in time finer than milliseconds, which a Date would lose.',
      });
    },
  );
});
