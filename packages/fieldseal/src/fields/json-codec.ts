/** The codec for JSON: one value has one text, and what would not come back the same is refused. */
import { assertWellFormed, decodeUtf8 } from '../core/utf8.js';
import { FieldsealError } from '../errors.js';
import type { Codec } from './codec.js';
import { numberText } from './number-codec.js';

/** What `codecs.json` takes. */
export interface JsonOptions {
  /** The most bytes that the JSON text may have. No limit when left out. */
  readonly maxBytes?: number;
}

/** What JSON can hold. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

const MAX_DEPTH = 500;

function notJson(): FieldsealError {
  return new FieldsealError(
    'ERR_VALUE_TYPE',
    'The value holds what JSON does not give back: undefined, NaN, a bigint, a Date, a hole, an instance or the like.',
  );
}

function quote(text: string): string {
  assertWellFormed(text);
  return JSON.stringify(text);
}

/** The value of an own property, which has to be an ordinary one: no getter, and not hidden. */
function dataOf(holder: object, key: PropertyKey): unknown {
  const property = Object.getOwnPropertyDescriptor(holder, key);
  if (!property?.enumerable || !Object.hasOwn(property, 'value')) throw notJson();
  return property.value;
}

function arrayText(array: readonly unknown[], depth: number): string {
  // Besides its elements an array owns only its length; a subclass would come back as an array.
  const isOrdinary = Object.getPrototypeOf(array) === Array.prototype;
  if (!isOrdinary || Reflect.ownKeys(array).length !== array.length + 1) throw notJson();
  const elements = Array.from({ length: array.length }, (_, i) => stableText(dataOf(array, i), depth));
  return `[${elements.join(',')}]`;
}

function objectText(object: object, depth: number): string {
  const prototype = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) throw notJson();
  const keys = Reflect.ownKeys(object);
  if (!keys.every((key) => typeof key === 'string')) throw notJson();
  // The default order of `sort` is that of UTF-16 units (RFC 8785 §3.2.3).
  const members = keys.sort().map((key) => `${quote(key)}:${stableText(dataOf(object, key), depth)}`);
  return `{${members.join(',')}}`;
}

function stableText(value: unknown, depth = 0): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' && Number.isFinite(value)) return numberText(value);
  if (typeof value === 'boolean' || value === null) return String(value);
  if (typeof value !== 'object') throw notJson();
  // A cycle is endlessly deep.
  if (depth === MAX_DEPTH) {
    throw new FieldsealError('ERR_VALUE_TYPE', `The value is nested deeper than ${MAX_DEPTH}, or contains itself.`);
  }
  return Array.isArray(value) ? arrayText(value, depth + 1) : objectText(value, depth + 1);
}

/** Parses JSON; the parser's own error would quote the text. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new FieldsealError('ERR_VALUE_TYPE', 'The stored value is not JSON.');
  }
}

/**
 * JSON values: null, booleans, finite numbers, strings, arrays and plain objects, nested to 500. The text has no
 * spaces, keys in the order of their UTF-16 units and numbers as ECMAScript writes them (RFC 8785), so that equal
 * values have equal texts; but -0 is kept, as `-0`. What would not come back as it was is refused: `undefined`,
 * functions, symbols, bigints, NaN, infinities, instances (`Date`, `Map`), getters, hidden properties, arrays with
 * holes or properties, cycles, and lone surrogates. An object without a prototype comes back with the usual one. The
 * type `T` is taken on trust: nothing checks that a decrypted value has it. A field's null is NULL, never the JSON
 * `null`.
 *
 * Plaintext may be any JSON text; of a key that stands twice the last one counts, and numbers become the nearest
 * double. `maxBytes` limits the UTF-8 text that is written; a value from before it was lowered is still read.
 * @throws RangeError when `maxBytes` is not a positive whole number
 *
 * @example
 * const address = json<{ street: string; city: string }>({ maxBytes: 2000 });
 */
export function jsonCodec<T = JsonValue>(options: JsonOptions = {}): Codec<T> {
  const { maxBytes } = options;
  if (maxBytes !== undefined && !(Number.isSafeInteger(maxBytes) && maxBytes > 0)) {
    throw new RangeError('the maxBytes of JSON is a positive whole number');
  }
  return {
    name: 'json',
    isText: true,
    encode: (value) => {
      const text = stableText(value);
      if (maxBytes !== undefined && Buffer.byteLength(text) > maxBytes) {
        throw new FieldsealError('ERR_VALUE_TOO_LONG', `The JSON text is longer than ${maxBytes} bytes.`);
      }
      return text;
    },
    decode: (bytes) => {
      const text = decodeUtf8(bytes);
      const value = parse(text);
      if (stableText(value) !== text) {
        throw new FieldsealError('ERR_VALUE_TYPE', 'The stored value is not JSON in its stable text.');
      }
      return value as T;
    },
    decodePlaintext: (text) => {
      const value = parse(text);
      // `1e999` and an escaped lone surrogate are JSON, but could not be encrypted.
      stableText(value);
      return value as T;
    },
    ...(maxBytes !== undefined && { maxBytes }),
  };
}
