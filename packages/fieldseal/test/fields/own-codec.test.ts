/** A codec of an application's own. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FieldsealError } from '../../src/errors.js';
import { type OwnCodecOptions, ownCodec } from '../../src/fields/own-codec.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

const isPoint = (value: unknown): value is [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every((part) => Number.isInteger(part));

/** Two whole numbers, as they are told apart by an application that checks its types itself. */
const point = ownCodec<[number, number]>({
  name: 'point',
  encode: (value) => {
    if (!isPoint(value)) throw new FieldsealError('ERR_VALUE_TYPE', 'The value is not a point.');
    return value.join(',');
  },
  decode: (bytes) => {
    const text = Buffer.from(bytes).toString();
    const value = text.split(',').map(Number);
    if (!isPoint(value) || value.join(',') !== text) throw new Error(`not a point: ${text}`);
    return value;
  },
});

describeCodec('codec', {
  codec: point,
  values: fc.tuple(fc.maxSafeInteger(), fc.maxSafeInteger()),
  takes: () => false,
  wrongType: 'The value is not a point.',
});

const text: OwnCodecOptions<string> = {
  name: 'text',
  encode: (value) => value,
  decode: (bytes) => Buffer.from(bytes).toString(),
};
const failed = (message: string) => ({ code: 'ERR_CODEC_FAILED', message });

/** The error itself, for what a refusal does not compare. */
function thrownBy(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

describe('what a codec of one’s own throws', () => {
  const explode = (): never => {
    throw new Error('kept secret');
  };
  const codec = ownCodec<string>({ name: 'text', encode: explode, decode: explode, decodePlaintext: explode });

  it.each<[string, () => unknown, string]>([
    ['encoding', () => codec.encode('kept secret'), 'The codec text could not encode the value.'],
    ['decoding', () => codec.decode(Buffer.from('kept secret')), 'The codec text could not decode the stored value.'],
    ['reading plaintext', () => codec.decodePlaintext?.('kept secret'), 'The codec text could not read the plaintext.'],
  ])('is dropped while %s, with all that it says', (_name, work, message) => {
    expect(refusalOf(work)).toEqual(failed(message));
    const error = thrownBy(work);
    expect(Object.hasOwn(error, 'cause')).toBe(false);
    expect(error.stack).not.toContain('kept secret');
  });

  it.each([null, undefined, 'kept secret', { code: 'ERR_VALUE_TYPE' }])('may be no error at all (%j)', (thrown) => {
    const throwing = ownCodec<string>({
      ...text,
      encode: () => {
        throw thrown;
      },
    });
    expect(refusalOf(() => throwing.encode('x'))).toEqual(failed('The codec text could not encode the value.'));
  });

  it('passes where it is a FieldsealError', () => {
    const mistake = new FieldsealError('ERR_VALUE_OUT_OF_RANGE', 'The point is off the map.');
    const throwing = ownCodec<string>({
      ...text,
      decode: () => {
        throw mistake;
      },
    });
    expect(thrownBy(() => throwing.decode(Buffer.from('x')))).toBe(mistake);
  });
});

describe('what a codec of one’s own makes', () => {
  const encodeTo = (encoded: unknown, options: { isText?: boolean } = {}) =>
    ownCodec({ ...text, ...options, encode: () => encoded as string }).encode('x');

  it('may be text or bytes', () => {
    expect(encodeTo('')).toBe('');
    expect(encodeTo(Buffer.from('한글'))).toEqual(Buffer.from('한글'));
    expect(encodeTo(Uint8Array.of(255), { isText: false })).toEqual(Uint8Array.of(255));
    expect(encodeTo('text', { isText: false })).toBe('text');
  });

  it.each([undefined, null, 5, 5n, true, {}, [1], new String('x'), new ArrayBuffer(1), Promise.resolve('x')])(
    'is nothing else (%s)',
    (encoded) => {
      expect(refusalOf(() => encodeTo(encoded))).toEqual(failed('The codec text made neither text nor bytes.'));
    },
  );

  it('has no lone surrogate', () => {
    expect(refusalOf(() => encodeTo('a\ud83d'))).toEqual(failed('The codec text made text with a lone surrogate.'));
  });

  it('is UTF-8 unless it says that it is not', () => {
    expect(refusalOf(() => encodeTo(Uint8Array.of(255)))).toEqual(
      failed('The codec text made bytes that are not UTF-8, without isText: false.'),
    );
  });

  it('is within maxBytes', () => {
    const codec = ownCodec({ ...text, maxBytes: 6 });
    expect(codec.encode('한글')).toBe('한글');
    expect(refusalOf(() => codec.encode('한글a'))).toEqual({
      code: 'ERR_VALUE_TOO_LONG',
      message: 'The value takes more than 6 bytes.',
    });
    const bytes = ownCodec<Uint8Array>({
      name: 'raw',
      encode: (value) => value,
      decode: (value) => value,
      maxBytes: 2,
    });
    expect(bytes.encode(Buffer.from('ab'))).toEqual(Buffer.from('ab'));
    expect(refusalOf(() => bytes.encode(Buffer.from('abc')))).toMatchObject({ code: 'ERR_VALUE_TOO_LONG' });
  });
});

describe('the declaration of a codec of one’s own', () => {
  it('is what the codec says of itself', () => {
    expect(ownCodec({ ...text, isText: false, maxBytes: 5, domain: 7 })).toMatchObject({
      name: 'text',
      isText: false,
      maxBytes: 5,
      domain: 7,
    });
    const plain = ownCodec(text);
    expect(plain.isText).toBe(true);
    for (const name of ['maxBytes', 'domain', 'decodePlaintext']) expect(Object.hasOwn(plain, name)).toBe(false);
  });

  it('may be an object whose functions use it', () => {
    const prefixed = {
      name: 'prefixed',
      prefix: 'v1:',
      encode(value: string) {
        return this.prefix + value;
      },
      decode(bytes: Uint8Array) {
        return Buffer.from(bytes).toString().slice(this.prefix.length);
      },
      decodePlaintext(plaintext: string) {
        return plaintext.slice(this.prefix.length);
      },
    };
    const codec = ownCodec<string>(prefixed);
    expect(codec.encode('a')).toBe('v1:a');
    expect(codec.decode(Buffer.from('v1:a'))).toBe('a');
    expect(codec.decodePlaintext?.('v1:a')).toBe('a');
  });

  it('has a name and both functions', () => {
    for (const name of ['', undefined, 5]) {
      expect(() => ownCodec({ ...text, name: name as string })).toThrow(new TypeError('a codec has a name'));
    }
    for (const mistake of [{ encode: undefined }, { decode: 'x' }, { decodePlaintext: 5 }]) {
      expect(() => ownCodec({ ...text, ...mistake } as never)).toThrow(
        new TypeError('the codec text has the functions encode and decode'),
      );
    }
  });

  it('has sizes that are positive whole numbers', () => {
    for (const size of [0, -1, 1.5, Number.NaN, Infinity, '5' as never]) {
      for (const options of [{ maxBytes: size }, { domain: size }]) {
        expect(() => ownCodec({ ...text, ...options })).toThrow(
          new RangeError('the maxBytes and the domain of the codec text are positive whole numbers'),
        );
      }
    }
  });
});
