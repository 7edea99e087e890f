import { describe, expect, it } from 'vitest';
import { namesInside, quoteName, sameName, sqlTokens } from '../../src/sweep/sql-tokens.js';

const names = (sql: string) =>
  sqlTokens(sql)
    .filter(({ kind }) => kind === 'name')
    .map(({ text }) => text);

describe('the tokens of a statement', () => {
  it('are names without the quotes, in all four ways of quoting them', () => {
    expect(names('a "b c" `d``e` [f g] "h""i" straße 電話 x$1')).toEqual([
      'a',
      'b c',
      'd`e',
      'f g',
      'h"i',
      'straße',
      '電話',
      'x$1',
    ]);
  });

  it('are names also when they are emoji or other characters that SQLite takes into one', () => {
    expect(names('CHECK (📞 <> 1 AND a📞b > 0)')).toEqual(['CHECK', '📞', 'AND', 'a📞b']);
  });

  it('are not what comments and strings say', () => {
    expect(names("x -- phone\n/* phone\n phone */ 'phone' 'it''s phone' y")).toEqual(['x', 'y']);
    expect(names('x /* phone')).toEqual(['x']);
    expect(names("'--' x -- '\n y")).toEqual(['x', 'y']);
  });

  it('keep signs and strings as they are', () => {
    expect(sqlTokens("(a,'b')").map(({ text }) => text)).toEqual(['(', 'a', ',', "'b'", ')']);
  });
});

describe('the names inside a keyword’s parentheses', () => {
  const inside = (sql: string) => namesInside(sqlTokens(sql), 'check');

  it('are those of every occurrence, nested ones too, and none from outside', () => {
    expect(inside('a TEXT CHECK (length(b) > (1)), c TEXT, Check(d IN (1)) e')).toEqual(['length', 'b', 'd', 'IN']);
  });

  it('are none without parentheses', () => {
    expect(inside('a "check" TEXT, b TEXT')).toEqual([]);
    expect(inside('a check')).toEqual([]);
  });

  it('end with the text when a parenthesis is never closed', () => {
    expect(inside('CHECK (a')).toEqual(['a']);
  });
});

describe('a name', () => {
  it('is the same in any ASCII case, and only there', () => {
    expect(sameName('Phone', 'PHONE')).toBe(true);
    expect(sameName('Straße', 'STRAßE')).toBe(true);
    expect(sameName('ä', 'Ä')).toBe(false);
    expect(sameName('K', '\u212a')).toBe(false);
  });

  it('is quoted so that it can hold any character', () => {
    expect(quoteName('a"b c')).toBe('"a""b c"');
  });
});
