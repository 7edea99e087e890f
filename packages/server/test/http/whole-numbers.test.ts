import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readParameters, wholeNumber } from '../../src/http/whole-numbers.ts';
import { refusalOf } from '../refusal.ts';

test('digits are a whole number, and nothing else that JavaScript has a number for', () => {
  fc.assert(fc.property(fc.maxSafeInteger(), (value) => wholeNumber(String(value)) === value));
  for (const text of [
    '4.7',
    '0x1',
    '1e2',
    '+1',
    '01',
    '-0',
    ' 1',
    '1 ',
    '',
    'true',
    'NaN',
    'Infinity',
    '１',
    '1_000',
    '0b1',
  ])
    expect([text, wholeNumber(text)]).toEqual([text, null]);
});

test('parameters get the types of their schema, and a wrong one is named, without its value', () => {
  const schema = {
    properties: { n: { type: 'integer' }, b: { type: 'boolean' }, s: { type: 'string' }, l: { type: 'array' }, u: {} },
  };
  expect(readParameters(schema, { n: '12', b: 'true', s: '12', l: 'x', u: '1', other: '1' })).toEqual({
    n: 12,
    b: true,
    s: '12',
    l: ['x'],
    u: '1',
    other: '1',
  });
  expect(readParameters(schema, { l: ['x', 'y'] })).toEqual({ l: ['x', 'y'] });
  for (const [given, sentence] of [
    [{ n: '4.7' }, 'n must be a whole number.'],
    [{ n: ['1', '2'] }, 'n is given more than once.'],
    [{ s: ['1', '1'] }, 's is given more than once.'],
    [{ u: ['1', '1'] }, 'u is given more than once.'],
    [{ b: 'yes' }, 'b must be true or false.'],
  ] as const)
    expect(refusalOf(() => readParameters(schema, given))).toEqual({ code: 'ERR_INPUT_INVALID', message: sentence });
});
