/** Comparing MACs that are stored as hex. */
import { expect, it } from 'vitest';
import { timingSafeEqualHex } from '../../src/core/timing-safe-equal-hex.js';

it('is true for the same text only', () => {
  expect(timingSafeEqualHex('00ff', '00ff')).toBe(true);
  expect(timingSafeEqualHex('', '')).toBe(true);
  for (const other of ['00fe', '00f', '00ff0', '', '00FF', '00fé'])
    expect(timingSafeEqualHex('00ff', other)).toBe(false);
});
