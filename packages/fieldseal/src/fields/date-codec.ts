/** The codec for days of the calendar, without time and zone. */
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

function assertDate(text: unknown): asserts text is string {
  if (typeof text === 'string' && /^\d{4}-\d\d-\d\d$/.test(text) && text >= '0001-01-01') {
    // ECMA-262 reads this form alike everywhere; a day that does not exist is none, or comes back as another one.
    const midnight = new Date(`${text}T00:00:00.000Z`);
    if (!Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(text)) return;
  }
  throw new FieldsealError('ERR_VALUE_TYPE', 'The value is not a day that exists, as text of the form YYYY-MM-DD.');
}

/**
 * Days as a `YYYY-MM-DD` string (ISO 8601), from 0001-01-01 to 9999-12-31, which is also what is encrypted. A day has
 * to exist in the proleptic Gregorian calendar, which SQL and JavaScript count in too. It is a string because a `Date`
 * is a point in time, whose day depends on the zone.
 */
export function dateCodec(): Codec<string> {
  return {
    name: 'date',
    isText: true,
    encode: (value) => {
      assertDate(value);
      return value;
    },
    decode: (bytes) => {
      const text = decodeUtf8(bytes);
      assertDate(text);
      return text;
    },
    maxBytes: 'YYYY-MM-DD'.length,
    // 9999 years with 2424 leap days.
    domain: 9999 * 365 + 2424,
  };
}
