/** Texts go to another thread and back as bytes, and come out as they were. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PackedTexts, packTexts, unpackTexts } from '../../src/threads/packed-texts.js';

const packed = (values: readonly unknown[]) => packTexts(values) as PackedTexts;

describe('packed texts', () => {
  it.each([
    ['ASCII', fc.string({ unit: 'grapheme-ascii' })],
    ['any text', fc.string({ unit: 'grapheme' })],
    ['any 16-bit units', fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units))],
  ])('are what they were: %s', (_kind, text) => {
    fc.assert(
      fc.property(fc.array(fc.option(text)), (values) => {
        expect(unpackTexts(packed(values))).toEqual(values);
      }),
    );
  });

  it('are what they were: a byte order mark, zeros, one long text among short ones, none at all', () => {
    for (const values of [['\ufeff', '', null, '\0', 'é'.repeat(100_000), 'x', null], []]) {
      expect(unpackTexts(packed(values))).toEqual(values);
    }
  });

  it('fill their memory, which can be handed over', () => {
    const bytes = packed(['a text']);
    expect([bytes.byteOffset, bytes.buffer.byteLength]).toEqual([0, bytes.length]);
    const there = structuredClone(bytes, { transfer: [bytes.buffer] });
    expect(bytes.length).toBe(0);
    expect(unpackTexts(there)).toEqual(['a text']);
  });

  it('are erased when they are unpacked', () => {
    const bytes = packed(['a text', null]);
    expect(Buffer.from(bytes).includes('a text')).toBe(true);
    unpackTexts(bytes);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });
});

describe('what is no text', () => {
  it.each([
    ['a number', 5],
    ['nothing', undefined],
    ['a function', () => 'x'],
    ['an object that would turn into text', { toString: () => 'x' }],
  ])('is not packed: %s', (_kind, value) => {
    expect(packTexts(['x', value, null])).toBeNull();
  });
});
