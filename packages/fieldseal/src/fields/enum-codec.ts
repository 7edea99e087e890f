/** The codec for one of a few declared texts. */
import { decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';

function assertValues(values: readonly string[]): void {
  const areTexts = Array.isArray(values) && values.every((value) => typeof value === 'string' && value.isWellFormed());
  if (!areTexts || values.length === 0 || new Set(values).size !== values.length) {
    throw new RangeError('the values of an enumeration are a list of different texts, at least one');
  }
}

/**
 * One of the given texts, encrypted as it is; its type is their union. They may be in any order, and more may be added
 * later; a stored value that was taken out of the list is no longer read. Texts of different lengths may have tokens of
 * different lengths, which tell them apart.
 * @throws RangeError when the list is empty, or holds a text twice, a lone surrogate or anything but text
 *
 * @example
 * const plan = oneOf(['free', 'team', 'enterprise']);
 */
export function enumCodec<const Values extends readonly string[]>(values: Values): Codec<Values[number]> {
  assertValues(values);
  const declared: ReadonlySet<string> = new Set(values);
  function assertDeclared(value: unknown): asserts value is Values[number] {
    if (!declared.has(value as string)) {
      throw new FieldsealError('ERR_VALUE_TYPE', `The value is not one of the ${declared.size} declared.`);
    }
  }
  return {
    name: 'enum',
    isText: true,
    encode: (value) => {
      assertDeclared(value);
      return value;
    },
    decode: (bytes) => {
      const text = decodeUtf8(bytes);
      assertDeclared(text);
      return text;
    },
    maxBytes: Math.max(...values.map((value) => Buffer.byteLength(value))),
    domain: declared.size,
  };
}
