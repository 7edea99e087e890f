/** Base64url, read strictly and as Python reads it. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeBase64UrlPython,
  decodeBase64UrlStrict,
  encodeBase64Url,
  writeStrictBase64Url,
  writeStrictUnpadded,
} from '../../src/core/base64url.js';
import { pythonFor, runPython } from '../python.js';

const data = fc.uint8Array({ maxLength: 70 });

/** Reads {texts, latin1s}; answers each with the hex of what Python decodes, or null where it raises. */
const DECODE_ALL = `
import base64, json, sys
def decode(given):
    try:
        return base64.urlsafe_b64decode(given).hex()
    except Exception:
        return None
cases = json.load(sys.stdin)
json.dump({
    'texts': [decode(text) for text in cases['texts']],
    'latin1s': [decode(text.encode('latin-1')) for text in cases['latin1s']],
}, sys.stdout)
`;

describe('strict base64url', () => {
  it('is what Node writes, with its padding', () => {
    fc.assert(
      fc.property(data, (bytes) => {
        const expected = Buffer.from(bytes).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
        expect(encodeBase64Url(bytes)).toBe(expected);
        expect(decodeBase64UrlStrict(expected)?.equals(bytes)).toBe(true);
        expect(decodeBase64UrlPython(expected)?.equals(bytes)).toBe(true);
      }),
    );
  });

  it('takes one text for each value: a text that decodes is the one that encoding writes', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ABCQgw09-_+/= \n'), maxLength: 9 });
    fc.assert(
      fc.property(text, (candidate) => {
        const bytes = decodeBase64UrlStrict(candidate);
        if (bytes) expect(encodeBase64Url(bytes)).toBe(candidate);
      }),
      { numRuns: 5000 },
    );
  });

  it.each(['QQ', 'QQ=', 'QQ===', 'QR==', 'Q', '=', 'QUI', 'QUJ=', 'QQ==\n', ' QQ==', '+/+/', 'QQ==QQ==', 'Ä'])(
    '%j is refused',
    (text) => {
      expect(decodeBase64UrlStrict(text)).toBeNull();
    },
  );
});

describe('the fast way to strict base64url', () => {
  const target = Buffer.alloc(4096);

  /** What the fast ways make of a text, and what encoding again and comparing makes of it. */
  function agrees(text: string): void {
    const bytes = Buffer.from(text, 'base64url');
    for (const [written, isCanonical] of [
      [writeStrictBase64Url(text, target, 5), encodeBase64Url(bytes) === text],
      [writeStrictUnpadded(text, target, 5), bytes.toString('base64url') === text],
    ] as const) {
      if (written !== (isCanonical ? bytes.length : -1)) throw new Error(`${JSON.stringify(text)}: ${written}`);
      if (isCanonical) expect(target.subarray(5, 5 + written).equals(bytes)).toBe(true);
    }
  }

  it('is the twin that encodes again and compares, of texts near the border', () => {
    const noise = fc.constantFrom(...'AQgwz09-_+/=== \n\0\u007f\u0080\u00ff\u0141\u2d41\ud800😀');
    const stuffed = fc
      .tuple(data, fc.array(fc.tuple(fc.nat(100), fc.boolean(), noise), { maxLength: 4 }), fc.boolean())
      .map(([bytes, changes, isPadded]) => {
        const chars = [...(isPadded ? encodeBase64Url(bytes) : Buffer.from(bytes).toString('base64url'))];
        for (const [at, replaces, sign] of changes) chars.splice(at % (chars.length + 1), replaces ? 1 : 0, sign);
        return chars.join('');
      });
    const wild = fc.string({ unit: noise, maxLength: 12 });
    fc.assert(fc.property(fc.oneof(stuffed, wild), agrees), { numRuns: 20_000 });
  });

  it.each(['QUJDRUZH', 'QUJDREU=', 'QUJDRA==', 'QUJDREU', 'QUJDRA'])(
    'is the twin for every character in %s',
    (text) => {
      for (let at = 0; at < text.length; at++) {
        for (let unit = 0; unit < 0x1_0000; unit++) {
          agrees(text.slice(0, at) + String.fromCharCode(unit) + text.slice(at + 1));
        }
      }
    },
  );

  it('is the twin of texts that are decoded in pieces, at their seams too', () => {
    const room = Buffer.alloc(200 * 1024);
    for (const length of [49_150, 49_151, 49_152, 49_153, 98_304, 98_306, 150_000]) {
      const bytes = randomBytes(length);
      const text = encodeBase64Url(bytes);
      expect(writeStrictBase64Url(text, room, 3)).toBe(length);
      expect(room.subarray(3, 3 + length).equals(bytes)).toBe(true);
      for (const at of [0, 65_533, 65_534, 65_535, 65_536, 65_537, text.length - 3, text.length - 1]) {
        for (const sign of ['', '=', '\n', '+', 'é', '\u0141', 'AA']) {
          const changed = text.slice(0, at) + sign + text.slice(at + 1);
          const twin = decodeBase64UrlStrict(changed);
          expect(writeStrictBase64Url(changed, room, 3)).toBe(twin ? twin.length : -1);
        }
      }
    }
  });

  it('is the twin of a text that V8 keeps in two bytes a character, though none needs them', () => {
    for (const text of ['QUJDRA==', 'QUJDREU=', 'QUJDRUZH'.repeat(100), 'QUJDRA=', 'QUJ+RUZH', 'QUJDÄUZH']) {
      agrees(`\u0141${text}`.slice(1));
    }
  });

  it('writes where it is told, and nowhere else', () => {
    target.fill(7);
    expect(writeStrictBase64Url('QUJDRA==', target, 10)).toBe(4);
    expect(target.subarray(0, 10).every((byte) => byte === 7)).toBe(true);
    expect(target.subarray(14).every((byte) => byte === 7)).toBe(true);
    expect(() => writeStrictBase64Url('QUJDRA==', target, 4093)).toThrow(
      new RangeError('the decoded bytes do not fit'),
    );
  });
});

