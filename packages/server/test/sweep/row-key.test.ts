import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRowKey, describeRowKey, encodeRowKey, type KeyPart } from '../../src/sweep/row-key.js';

const BIG = 2n ** 63n - 1n;

const part: fc.Arbitrary<KeyPart> = fc.oneof(
  fc.record({ type: fc.constant('integer' as const), value: fc.bigInt({ min: -BIG - 1n, max: BIG }) }),
  fc.record({
    type: fc.constant('real' as const),
    value: fc.double({ noNaN: true }).map((value) => (value === 0 ? 0 : value)),
  }),
  fc.record({
    type: fc.constantFrom('text' as const, 'blob' as const),
    value: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  }),
);

describe('the key of a row', () => {
  it('comes back from its cursor with every bit', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), (key) => {
        expect(decodeRowKey(encodeRowKey(key))).toEqual(key);
      }),
    );
  });

  it('is written with its types', () => {
    const key: KeyPart[] = [
      { type: 'integer', value: BIG },
      { type: 'text', value: Buffer.from('foo') },
      { type: 'real', value: Number.NEGATIVE_INFINITY },
    ];
    expect(encodeRowKey(key)).toBe('[["integer","9223372036854775807"],["text","Zm9v"],["real","-Infinity"]]');
  });

  it('is shown to people as JSON', () => {
    expect(describeRowKey([{ type: 'integer', value: -BIG }])).toBe('[-9223372036854775807]');
    expect(
      describeRowKey([
        { type: 'text', value: Buffer.from('a"ü') },
        { type: 'blob', value: Buffer.of(0, 255) },
        { type: 'real', value: 1.5 },
      ]),
    ).toBe(String.raw`["a\"ü","00ff",1.5]`);
  });
});
