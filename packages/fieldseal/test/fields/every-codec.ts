/** Every codec with values that it takes, for what has to hold for all of them. */
import fc from 'fast-check';
import type { Codec } from '../../src/fields/codec.js';
import * as codecs from '../../src/fields/codecs.js';

/** A codec, and values of its kind, the awkward ones among them. */
export interface CodecWithValues {
  readonly codec: Codec<unknown>;
  readonly values: fc.Arbitrary<unknown>;
}

function entry<T>(codec: Codec<T>, values: fc.Arbitrary<T>, ...edges: T[]): CodecWithValues {
  return {
    codec: codec as Codec<unknown>,
    values: edges.length ? fc.oneof(fc.constantFrom(...edges), values) : values,
  };
}

const text = fc.string({ unit: 'binary', maxLength: 40 });
const day = { min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true };

export const EVERY_CODEC: Readonly<Record<string, CodecWithValues>> = {
  string: entry(codecs.string(), text, '', '0', 'null', '\0', '😀'),
  integer: entry(codecs.integer(), fc.maxSafeInteger(), 0, -1, Number.MAX_SAFE_INTEGER),
  bigint: entry(codecs.bigint(), fc.bigInt(), 0n, -(2n ** 200n)),
  number: entry(codecs.number(), fc.double(), 0, -0, Number.NaN, Number.NEGATIVE_INFINITY),
  decimal: entry(
    codecs.decimal(),
    fc.tuple(fc.maxSafeNat(), fc.nat(999)).map(([whole, fraction]) => `${whole}.${fraction}`),
    '0',
    '0.00',
    '-12.50',
  ),
  boolean: entry(codecs.boolean(), fc.boolean(), false, true),
  date: entry(
    codecs.date(),
    fc.date(day).map((date) => date.toISOString().slice(0, 10)),
  ),
  timestamp: entry(codecs.timestamp(), fc.date({ noInvalidDate: true }), new Date(0)),
  bytes: entry(codecs.bytes(), fc.uint8Array({ maxLength: 40 }), new Uint8Array(), new Uint8Array(5)),
  json: entry<codecs.JsonValue>(
    codecs.json(),
    fc
      .jsonValue({ maxDepth: 2 })
      .map((value) => JSON.parse(JSON.stringify(value)) as codecs.JsonValue)
      .filter((value) => value !== null), // Null is NULL.
    {},
    [],
    '',
    0,
    false,
  ),
  oneOf: entry(codecs.oneOf(['', 'free', 'team']), fc.constantFrom('', 'free', 'team')),
  codec: entry(
    codecs.codec<{ readonly words: readonly string[] }>({
      name: 'words',
      encode: ({ words }) => words.join(' '),
      decode: (bytes) => {
        const joined = Buffer.from(bytes).toString();
        return { words: joined === '' ? [] : joined.split(' ') };
      },
    }),
    fc.array(fc.constantFrom('one', 'two'), { maxLength: 4 }).map((words) => ({ words })),
    { words: [] },
  ),
};