describe("Python's base64url", () => {
  /** Texts near the border of what Python takes: valid ones, cut, stuffed with signs, padded at random. */
  function hostileTexts(beyondAscii: readonly string[]): string[] {
    const noise = fc.constantFrom(...'AQgwz09-_+/=== \n\r\t%!.,:~\0', ...beyondAscii);
    const stuffed = fc
      .tuple(data, fc.array(fc.tuple(fc.nat(100), noise), { maxLength: 5 }))
      .map(([bytes, stuffing]) => {
        const chars = [...encodeBase64Url(bytes)];
        for (const [at, sign] of stuffing) chars.splice(at % (chars.length + 1), 0, sign);
        return chars.join('');
      });
    const cut = fc.tuple(stuffed, fc.nat(100), fc.nat(100)).map(([text, from, to]) => text.slice(from % 5, to));
    const wild = fc.string({ unit: noise, maxLength: 12 });
    return fc.sample(fc.oneof(stuffed, cut, wild), { numRuns: 20_000, seed: 20_260_226 });
  }

  it('takes exactly what the local python3 takes, text and bytes', (context) => {
    const python = pythonFor('import base64', context);
    const cases = { texts: hostileTexts(['é', '한', '😀']), latin1s: hostileTexts(['é', '\u0080', 'ÿ']) };
    const answers = runPython<Record<keyof typeof cases, (string | null)[]>>(python, DECODE_ALL, cases);
    const hexOf = (text: string, standsForBytes: boolean) =>
      decodeBase64UrlPython(text, standsForBytes)?.toString('hex') ?? null;
    const disagreements = [
      ...cases.texts.filter((text, i) => hexOf(text, false) !== answers.texts[i]),
      ...cases.latin1s.filter((text, i) => hexOf(text, true) !== answers.latin1s[i]),
    ];
    expect(disagreements).toEqual([]);
    // The cases say something only if Python takes many and refuses many.
    const taken = answers.texts.filter((answer) => answer !== null).length;
    expect(taken).toBeGreaterThan(2000);
    expect(taken).toBeLessThan(18_000);
  });

  it('gives up on a character beyond ASCII anywhere in text, and skips one in bytes', () => {
    for (const text of ['QéQ==', 'éQQ==', 'QQ==é', 'QQ==AA😀']) {
      expect(decodeBase64UrlPython(text)).toBeNull();
      expect(decodeBase64UrlPython(text, true)?.toString()).toBe('A');
    }
  });
});
