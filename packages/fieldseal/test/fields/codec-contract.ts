/** What every codec promises: the contract suite, a function of the codec under test. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Codec } from '../../src/fields/codec.js';
import { type Refusal, refusalOf } from '../refusal.js';

/** A codec with what the suite has to know of it. */
export interface CodecUnderTest<T> {
  readonly codec: Codec<T>;
  /** Values that the codec takes. */
  readonly values: fc.Arbitrary<T>;
  /** Which of the foreign values are none to this codec. */
  readonly takes: (value: unknown) => boolean;
  /** What it says of a foreign value. */
  readonly wrongType: string;
}

const SECRET = 'kept secret 8271';

/** Values of every type; most are foreign to any one codec. */
const FOREIGN: readonly unknown[] = [
  undefined,
  null,
  true,
  8271.5,
  8271,
  8271n,
  Number.NaN,
  SECRET,
  new String(SECRET),
  Symbol(SECRET),
  () => SECRET,
  { secret: SECRET },
  [SECRET],
  new Date(8271),
  new Date(Number.NaN),
  new Map([[SECRET, SECRET]]),
  Buffer.from(SECRET),
  { toString: () => SECRET, toISOString: () => SECRET, length: 1 },
];

/** What an encoding is as bytes. */
function bytesOf(encoded: string | Uint8Array): Uint8Array {
  return typeof encoded === 'string' ? Buffer.from(encoded, 'utf8') : encoded;
}

/** The codes that limits of a declaration have, which bind what is written and not what is read. */
const LIMITS = ['ERR_VALUE_TOO_LONG', 'ERR_VALUE_OUT_OF_RANGE'];

/** The result of `work`; undefined where it refuses, which has to be with a FieldsealError, and one of these codes. */
function unlessRefused<R>(work: () => R, codes?: readonly string[]): R | undefined {
  try {
    return work();
  } catch (error) {
    const { code } = refusalOf(() => {
      throw error;
    });
    if (codes) expect(codes).toContain(code);
    return undefined;
  }
}

/** Bytes of all kinds, and encodings with one of their bytes replaced, left out or put in. */
function anyBytes<T>({ codec, values }: CodecUnderTest<T>): fc.Arbitrary<Uint8Array> {
  const encodings = values.map((value) => bytesOf(codec.encode(value)));
  const damaged = fc
    .tuple(encodings, fc.nat(), fc.nat({ max: 1 }), fc.constantFrom(...Buffer.from('+-.0159eZtT{}[]", \n\x00\xff')))
    .chain(([bytes, at, removed, byte]) => {
      const place = at % (bytes.length + 1);
      const [head, tail] = [bytes.slice(0, place), bytes.slice(place + removed)];
      return fc.constantFrom(Buffer.concat([head, Buffer.of(byte), tail]), Buffer.concat([head, tail]));
    });
  const text = fc.string({ unit: 'binary', maxLength: 12 }).map((value) => Buffer.from(value));
  return fc.oneof(damaged, text, fc.uint8Array({ maxLength: 12 }));
}

/** Runs the suite on one codec. */
export function describeCodec<T>(name: string, underTest: CodecUnderTest<T>): void {
  const { codec, values, takes, wrongType } = underTest;
  const encode = (value: T) => bytesOf(codec.encode(value));

  describe(`the codec ${name}`, () => {
    it('gives back every value as it was, from bytes within its limit', () => {
      const check = fc.property(values, (value) => {
        const bytes = encode(value);
        expect(isDeepStrictEqual(codec.decode(bytes), value)).toBe(true);
        expect(bytes.length).toBeLessThanOrEqual(codec.maxBytes ?? Number.POSITIVE_INFINITY);
        if (codec.isText) expect(Buffer.from(Buffer.from(bytes).toString('utf8')).equals(bytes)).toBe(true);
      });
      fc.assert(check, { numRuns: 500 });
    });

    it('has one encoding for a value: bytes that it reads are those that it writes', () => {
      const check = fc.property(anyBytes(underTest), (bytes) => {
        const value = unlessRefused(() => codec.decode(bytes));
        if (value === undefined) return;
        const again = unlessRefused(() => encode(value), LIMITS);
        expect(again === undefined || Buffer.from(again).equals(bytes)).toBe(true);
      });
      fc.assert(check, { numRuns: 1000 });
    });

    it('leaves the bytes that it reads as they are', () => {
      const check = fc.property(values, (value) => {
        const bytes = encode(value);
        const copy = Buffer.from(bytes);
        codec.decode(bytes);
        expect(copy.equals(bytes)).toBe(true);
      });
      fc.assert(check, { numRuns: 50 });
    });

    it('refuses values of other types, and does not show them', () => {
      const refused = FOREIGN.filter((value) => !takes(value));
      expect(refused.length).toBeGreaterThan(FOREIGN.length / 2);
      for (const value of refused) {
        const refusal: Refusal = refusalOf(() => codec.encode(value as T));
        expect(refusal).toEqual({ code: 'ERR_VALUE_TYPE', message: wrongType });
      }
      expect(wrongType).not.toMatch(/8271|secret/);
    });

    it('reads as plaintext what it wrote itself', () => {
      const { decodePlaintext } = codec;
      if (decodePlaintext === undefined || !codec.isText) return;
      const check = fc.property(values, (value) => {
        expect(isDeepStrictEqual(decodePlaintext(String(codec.encode(value))), value)).toBe(true);
      });
      fc.assert(check, { numRuns: 500 });
    });
  });
}
