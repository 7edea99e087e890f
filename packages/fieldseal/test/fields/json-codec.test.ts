/** JSON as a column's value. */
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Codec } from '../../src/fields/codec.js';
import { type JsonValue, jsonCodec } from '../../src/fields/json-codec.js';
import { refusalOf } from '../refusal.js';
import { describeCodec } from './codec-contract.js';

const codec = jsonCodec<unknown>();
const NOT_JSON = {
  code: 'ERR_VALUE_TYPE',
  message:
    'The value holds what JSON does not give back: undefined, NaN, a bigint, a Date, a hole, an instance or the like.',
};
const TOO_DEEP = { code: 'ERR_VALUE_TYPE', message: 'The value is nested deeper than 500, or contains itself.' };
const LONE_SURROGATE = {
  code: 'ERR_VALUE_NOT_TEXT',
  message: 'The text has a lone surrogate, which cannot be stored as UTF-8.',
};

/** An object with its members in the order given, `__proto__` one like others. */
function objectOf(members: Iterable<readonly [string, unknown]>): object {
  return Object.fromEntries(members);
}

const keys = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 5 }),
  fc.constantFrom('__proto__', 'constructor', 'toJSON', 'length', '10', '9', ''),
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, true, false, -0),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.array(tie('tree'), { maxLength: 5 }),
    fc.array(fc.tuple(keys, tie('tree')), { maxLength: 5 }).map(objectOf),
  ),
}));

describeCodec('json', {
  codec,
  values: tree,
  takes: (value) =>
    value === null ||
    ['boolean', 'string'].includes(typeof value) ||
    Number.isFinite(value) ||
    Array.isArray(value) ||
    Object.hasOwn(Object(value), 'secret'),
  wrongType: NOT_JSON.message,
});

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

describe('the text of JSON', () => {
  it('is the same for the same members in any order', () => {
    const members = fc.uniqueArray(fc.tuple(keys, tree), { selector: ([key]) => key, maxLength: 6 });
    const shuffled = members.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, ([one, other]) => {
        expect(codec.encode(objectOf(other))).toBe(codec.encode(objectOf(one)));
      }),
    );
  });

  it('has no spaces, and keys in the order of their UTF-16 units', () => {
    // RFC 8785 §3.2.3: the emoji, a surrogate pair, is before the Hebrew presentation form.
    const value = {
      '\u20ac': 1,
      '\r': 2,
      '\ufb33': 3,
      '1': 4,
      '\u{1f600}': 5,
      '\u0080': 6,
      '\u00f6': 7,
      b: [{ d: 1, c: 2 }],
    };
    expect(codec.encode(value)).toBe(
      '{"\\r":2,"1":4,"b":[{"c":2,"d":1}],"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}',
    );
  });

  it('has numbers and texts as RFC 8785 writes them, but keeps -0', () => {
    const numbers = [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 1e-27, -0, 0, 1e21, 5e-324];
    expect(codec.encode(numbers)).toBe('[333333333.3333333,1e+30,4.5,0.002,1e-27,-0,0,1e+21,5e-324]');
    expect(codec.encode('\u20ac$\u000f\nA\'"\\/\u2028')).toBe('"\u20ac$\\u000f\\nA\'\\"\\\\/\u2028"');
    expect(codec.decode(Buffer.from('-0'))).toBe(-0);
  });

  it.each([null, true, '', 0, [], {}, [null], { '': null }])('may be %j', (value) => {
    expect(codec.encode(value)).toBe(JSON.stringify(value));
  });

  it('keeps __proto__ and toJSON as members like others', () => {
    const text = '{"__proto__":{"isAdmin":true},"toJSON":5}';
    const value = codec.decode(Buffer.from(text)) as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__', 'toJSON']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(value['isAdmin']).toBeUndefined();
    expect(codec.encode(value)).toBe(text);
  });

  it('takes an object without a prototype, frozen ones, and one object in two places', () => {
    const shared = Object.freeze({ a: 1 });
    expect(codec.encode(Object.assign(Object.create(null), { b: shared, a: [shared] }))).toBe(
      '{"a":[{"a":1}],"b":{"a":1}}',
    );
  });

  it('is of the type that is declared', () => {
    interface Address {
      readonly street: string;
    }
    expectTypeOf(jsonCodec<Address>()).toEqualTypeOf<Codec<Address>>();
    expectTypeOf(jsonCodec()).toEqualTypeOf<Codec<JsonValue>>();
  });
});

