/** True and false as a column's value. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { booleanCodec } from '../../src/fields/boolean-codec.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

const codec = booleanCodec();

describeCodec('boolean', {
  codec,
  values: fc.boolean(),
  takes: (value) => value === true,
  wrongType: 'The value is not a boolean.',
});

describe('a boolean', () => {
  it('is one character, so that its length does not tell it', () => {
    expect([codec.encode(true), codec.encode(false)]).toEqual(['1', '0']);
    expect(codec).toMatchObject({ maxBytes: 1, domain: 2 });
  });

  it.each(['', 't', 'f', 'true', 'false', '2', ' 1', '1\n', '01', '10'])('is not read from %j', (text) => {
    expect(refusalOf(() => codec.decode(Buffer.from(text)))).toEqual({
      code: 'ERR_VALUE_TYPE',
      message: 'The stored value is neither true nor false.',
    });
  });
});

describe('the plaintext of a boolean', () => {
  it.each(['true', 't', '1', 'TRUE', 'True', 'T'])('may be %s, for true', (text) => {
    expect(codec.decodePlaintext?.(text)).toBe(true);
  });

  it.each(['false', 'f', '0', 'FALSE', 'False', 'F'])('may be %s, for false', (text) => {
    expect(codec.decodePlaintext?.(text)).toBe(false);
  });

  it.each(['', ' t', 't\n', 'yes', 'on', '2', '01', 'truee', 'ff', 'null'])('is not %j', (text) => {
    expect(refusalOf(() => codec.decodePlaintext?.(text))).toEqual({
      code: 'ERR_VALUE_TYPE',
      message: 'The plaintext is neither true nor false as a database writes them.',
    });
  });
});
