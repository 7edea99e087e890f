/** What makes two texts count as equal in a blind index. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertNormalisers, NORMALISER_NAMES, type Normaliser, normalise } from '../../src/fields/normaliser.js';
import { refusalOf } from '../refusal.js';

const anyText = fc.string({ unit: 'binary', maxLength: 30 });

describe('a normaliser', () => {
  it.each<[name: Normaliser, text: string, normalised: string]>([
    ['lower-case', 'Jane DOE', 'jane doe'],
    ['lower-case', 'ÀÉÎ ΩΔ ЖЯ', 'àéî ωδ жя'],
    ['lower-case', 'I', 'i'],
    ['lower-case', 'Straße', 'straße'],
    ['lower-case', '한글 😀', '한글 😀'],
    ['trim', ' \t\r\n jane  doe \u00a0\u2003\u3000\u2028\ufeff', 'jane  doe'],
    ['trim', '\u200bjane', '\u200bjane'],
    ['trim', '   ', ''],
    ['nfkc', 'e\u0301', '\u00e9'],
    ['nfkc', 'ＡＢＣ１２３', 'ABC123'],
    ['nfkc', 'ﬁ ½ ™', 'fi 1⁄2 TM'],
    ['nfkc', '\u1112\u1161\u11ab', '한'],
    ['digits', '+82-10-1234-5678', '821012345678'],
    ['digits', '＋８２ (１０) １２３４.５６７８', '821012345678'],
    ['digits', '٠١٢٣٤٥٦٧٨٩', '0123456789'],
    ['digits', '۰۱۲۳۴۵۶۷۸۹', '0123456789'],
    ['digits', '०१२३४५६७८९', '0123456789'],
    ['digits', '𝟘𝟙𝟚𝟛𝟜𝟝𝟞𝟟𝟠𝟡 x²', '01234567892'],
    ['digits', 'none at all', ''],
    ['last-four', '4111111111111234', '1234'],
    ['last-four', 'a😀😃😄😁', '😀😃😄😁'],
    ['last-four', '😀a😃b😄', 'a😃b😄'],
    ['last-four', 'abc', 'abc'],
    ['last-four', '', ''],
    ['email-domain', 'Jane@Example.COM', 'example.com'],
    ['email-domain', '"a@b"@example.com', 'example.com'],
    ['email-domain', 'jane@', ''],
    ['email-domain', 'jane', ''],
  ])('%s: %j becomes %j', (name, text, normalised) => {
    expect(normalise([name], text)).toBe(normalised);
  });

  it('that has a name changes nothing the second time, and makes well-formed text', () => {
    const idempotent = NORMALISER_NAMES.filter((name) => name !== 'email-domain');
    fc.assert(
      fc.property(anyText, fc.constantFrom(...idempotent), (text, name) => {
        const once = normalise([name], text);
        expect(once.isWellFormed()).toBe(true);
        expect(normalise([name], once)).toBe(once);
      }),
      { numRuns: 2000 },
    );
  });

  it('digits reads every script’s digits as Intl writes them', () => {
    const systems = Intl.supportedValuesOf('numberingSystem')
      .map((system) => new Intl.NumberFormat(`en-u-nu-${system}`, { useGrouping: false }))
      .map((format) => format.format(9_876_543_210))
      .filter((written) => /^\p{Nd}{10}$/u.test(written));
    expect(systems.length).toBeGreaterThan(50);
    for (const written of systems) expect(normalise(['digits'], written)).toBe('9876543210');
  });

  it('digits leaves nothing but 0 to 9 of any text', () => {
    fc.assert(fc.property(anyText, (text) => /^[0-9]*$/.test(normalise(['digits'], text))));
  });

  it('last-four is the last four code points of any text', () => {
    const text = fc.array(fc.constantFrom('a', '한', '😀', '\u0301'), { maxLength: 12 });
    fc.assert(
      fc.property(text, (chars) => {
        expect(normalise(['last-four'], chars.join(''))).toBe(chars.slice(-4).join(''));
      }),
    );
  });

  it('email-domain finds the domain behind any local part', () => {
    fc.assert(
      fc.property(anyText, fc.domain(), (local, domain) => {
        expect(normalise(['email-domain'], `${local}@${domain.toUpperCase()}`)).toBe(domain.toLowerCase());
      }),
    );
  });
});

describe('several normalisers', () => {
  it('are applied in their order', () => {
    expect(normalise(['trim', 'lower-case'], '  Jane@Example.com ')).toBe('jane@example.com');
    expect(normalise(['digits', 'last-four'], '1234-5678 (home)')).toBe('5678');
    expect(normalise(['last-four', 'digits'], '1234-5678 (home)')).toBe('');
    expect(normalise(['nfkc', 'lower-case'], 'ℋ')).toBe('h');
    expect(normalise(['lower-case', 'nfkc'], 'ℋ')).toBe('H');
  });

  it('may be none: the text is taken as it is', () => {
    fc.assert(fc.property(anyText, (text) => normalise([], text) === text));
  });

  it('are each given what the one before made', () => {
    const seen: string[] = [];
    const spy = (text: string) => {
      seen.push(text);
      return `${text}!`;
    };
    expect(normalise([spy, 'lower-case', spy], 'A')).toBe('a!!');
    expect(seen).toEqual(['A', 'a!']);
  });
});

describe('a function of one’s own', () => {
  it('that throws is refused without its message or cause', () => {
    const leaking = (text: string) => {
      throw new Error(`cannot read ${text}`);
    };
    const failed = { code: 'ERR_CODEC_FAILED', message: 'A normaliser could not normalise the value.' };
    expect(refusalOf(() => normalise(['trim', leaking], 'secret'))).toEqual(failed);
    try {
      normalise([leaking], 'secret');
    } catch (error) {
      expect((error as Error).cause).toBeUndefined();
    }
  });

  it.each([[undefined], [null], [5], [Buffer.from('a')], ['\ud800'], [Promise.resolve('a')]])(
    'returns text, not %j',
    (result) => {
      expect(refusalOf(() => normalise([() => result as string], 'secret'))).toEqual({
        code: 'ERR_CODEC_FAILED',
        message: 'A normaliser made something that is not well-formed text.',
      });
    },
  );
});

describe('a declaration', () => {
  it('takes every name, functions, and none', () => {
    for (const steps of [NORMALISER_NAMES, [(text: string) => text], ['trim', String], []]) {
      expect(() => assertNormalisers(steps)).not.toThrow();
    }
  });

  it.each([
    [['lowercase']],
    [['trim', 'Trim']],
    [['constructor']],
    [['__proto__']],
    [['toString']],
    [[undefined]],
    [[null]],
    [[['trim']]],
    ['trim'],
    [undefined],
    [null],
    [{ 0: 'trim', length: 1 }],
  ])('takes no %j', (steps) => {
    const unknown = new TypeError(
      'normalise is a list of lower-case, trim, nfkc, digits, last-four, email-domain or functions',
    );
    expect(() => assertNormalisers(steps)).toThrow(unknown);
    expect(() => normalise(steps as Normaliser[], 'text')).toThrow(unknown);
  });
});