describe('what JSON would not give back', () => {
  class Point {
    x = 1;
  }
  class List extends Array<number> {}
  const hidden = Object.defineProperty({ a: 1 }, 'b', { value: 'kept secret', enumerable: false });
  const getter = Object.defineProperty({}, 'a', { get: () => 'kept secret', enumerable: true });
  const throwing = Object.defineProperty({}, 'a', {
    get: () => {
      throw new Error('kept secret');
    },
    enumerable: true,
  });
  const accessorElement = Object.defineProperty([1], 0, { get: () => 1, enumerable: true });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['a bigint', 1n],
    ['NaN', Number.NaN],
    ['an infinity', -Infinity],
    ['a Date', new Date(0)],
    ['a Map', new Map()],
    ['a Set', new Set()],
    ['a RegExp', /a/],
    ['an Error', new Error('kept secret')],
    ['a Buffer', Buffer.from('a')],
    ['a boxed string', new String('a')],
    ['a boxed number', new Number(1)],
    ['an instance', new Point()],
    ['an heir of a plain object', Object.create({ a: 1 })],
    ['a list of a subclass', List.from([1])],
    ['an array with a hole', Object.assign([], { 0: 1, 2: 2 })],
    ['a huge array of holes', new Array(2 ** 32 - 1)],
    ['an array with a property', Object.assign([1], { a: 1 })],
    ['an array with a hole and a property', Object.assign(new Array(1), { a: 1 })],
    ['an array with a getter', accessorElement],
    ['a key that is a symbol', { [Symbol('a')]: 1 }],
    ['a hidden property', hidden],
    ['a getter', getter],
    ['a getter that throws', throwing],
    ['a toJSON', { toJSON: () => 'kept secret' }],
  ])('is refused: %s', (_name, value) => {
    for (const place of [value, [value], { a: value }, [{ a: [value] }]]) {
      expect(refusalOf(() => codec.encode(place))).toEqual(NOT_JSON);
    }
  });

  it('is refused where it is a lone surrogate, in a text or a key', () => {
    for (const value of ['\ud83d', ['a\ude00'], { '\ud83d': 1 }, { a: '\ude00\ud83d' }]) {
      expect(refusalOf(() => codec.encode(value))).toEqual(LONE_SURROGATE);
    }
    for (const text of ['"\\ud83d"', '{"\\ude00":1}']) {
      expect(refusalOf(() => codec.decode(Buffer.from(text)))).toEqual(LONE_SURROGATE);
      expect(refusalOf(() => codec.decodePlaintext?.(text))).toEqual(LONE_SURROGATE);
    }
  });

  it('is refused where it is nested deeper than 500', () => {
    const text = String(codec.encode(nested(500)));
    expect(codec.decode(Buffer.from(text))).toEqual(nested(500));
    expect(refusalOf(() => codec.encode(nested(501)))).toEqual(TOO_DEEP);
    expect(refusalOf(() => codec.decode(Buffer.from(`[${text}]`)))).toEqual(TOO_DEEP);
    expect(refusalOf(() => codec.decode(Buffer.from('['.repeat(5000) + ']'.repeat(5000))))).toEqual(TOO_DEEP);
  });

  it('is refused where it contains itself', () => {
    const object: Record<string, unknown> = {};
    object['a'] = [object, object];
    const array: unknown[] = [];
    array.push(array);
    for (const value of [object, array]) expect(refusalOf(() => codec.encode(value))).toEqual(TOO_DEEP);
  });
});

describe('stored bytes', () => {
  it.each(['', ' ', '{', "{'a':1}", '[1,]', 'undefined', 'NaN', '01', '1 2', '\ufeff1', 'kept secret'])(
    'that are not JSON are refused, and not shown: %j',
    (text) => {
      const refusal = { code: 'ERR_VALUE_TYPE', message: 'The stored value is not JSON.' };
      expect(refusalOf(() => codec.decode(Buffer.from(text)))).toEqual(refusal);
      expect(refusalOf(() => codec.decodePlaintext?.(text))).toEqual(refusal);
    },
  );

  it.each([
    ...[' 1', '1\n', '[1, 2]', '{"b":1,"a":2}', '{"a":1,"a":1}', '1.0', '1e3', '100E-2', '0.0', '-0.0'],
    ...['"\\u0041"', '"\\/"', '"\\u000a"', '"\\u000F"', '1.00000000000000000001'],
  ])('that are JSON, but not the stable text, are refused: %j', (text) => {
    expect(refusalOf(() => codec.decode(Buffer.from(text)))).toEqual({
      code: 'ERR_VALUE_TYPE',
      message: 'The stored value is not JSON in its stable text.',
    });
  });
});

describe('the plaintext of JSON', () => {
  const decodePlaintext = (text: string) => codec.decodePlaintext?.(text);

  it.each<[string, unknown]>([
    ['{"b": 1, "a": [1.0, 2]}\n', { a: [1, 2], b: 1 }],
    ['{"a":1,"a":2}', { a: 2 }],
    ['-0.0', -0],
    ['null', null],
    ['"\\u0041"', 'A'],
  ])('may be any JSON text: %j', (text, value) => {
    expect(decodePlaintext(text)).toStrictEqual(value);
  });

  it('that could not be encrypted again is refused', () => {
    expect(refusalOf(() => decodePlaintext('[1e999]'))).toEqual(NOT_JSON);
    expect(refusalOf(() => decodePlaintext('['.repeat(501) + ']'.repeat(501)))).toEqual(TOO_DEEP);
  });
});

describe('the maxBytes of JSON', () => {
  it('counts bytes of UTF-8, and may be reached', () => {
    expect(jsonCodec({ maxBytes: 8 }).encode('한글')).toBe('"한글"');
    expect(jsonCodec({ maxBytes: 8 }).maxBytes).toBe(8);
    expect(jsonCodec().maxBytes).toBeUndefined();
    expect(refusalOf(() => jsonCodec({ maxBytes: 7 }).encode('한글'))).toEqual({
      code: 'ERR_VALUE_TOO_LONG',
      message: 'The JSON text is longer than 7 bytes.',
    });
  });

  it('does not bind what is read', () => {
    expect(jsonCodec({ maxBytes: 1 }).decode(Buffer.from('[1,2]'))).toEqual([1, 2]);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, '5' as never])('is not %j', (maxBytes) => {
    expect(() => jsonCodec({ maxBytes })).toThrow(new RangeError('the maxBytes of JSON is a positive whole number'));
  });
});
