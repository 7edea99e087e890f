/** Fernet against fixed vectors: pyca/cryptography's answers, and the specification's own where they lie beside us. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeFernetKey, Fernet } from '../../src/core/fernet.js';
import { MultiFernet } from '../../src/core/multi-fernet.js';
import { readVectors } from '../read-vectors.js';
import { DECRYPT_FAILED, refusalOf } from '../refusal.js';
import { twinEncrypt } from './fernet-twin.js';

type PythonAnswer = 'accepted' | 'InvalidToken' | 'ValueError';

interface PythonVectors {
  readonly generate: { key: string; iv: string; timestamp: string; plaintext_hex: string; token: string }[];
  readonly rotate: { keys: string[]; old: string; rotated_example: string; timestamp: string; plaintext: string }[];
  readonly decode_variants: {
    name: string;
    key: string;
    token: string;
    python: PythonAnswer;
    plaintext: string | null;
  }[];
  readonly ttl: { key: string; token: string; timestamp: string; ttl: string; now: string; python: PythonAnswer }[];
  readonly keys: { name: string; key: string; python: PythonAnswer }[];
}

const vectors = readVectors<PythonVectors>('fernet-python-interop.json');
const MODES = ['strict', 'python'] as const;

describe('tokens that pyca/cryptography made', () => {
  it('has vectors in every section', () => {
    for (const section of Object.values(vectors)) expect(section.length).toBeGreaterThan(0);
  });

  it.each(MODES)('open in %s mode, with their time', (base64) => {
    for (const { key, token, timestamp, plaintext_hex } of vectors.generate) {
      const fernet = new Fernet(key, { base64 });
      expect(fernet.decryptBytes(token).toString('hex')).toBe(plaintext_hex);
      expect(fernet.extractTimestamp(token)).toBe(BigInt(timestamp));
    }
  });

  it('are made again by the twin, byte for byte', () => {
    for (const { key, iv, token, timestamp, plaintext_hex } of vectors.generate) {
      const [keyBytes, ivBytes] = [Buffer.from(key, 'base64url'), Buffer.from(iv, 'hex')];
      expect(twinEncrypt(keyBytes, Buffer.from(plaintext_hex, 'hex'), BigInt(timestamp), ivBytes)).toBe(token);
    }
  });

  it('are rotated as MultiFernet.rotate of Python does: the same text and time under the first key', () => {
    for (const { keys, old, rotated_example, timestamp, plaintext } of vectors.rotate) {
      const fernets = keys.map((key) => new Fernet(key));
      const rotated = new MultiFernet(fernets).rotate(old);
      for (const token of [rotated, rotated_example]) {
        expect(fernets[0]?.decrypt(token)).toBe(plaintext);
        expect(fernets[0]?.extractTimestamp(token)).toBe(BigInt(timestamp));
      }
      expect(fernets[0] && refusalOf(() => fernets[0]?.decrypt(old))).toEqual(DECRYPT_FAILED);
    }
  });
});

describe('token texts that differ from the canonical one', () => {
  const asText = (token: string) => token;
  const asBytes = (token: string) => Buffer.from(token, 'ascii');

  it.each(vectors.decode_variants)('$name: python mode answers as Python does ($python)', (vector) => {
    for (const form of [asText, asBytes]) {
      const decrypt = () => new Fernet(vector.key, { base64: 'python' }).decrypt(form(vector.token));
      if (vector.python === 'accepted') expect(decrypt()).toBe(vector.plaintext);
      else expect(refusalOf(decrypt)).toEqual(DECRYPT_FAILED);
    }
  });

  it.each(vectors.decode_variants)('$name: strict mode takes only the canonical text', (vector) => {
    for (const form of [asText, asBytes]) {
      const decrypt = () => new Fernet(vector.key).decrypt(form(vector.token));
      if (vector.name === 'canonical') expect(decrypt()).toBe(vector.plaintext);
      else expect(refusalOf(decrypt)).toEqual(DECRYPT_FAILED);
    }
  });
});

describe('the age of a token', () => {
  it.each(vectors.ttl)('made at $timestamp, TTL $ttl, now $now: $python', ({ key, token, ttl, now, python }) => {
    for (const base64 of MODES) {
      const decrypt = () =>
        new Fernet(key, { base64 }).decrypt(token, { ttlSeconds: BigInt(ttl), nowSeconds: BigInt(now) });
      if (python === 'accepted') expect(decrypt()).toBe('hello');
      else expect(refusalOf(decrypt)).toEqual(DECRYPT_FAILED);
    }
  });
});

describe('key texts', () => {
  const MALFORMED = {
    code: 'ERR_KEY_MALFORMED',
    message: 'A Fernet key is 32 bytes in base64url, 44 characters with the padding; make one with `fieldseal keygen`.',
  };

  it.each(vectors.keys)('$name: python mode answers as Python does ($python)', ({ key, python }) => {
    const decode = () => decodeFernetKey(key, 'python');
    if (python === 'accepted') expect(decode().length).toBe(32);
    else expect(refusalOf(decode)).toEqual(MALFORMED);
  });

  it.each(vectors.keys)('$name: strict mode takes only the canonical text', ({ name, key }) => {
    const decode = () => decodeFernetKey(key);
    if (name === 'urlsafe padded') expect(decode().length).toBe(32);
    else expect(refusalOf(decode)).toEqual(MALFORMED);
  });
});

/** The specification's vectors, in a folder beside the checkout. */
const SPEC_FOLDER = new URL('../../../../../shared/vectors/fernet/', import.meta.url);

interface SpecVector {
  readonly desc?: string;
  readonly token: string;
  readonly now: string;
  readonly iv: number[];
  readonly src: string;
  readonly secret: string;
  readonly ttl_sec: number;
}

describe('the vectors of github.com/fernet/spec', () => {
  const secondsOf = ({ now }: SpecVector) => Date.parse(now) / 1000;

  function specVectors(fileName: string, context: { skip(note: string): never }): SpecVector[] {
    const file = new URL(fileName, SPEC_FOLDER);
    if (!existsSync(file)) context.skip(`${fileName} does not lie beside the checkout`);
    return JSON.parse(readFileSync(file, 'utf8'));
  }

  it('generate: the twin makes them, and they open', (context) => {
    for (const vector of specVectors('generate.json', context)) {
      const { secret, src, iv, token } = vector;
      const key = Buffer.from(secret, 'base64url');
      expect(twinEncrypt(key, Buffer.from(src), BigInt(secondsOf(vector)), Buffer.from(iv))).toBe(token);
      expect(new Fernet(secret).decrypt(token)).toBe(src);
    }
  });

  it('verify: they open within their TTL', (context) => {
    for (const vector of specVectors('verify.json', context)) {
      const { secret, src, token, ttl_sec } = vector;
      const options = { ttlSeconds: ttl_sec, nowSeconds: secondsOf(vector) };
      for (const base64 of MODES) expect(new Fernet(secret, { base64 }).decrypt(token, options)).toBe(src);
    }
  });

  it('invalid: every one is refused', (context) => {
    for (const vector of specVectors('invalid.json', context)) {
      const options = { ttlSeconds: vector.ttl_sec, nowSeconds: secondsOf(vector) };
      for (const base64 of MODES) {
        const fernet = new Fernet(vector.secret, { base64 });
        expect(
          refusalOf(() => fernet.decrypt(vector.token, options)),
          vector.desc,
        ).toEqual(DECRYPT_FAILED);
      }
    }
  });
});
