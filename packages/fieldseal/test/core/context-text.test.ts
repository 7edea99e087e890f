/** What a value is bound to, as text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contextText, ownerText } from '../../src/core/context-text.js';
import { refusalOf } from '../refusal.js';

const refusal = (what: string) => ({
  code: 'ERR_CONTEXT_TYPE',
  message: `${what} is a whole number or a text that is not empty.`,
});

describe('the text of a context', () => {
  it.each([
    [42, '42'],
    [42n, '42'],
    ['42', '42'],
    [0, '0'],
    [-0, '0'],
    [-7, '-7'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [2n ** 64n, '18446744073709551616'],
    [' 42', ' 42'],
    ['042', '042'],
    ['Ä', 'Ä'],
    ['550E8400-E29B-41D4-A716-446655440000', '550e8400-e29b-41d4-a716-446655440000'],
    ['550E8400E29B41D4A716446655440000', '550E8400E29B41D4A716446655440000'],
    ['{550E8400-E29B-41D4-A716-446655440000}', '{550E8400-E29B-41D4-A716-446655440000}'],
    ['550E8400-E29B-41D4-A716-44665544000G', '550E8400-E29B-41D4-A716-44665544000G'],
  ])('of %s is %s', (value, text) => {
    expect(contextText(value)).toBe(text);
  });

  it.each([
    '',
    '\ud800',
    1.5,
    2 ** 53,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    undefined,
    true,
    new Date(0),
    {},
    ['42'],
    Buffer.from('42'),
    Symbol('s'),
  ])('is refused, and not repeated, for %s', (value) => {
    expect(refusalOf(() => contextText(value, 'A subject'))).toEqual(refusal('A subject'));
    expect(refusalOf(() => contextText(value))).toEqual(refusal('A primary key, tenant or subject'));
  });

  it('is the same for a whole number in each of its forms, and its own text', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const text = contextText(value);
        expect([contextText(BigInt(value)), contextText(text)]).toEqual([text, text]);
      }),
    );
    fc.assert(fc.property(fc.uuid(), (id) => contextText(id.toUpperCase()) === contextText(id)));
  });
});

describe('a tenant or subject', () => {
  it('is such a text of at most 400 bytes, so that two of them go into one derivation', () => {
    expect(ownerText('ä'.repeat(200))).toBe('ä'.repeat(200));
    expect(ownerText(42n)).toBe('42');
    expect(refusalOf(() => ownerText('ä'.repeat(201), 'A tenant'))).toEqual({
      code: 'ERR_CONTEXT_TYPE',
      message: 'A tenant has at most 400 bytes.',
    });
  });
});
