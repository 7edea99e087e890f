import fc from 'fast-check';
import { expect, test } from 'vitest';
import { strictJsonError, utf8Text } from '../../src/http/strict-json.ts';
import { refusalOf } from '../refusal.ts';

const sentence = (text: string) => strictJsonError(text)?.message ?? null;

test('a name twice in one object is found, in whatever spelling and depth, and not in two objects', () => {
  const twice = 'The body has a field twice.';
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '[{"b":{"a":[],"c":{},"a":0}}]',
    '{"":1,"":2}',
    '{"a":"a","a":1}',
  ])
    expect([text, sentence(text)]).toEqual([text, twice]);
  for (const text of [
    '{"a":{"a":1}}',
    '[{"a":1},{"a":2}]',
    '{"a":"a","b":["a","a"]}',
    '{"a":"{\\"a\\":1,\\"a\\":2}"}',
    '"a"',
    '{}',
  ])
    expect([text, sentence(text)]).toEqual([text, null]);
});

test('32 levels are read and 33 are not', () => {
  expect(sentence('['.repeat(32) + ']'.repeat(32))).toBeNull();
  expect(sentence('['.repeat(33) + ']'.repeat(33))).toBe('The body is nested more than 32 deep.');
  expect(sentence(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`)).toBe('The body is nested more than 32 deep.');
});

test('what JSON.stringify writes is never refused', () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => sentence(JSON.stringify(value)) === null));
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => sentence(JSON.stringify(value, null, 2)) === null));
});

test('bytes that are not UTF-8 are no text', () => {
  expect(utf8Text(Buffer.from('{"a":"é"}'))).toBe('{"a":"é"}');
  for (const bytes of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80]])
    expect(refusalOf(() => utf8Text(Uint8Array.from(bytes)))).toEqual({
      code: 'ERR_INPUT_INVALID',
      message: 'The body is not UTF-8.',
    });
});
