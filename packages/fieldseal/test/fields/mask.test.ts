/** How a value is shown to somebody who need not see all of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MASK_KINDS, type MaskKind, mask } from '../../src/fields/mask.js';
import { refusalOf } from '../refusal.js';

describe('a mask', () => {
  it.each<[kind: MaskKind, value: string, masked: string]>([
    ['phone', '+82-10-1234-5678', '+82-**-****-5678'],
    ['phone', '+1 (415) 555-2671', '+1 (***) ***-2671'],
    ['phone', '+44 20 7946 0958', '+44 ** **** 0958'],
    ['phone', '+821012345678', '+********5678'],
    ['phone', '+8210-1234-5678', '+****-****-5678'],
    ['phone', '010-1234-5678', '***-****-5678'],
    ['phone', '01012345678', '*******5678'],
    ['phone', '(415) 555-2671 x12', '(***) ***-**71 *12'],
    ['phone', '０１０－１２３４－５６７８', '***－****－５６７８'],
    ['phone', '555-1234', '****'],
    ['phone', '+82-1234', '****'],
    ['phone', '+82', '****'],
    ['phone', 'not a number', '****'],
    ['email', 'jane.doe@example.com', 'j***@example.com'],
    ['email', 'ab@example.com', 'a***@example.com'],
    ['email', 'a@example.com', '***@example.com'],
    ['email', '😀😀@example.com', '😀***@example.com'],
    ['email', 'e\u0301ric@example.com', 'e\u0301***@example.com'],
    ['email', '"a@b"@example.co.kr', '"***@example.co.kr'],
    ['email', '홍길동@한글.한국', '홍***@한글.한국'],
    ['email', '@example.com', '****'],
    ['email', 'jane.doe', '****'],
    ['email', 'jane@', '****'],
    ['email', 'P@ssw0rd', '****'],
    ['email', 'see jane@example.com for more', '****'],
    ['card', '4111 1111 1111 1234', '**** **** **** 1234'],
    ['card', '4111-1111-1111-1234', '****-****-****-1234'],
    ['card', '378282246310005', '***********0005'],
    ['card', '4111 1111', '****'],
    ['ssn', '123-45-6789', '***-**-6789'],
    ['ssn', '123456789', '*****6789'],
    ['ssn', '123-45-678', '****'],
    ['ssn', '900101-1234567', '****'],
    ['iban', 'DE89 3704 0044 0532 0130 00', 'DE** **** **** **** **30 00'],
    ['iban', 'NO9386011117947', 'NO*********7947'],
    ['iban', 'GB82WEST12345698765432', 'GB****************5432'],
    ['iban', 'DE89', '****'],
    ['iban', '12345678901234567890', '****'],
    ['name', 'Jane Doe', 'J*** D***'],
    ['name', '  Jane \t van der  Doe ', 'J*** v*** d*** D***'],
    ['name', 'J Doe', '*** D***'],
    ['name', '홍길동', '홍***'],
    ['name', '김', '***'],
    ['name', 'É', '***'],
    ['name', 'E\u0301', '***'],
    ['name', 'E\u0301va', 'E\u0301***'],
    ['name', '👩‍👩‍👧 family', '*** f***'],
    ['name', '', '***'],
    ['last-four', 'A-2024-998877', '****8877'],
    ['last-four', 'abcd😀😃😄😁', '****😀😃😄😁'],
    ['last-four', '12345678', '****5678'],
    ['last-four', '1234567', '****'],
    ['all', 'anything', '****'],
    ['all', '', '****'],
  ])('%s: %j is shown as %j', (kind, value, masked) => {
    expect(mask(kind, value)).toBe(masked);
    expect(mask(kind)(value)).toBe(masked);
  });

  it('shows what is not text hidden whole, and null as null', () => {
    for (const kind of [...MASK_KINDS, (text: string) => text]) {
      for (const value of [0, 1234567890123456, 5n, true, new Date(0), Buffer.from('secret'), {}]) {
        expect(mask(kind, value)).toBe('****');
        expect(mask(kind)(value as unknown as string)).toBe('****');
      }
      expect([mask(kind, null), mask(kind, undefined), mask(kind)(null as unknown as string)]).toEqual([
        null,
        null,
        null,
      ]);
    }
  });
});

describe('no mask', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: fc.constantFrom('1', '２', '٣', '-', ' ', '+', '@', '.', 'a', '😀', '\u0301'), maxLength: 40 }),
    fc.emailAddress(),
  );
  const kind = fc.constantFrom(...MASK_KINDS);

  it('splits a surrogate pair', () => {
    fc.assert(
      fc.property(text, kind, (value, name) => mask(name, value).isWellFormed()),
      { numRuns: 5000 },
    );
  });

  it('shows the whole of a value that holds a letter or digit', () => {
    const withContent = text.filter((value) => /[\p{L}\p{Nd}]/u.test(value));
    fc.assert(
      fc.property(withContent, kind, (value, name) => mask(name, value) !== value),
      { numRuns: 5000 },
    );
  });

  it('of a number shows more than four digits behind the country code, or any of fewer than eight', () => {
    const digits = (value: string) => value.match(/\p{Nd}/gu)?.length ?? 0;
    fc.assert(
      fc.property(text, fc.constantFrom<MaskKind>('phone', 'card', 'ssn'), (value, name) => {
        const shown = digits(mask(name, value).replace(/^\+\d+/, ''));
        expect(shown).toBeLessThanOrEqual(4);
        if (shown > 0) expect(digits(value)).toBeGreaterThanOrEqual(8);
      }),
      { numRuns: 5000 },
    );
  });

  it('tells by its length how long a name, an address or another text is', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'B', '한', '9'), minLength: 8, maxLength: 60 });
    const hidden = (value: string) => [
      mask('name', `J${value}`),
      mask('email', `j${value}@example.com`),
      mask('last-four', `${value}tail`),
      mask('all', value),
    ];
    fc.assert(
      fc.property(word, (value) => {
        expect(hidden(value)).toEqual(['J***', 'j***@example.com', '****tail', '****']);
      }),
    );
  });
});

describe('a function of one’s own', () => {
  it('is a mask', () => {
    expect(mask((text) => text.slice(0, 2))('secret')).toBe('se');
    expect(mask((text) => text.slice(0, 2), 'secret')).toBe('se');
  });

  it('that throws, or returns no text, is refused without its message or cause', () => {
    const failed = {
      code: 'ERR_CODEC_FAILED',
      message: 'A mask of the application’s own could not mask the value.',
    };
    const leaking = (text: string) => {
      throw new Error(`cannot mask ${text}`);
    };
    for (const own of [leaking, () => undefined as unknown as string, () => 5 as unknown as string]) {
      expect(refusalOf(() => mask(own, 'secret'))).toEqual(failed);
      expect(refusalOf(() => mask(own)('secret'))).toEqual(failed);
      try {
        mask(own, 'secret');
      } catch (error) {
        expect((error as Error).cause).toBeUndefined();
      }
    }
  });
});

it('an unknown name is a mistake of the declaration, and is not repeated', () => {
  for (const name of ['Phone', 'constructor', '__proto__', '+82-10-1234-5678', '', null, undefined]) {
    expect(() => mask(name as MaskKind)).toThrow(
      new TypeError('a mask is phone, email, card, ssn, iban, name, last-four, all or a function'),
    );
  }
});

it('a mask of a very long text looks at its end only', () => {
  expect(mask('last-four', `${'👩‍👩‍👧'.repeat(200_000)}1234`)).toBe('****1234');
});
