/** How schemes tell "mine", "mine but unreadable" and "not mine" apart, as sweeps ask them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import type { Secret } from '../../src/core/secret.js';
import { NO_PLACE } from '../../src/fields/place.js';
import { type OpenedToken, UNREADABLE } from '../../src/fields/scheme.js';
import { openWith, SCHEMES } from '../../src/fields/schemes.js';
import { SealQueue } from '../../src/fields/seal-queue.js';
import { type Key, KeyringSnapshot } from '../../src/keys/keyring-snapshot.js';
import { twinEncrypt, twinSign } from '../core/fernet-twin.js';
import { freshRing } from '../fresh-keyring.js';

const ring = freshRing(2);
const keyOf = (version: string) => (ring.key(version).secret as Secret).reveal();
const iv = Buffer.alloc(16, 1);

function openedBy(stored: string): OpenedToken {
  const opened = openWith(['fernet', 'plaintext'], NO_PLACE, ring, stored);
  if (opened === null || opened === UNREADABLE) throw new Error('the value is unreadable');
  return opened as OpenedToken;
}

describe('the fernet scheme', () => {
  it('tells which key version opens a token', () => {
    for (const version of ['v1', 'v2']) {
      const token = new Fernet(keyOf(version)).encrypt('hello');
      expect(openedBy(token)).toMatchObject({ scheme: 'fernet', keyVersion: version });
      expect(openedBy(token).bytes.toString()).toBe('hello');
    }
  });

  it('knows a token of its keys by its MAC, whatever its time', () => {
    for (const seconds of [0n, 2n ** 32n, 2n ** 64n - 1n]) {
      const token = twinEncrypt(keyOf('v2'), Buffer.from('hello'), seconds, iv);
      expect(openedBy(token)).toMatchObject({ scheme: 'fernet', keyVersion: 'v2' });
    }
  });

  it('calls a token of no key of the ring unreadable, unless its time is beyond 2106, when it is no token', () => {
    const foreign = Buffer.alloc(32, 9);
    const tokenAt = (seconds: bigint) => twinEncrypt(foreign, Buffer.from('hello'), seconds, iv);
    expect(SCHEMES.fernet.open(NO_PLACE, ring, tokenAt(1n), true)).toBe(UNREADABLE);
    expect(SCHEMES.fernet.open(NO_PLACE, ring, tokenAt(2n ** 32n - 1n), true)).toBe(UNREADABLE);
    expect(SCHEMES.fernet.open(NO_PLACE, ring, tokenAt(2n ** 32n), true)).toBeNull();
  });

  it('calls authentic bytes unreadable that are not a token: another version, a wrong padding', () => {
    const version = twinEncrypt(keyOf('v1'), Buffer.from('hello'), 1n, iv, 0x81);
    const head = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 1]);
    const padding = twinSign(keyOf('v1'), Buffer.concat([head, iv, Buffer.alloc(16)]));
    for (const token of [version, padding])
      expect(openWith(['fernet', 'plaintext'], NO_PLACE, ring, token)).toBe(UNREADABLE);
  });

  it('does not open under a key that is disabled or destroyed', () => {
    const token = new Fernet(keyOf('v2')).encrypt('hello');
    for (const state of ['disabled', 'destroyed'] as const) {
      const keys = ring.keys.map((key): Key => {
        if (key.version !== 'v2') return key;
        return { ...key, state, secret: state === 'destroyed' ? null : key.secret };
      });
      expect(openWith(['fernet', 'plaintext'], NO_PLACE, new KeyringSnapshot(ring.id, 2, keys), token)).toBe(
        UNREADABLE,
      );
    }
  });

  it('reseals the same bytes under another key, and the token keeps its time', () => {
    const [primary, second] = ring.readable;
    if (!primary || !second) throw new Error('the ring has two keys');
    for (const seconds of [0n, 1_700_000_000n, 2n ** 64n - 1n]) {
      for (const bytes of [Buffer.from('hello'), Buffer.alloc(0), Buffer.from([0xff]), Buffer.alloc(40_000, 1)]) {
        const opened = openedBy(twinEncrypt(keyOf('v2'), bytes, seconds, iv));
        const queue = new SealQueue(primary);
        const sealed = opened.reseal(queue);
        expect(() => sealed.stored).toThrow(new TypeError('the queue was not run yet'));
        queue.run();
        const resealed = sealed.stored as string;
        const fernet = new Fernet(keyOf(primary.version));
        expect(fernet.extractTimestamp(resealed)).toBe(seconds);
        expect(fernet.decryptBytes(resealed).equals(bytes)).toBe(true);
        expect(opened.bytes.equals(bytes)).toBe(true);
      }
    }
  });
});

describe('the plaintext scheme', () => {
  it('takes any text as it is', () => {
    const opened = openedBy('+82-10-1234-5678');
    expect(opened).toMatchObject({ scheme: 'plaintext', keyVersion: null });
    expect(opened.bytes.toString()).toBe('+82-10-1234-5678');
  });
});

describe('openWith', () => {
  it('asks in order, and a scheme that is not named is not asked', () => {
    const token = SCHEMES.fernet.seal(NO_PLACE, ring.primary, 'hello', 'text');
    expect(openWith([], NO_PLACE, ring, token)).toBeNull();
    expect(openWith(['fernet'], NO_PLACE, ring, 'hello')).toBeNull();
    expect(openWith(['plaintext'], NO_PLACE, ring, token)).toMatchObject({ scheme: 'plaintext' });
    expect(openWith(['fernet', 'plaintext'], NO_PLACE, ring, token)).toMatchObject({ scheme: 'fernet' });
  });

  it('finds plaintext in every text that is not shaped as a token, and brings it back', () => {
    const nearToken = fc
      .tuple(fc.constantFrom('gAAAAA', 'gAAAAABl', ''), fc.base64String())
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), nearToken), (text) => {
        const bytes = Buffer.from(text, 'base64url');
        const opened = openWith(['fernet', 'plaintext'], NO_PLACE, ring, text);
        const isShaped = text.startsWith('gAAAAA') && bytes.length >= 73 && (bytes.length - 57) % 16 === 0;
        if (opened === UNREADABLE) expect(isShaped).toBe(true);
        else expect(opened?.bytes.toString('utf8')).toBe(text);
      }),
      { numRuns: 500 },
    );
  });
});
