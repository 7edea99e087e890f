/** The primitives against Project Wycheproof's vectors, where they lie in a folder beside the checkout. */
import { createSecretKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openAes256Gcm, sealAes256Gcm } from '../../src/core/aes-256-gcm.js';
import { deriveKey } from '../../src/core/derive-key.js';
import { Fernet } from '../../src/core/fernet.js';
import { HMAC_BLOCK_BYTES, HmacSha256 } from '../../src/core/hmac-sha256.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';
import { twinSign } from './fernet-twin.js';

/** From github.com/C2SP/wycheproof. */
const FOLDER = new URL('../../../../../shared/vectors/wycheproof/', import.meta.url);

interface Case {
  readonly tcId: number;
  readonly result: 'valid' | 'invalid' | 'acceptable';
}

interface Group<C extends Case> {
  readonly keySize: number;
  readonly ivSize: number;
  readonly tagSize: number;
  readonly tests: readonly C[];
}

/** The groups of a file. Without it, as in a lone clone, the test ends here and counts as skipped. */
function groupsOf<C extends Case>(fileName: string, context: { skip(note: string): never }): readonly Group<C>[] {
  const file = new URL(fileName, FOLDER);
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).testGroups;
  const note = `${fileName} does not lie beside the checkout`;
  return context.skip(note);
}

const hex = (text: string) => Buffer.from(text, 'hex');

/** How many cases of each result there are, and that none is of a result which we would have to judge. */
function countsOf(cases: readonly Case[]): { valid: number; invalid: number } {
  const count = (result: Case['result']) => cases.filter((one) => one.result === result).length;
  expect(count('acceptable')).toBe(0);
  return { valid: count('valid'), invalid: count('invalid') };
}

interface GcmCase extends Case {
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
}

describe('AES-256-GCM', () => {
  const open = ({ key, iv, ct, tag, aad }: GcmCase) =>
    openAes256Gcm(createSecretKey(hex(key)), hex(iv), hex(ct + tag), hex(aad));
  const seal = ({ key, iv, msg, aad }: GcmCase) =>
    sealAes256Gcm(createSecretKey(hex(key)), hex(iv), hex(msg), hex(aad));

  it('opens and seals what is valid, and opens nothing else', (context) => {
    const cases = groupsOf<GcmCase>('aes_gcm_test.json', context)
      .filter(({ keySize, ivSize, tagSize }) => keySize === 256 && ivSize === 96 && tagSize === 128)
      .flatMap(({ tests }) => tests);
    const { valid, invalid } = countsOf(cases);
    expect(valid).toBeGreaterThanOrEqual(39);
    expect(invalid).toBeGreaterThanOrEqual(27);
    for (const one of cases) {
      if (one.result === 'valid') {
        expect(open(one).toString('hex'), `${one.tcId}`).toBe(one.msg);
        expect(seal(one).toString('hex'), `${one.tcId}`).toBe(one.ct + one.tag);
      } else {
        expect(
          refusalOf(() => open(one)),
          `${one.tcId}`,
        ).toEqual(DECRYPT_FAILED);
      }
    }
  });

  it('takes no nonce of another length, whether GCM would or not', (context) => {
    const cases = groupsOf<GcmCase>('aes_gcm_test.json', context)
      .filter(({ keySize, ivSize }) => keySize === 256 && ivSize !== 96)
      .flatMap(({ tests }) => tests);
    expect(cases.length).toBeGreaterThanOrEqual(30);
    for (const one of cases) {
      expect(
        refusalOf(() => open(one)),
        `${one.tcId}`,
      ).toEqual(DECRYPT_FAILED);
      expect(() => seal(one), `${one.tcId}`).toThrow(new RangeError('an AES-256-GCM nonce has 12 bytes'));
    }
  });
});

interface MacCase extends Case {
  readonly key: string;
  readonly msg: string;
  readonly tag: string;
}

describe('HMAC-SHA256', () => {
  function macOf({ key, msg }: MacCase): string {
    return new HmacSha256(hex(key)).of(hex(msg)).toString('hex');
  }

  it('gives what is valid, whole or cut to 16 bytes, and nothing else', (context) => {
    const cases = groupsOf<MacCase>('hmac_sha256_test.json', context)
      .filter(({ keySize }) => keySize <= 8 * HMAC_BLOCK_BYTES)
      .flatMap(({ tests }) => tests);
    const { valid, invalid } = countsOf(cases);
    expect(valid).toBeGreaterThanOrEqual(60);
    expect(invalid).toBeGreaterThanOrEqual(108);
    for (const one of cases) {
      expect(one.tag.length, `${one.tcId}`).toBeGreaterThanOrEqual(32);
      expect(macOf(one).startsWith(one.tag), `${one.tcId}`).toBe(one.result === 'valid');
    }
  });

  it('takes no key of more than a block', (context) => {
    const cases = groupsOf<MacCase>('hmac_sha256_test.json', context)
      .filter(({ keySize }) => keySize > 8 * HMAC_BLOCK_BYTES)
      .flatMap(({ tests }) => tests);
    expect(cases.length).toBeGreaterThanOrEqual(6);
    for (const one of cases) {
      expect(() => macOf(one), `${one.tcId}`).toThrow(new RangeError('an HMAC key here has at most 64 bytes'));
    }
  });
});

interface HkdfCase extends Case {
  readonly ikm: string;
  readonly salt: string;
  readonly info: string;
  readonly size: number;
  readonly okm: string;
}

describe('HKDF-SHA256', () => {
  it('gives what is valid, and no more bytes than it may', (context) => {
    const cases = groupsOf<HkdfCase>('hkdf_sha256_test.json', context).flatMap(({ tests }) => tests);
    const { valid, invalid } = countsOf(cases);
    expect(valid).toBeGreaterThanOrEqual(83);
    expect(invalid).toBeGreaterThanOrEqual(3);
    for (const one of cases) {
      const derive = () => deriveKey(hex(one.ikm), hex(one.salt), hex(one.info), one.size).toString('hex');
      if (one.result === 'valid') expect(derive(), `${one.tcId}`).toBe(one.okm);
      else {
        const tooLong = expect.objectContaining({ name: 'RangeError', code: 'ERR_CRYPTO_INVALID_KEYLEN' });
        expect(derive, `${one.tcId}`).toThrow(tooLong);
      }
    }
  });
});

interface CbcCase extends Case {
  readonly key: string;
  readonly iv: string;
  readonly msg: string;
  readonly ct: string;
}

describe('AES-128-CBC with PKCS #7 padding, inside an authentic Fernet token', () => {
  it('opens what is valid, and refuses every wrong padding', (context) => {
    const cases = groupsOf<CbcCase>('aes_cbc_pkcs5_test.json', context)
      .filter(({ keySize }) => keySize === 128)
      .flatMap(({ tests }) => tests);
    const { valid, invalid } = countsOf(cases);
    expect(valid).toBeGreaterThanOrEqual(24);
    expect(invalid).toBeGreaterThanOrEqual(48);
    for (const { tcId, result, key, iv, msg, ct } of cases) {
      const fernetKey = Buffer.concat([Buffer.alloc(16, 7), hex(key)]);
      const token = twinSign(fernetKey, Buffer.concat([Buffer.from([0x80]), Buffer.alloc(8), hex(iv), hex(ct)]));
      const open = () => new Fernet(fernetKey).decryptBytes(token);
      if (result === 'valid') expect(open().toString('hex'), `${tcId}`).toBe(msg);
      else expect(refusalOf(open), `${tcId}`).toEqual(DECRYPT_FAILED);
    }
  });
});
