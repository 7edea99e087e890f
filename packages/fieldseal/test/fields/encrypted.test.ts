/** The declaration of a column of any type. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import * as codecs from '../../src/fields/codecs.js';
import { encrypted } from '../../src/fields/encrypted.js';
import { encryptedString } from '../../src/fields/encrypted-string.js';
import { mask } from '../../src/fields/mask.js';
import type { ColumnDeclaration } from '../../src/fields/model.js';

describe('encrypted', () => {
  it('declares Fernet tokens as text, bound to no row and read in no other scheme, when nothing is said', () => {
    const codec = codecs.integer();
    expect(encrypted(codec)).toEqual({ codec, scheme: 'fernet', alsoReads: [], boundTo: 'column', storage: 'text' });
    expect(encrypted(codec).codec).toBe(codec);
  });

  it('keeps everything that is said, and nothing else', () => {
    const options = {
      scheme: 'xaes',
      alsoReads: ['fernet', 'plaintext'],
      boundTo: 'row',
      storage: 'bytes',
      contextId: 'users.email',
      mask: mask('email'),
      distinct: 900_000,
      commonest: 1e-6,
    } as const;
    const codec = codecs.string();
    expect(encrypted(codec, { ...options, length: 5 } as never)).toEqual({ codec, ...options });
  });

  it('has the type of its codec', () => {
    expectTypeOf(encrypted(codecs.timestamp())).toEqualTypeOf<ColumnDeclaration<Date>>();
    expectTypeOf(encrypted(codecs.oneOf(['a', 'b']))).toEqualTypeOf<ColumnDeclaration<'a' | 'b'>>();
    // @ts-expect-error plaintext is read, never written
    encrypted(codecs.string(), { scheme: 'plaintext' });
    // @ts-expect-error a misspelt scheme does not compile
    encrypted(codecs.string(), { alsoReads: ['fernett'] });
  });

  it('is what encryptedString declares, over a string', () => {
    const options = { scheme: 'xaes', boundTo: 'row', storage: 'bytes', distinct: 5 } as const;
    const { codec, ...rest } = encryptedString({ length: 20, ...options });
    const { codec: other, ...expected } = encrypted(codecs.string({ length: 20 }), options);
    expect(rest).toEqual(expected);
    expect([codec.name, codec.maxBytes]).toEqual([other.name, other.maxBytes]);
    expect(encryptedString().codec.maxBytes).toBeUndefined();
  });
});
