/** The codec for points in time, to the millisecond. */
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

// RFC 3339 §5.6, whose `T` may be a space; PostgreSQL's offsets of hours only, or with seconds; and SQLite's none.
const PLAINTEXT = new RegExp(
  '^(?<date>(?:\\d{4}|[+-]\\d{6})-\\d\\d-\\d\\d)[T ](?<time>\\d\\d:\\d\\d:\\d\\d)(?:\\.(?<fraction>\\d{1,9}))?' +
    '(?:Z|(?<sign>[+-])(?<hours>[01]\\d|2[0-3])(?::(?<minutes>[0-5]\\d)(?::(?<seconds>[0-5]\\d))?)?)?$',
  'i',
);

/** The point in time of exactly this text of `Date.prototype.toISOString`; null when it is not one. */
function parseIsoText(text: string): Date | null {
  const date = new Date(text);
  // `Date` reads much that it does not write; what comes back the same exists in the calendar, too.
  return Number.isNaN(date.getTime()) || date.toISOString() !== text ? null : date;
}

/** The text of a valid `Date`, also one of another realm; null for any other value. */
function isoTextOf(value: unknown): string | null {
  try {
    return Date.prototype.toISOString.call(value);
  } catch {
    return null;
  }
}

function decodePlaintext(text: string): Date {
  const { date, time, fraction = '', sign, hours = 0, minutes = 0, seconds = 0 } = PLAINTEXT.exec(text)?.groups ?? {};
  const local = parseIsoText(`${date}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}Z`);
  const offsetSeconds = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  const utc = new Date((local?.getTime() ?? Number.NaN) - (sign === '-' ? -1000 : 1000) * offsetSeconds);
  if (Number.isNaN(utc.getTime())) {
    throw new FieldsealError(
      'ERR_VALUE_TYPE',
      'The plaintext is not a point in time in the form of RFC 3339, PostgreSQL or SQLite.',
    );
  }
  if (/[1-9]/.test(fraction.slice(3))) {
    throw new FieldsealError(
      'ERR_VALUE_OUT_OF_RANGE',
      'The plaintext is a point in time finer than milliseconds, which a Date would lose.',
    );
  }
  return utc;
}

/**
 * Points in time as a `Date`, in RFC 3339 text in UTC with milliseconds: `2026-11-24T09:00:00.123Z`
 * (`Date.prototype.toISOString`, which writes years outside 0–9999 with a sign and six digits). An invalid `Date` is
 * refused. Plaintext may be in the form of RFC 3339, PostgreSQL (`2026-11-24 09:00:00.123+00`, offsets to the second)
 * or SQLite (`2026-11-24 09:00:00`); without an offset it is taken as UTC. A fraction finer than milliseconds, such as
 * PostgreSQL's `now()` writes, is refused rather than cut: keep such a column as `codecs.string`. The result of
 * `decode` is a new `Date`.
 */
export function timestampCodec(): Codec<Date> {
  return {
    name: 'timestamp',
    isText: true,
    encode: (value) => {
      const text = isoTextOf(value);
      if (text === null) throw new FieldsealError('ERR_VALUE_TYPE', 'The value is not a valid Date.');
      return text;
    },
    decode: (bytes) => {
      const date = parseIsoText(decodeUtf8(bytes));
      if (date === null) {
        throw new FieldsealError('ERR_VALUE_TYPE', 'The stored value is not a point in time in UTC with milliseconds.');
      }
      return date;
    },
    decodePlaintext,
    maxBytes: '+275760-09-13T00:00:00.000Z'.length,
  };
}
