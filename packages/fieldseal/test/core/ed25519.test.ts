import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Ed25519Key, verifyEd25519 } from '../../src/core/ed25519.js';
import { Secret } from '../../src/core/secret.js';

/** RFC 8032 §7.1, tests 1 and 2. */
const VECTORS = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
];
const hex = (text: string) => Buffer.from(text, 'hex');
/** As `openssl genpkey -algorithm ed25519` prints a key: RFC 8410 §10.3. */
const PEM = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
`;

describe('an Ed25519 key', () => {
  it.each(VECTORS)('signs as RFC 8032 does ($message)', ({ seed, publicKey, message, signature }) => {
    const key = Ed25519Key.fromSeed(Secret.from(hex(seed)));
    expect(key.publicKey.toString('hex')).toBe(publicKey);
    expect(key.sign(hex(message)).toString('hex')).toBe(signature);
    expect(verifyEd25519(hex(publicKey), hex(message), hex(signature))).toBe(true);
    expect(verifyEd25519(hex(publicKey), hex(`${message}00`), hex(signature))).toBe(false);
    expect(verifyEd25519(hex(publicKey), hex(message), hex(signature.replace(/.$/, '1')))).toBe(false);
    expect(verifyEd25519(hex(publicKey), hex(message), hex(signature.slice(2)))).toBe(false);
    expect(verifyEd25519(hex(publicKey.slice(2)), hex(message), hex(signature))).toBe(false);
  });

  it('is read from the base64 of its seed, and from PEM', () => {
    const [vector] = VECTORS;
    const base64 = hex(vector?.seed ?? '').toString('base64');
    expect(Ed25519Key.parse(` ${base64}\n`).publicKey.toString('hex')).toBe(vector?.publicKey);
    expect(Ed25519Key.parse(PEM).publicKey.toString('hex')).toBe(
      '19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1',
    );
  });

  it.each([
    ['nothing', ''],
    ['a short seed', Buffer.alloc(31).toString('base64')],
    ['broken PEM', PEM.replace('MC4C', 'MC4D')],
    [
      'a key of another kind',
      '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----',
    ],
  ])('is not read from %s, and the refusal does not quote it', (_what, text) => {
    expect(() => Ed25519Key.parse(text)).toThrow(
      expect.objectContaining({
        code: 'ERR_KEY_MALFORMED',
        message: 'The signing key is not Ed25519: give its seed of 32 bytes in base64, or a PKCS#8 PEM.',
      }),
    );
  });

  it('is verified by its public key in base64 or PEM; a private key or another kind is no public one', () => {
    const [{ publicKey }] = VECTORS as [(typeof VECTORS)[number]];
    const bytes = hex(publicKey);
    const spki = Buffer.concat([hex('302a300506032b6570032100'), bytes]).toString('base64');
    const pem = `-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n`;
    for (const text of [bytes.toString('base64'), ` ${pem}`]) expect(Ed25519Key.parsePublic(text)).toEqual(bytes);
    const { publicKey: other } = generateKeyPairSync('x25519');
    const wrong = [
      '',
      bytes.toString('hex'),
      PEM,
      pem.replace('MCow', 'MCox'),
      other.export({ type: 'spki', format: 'pem' }),
    ];
    for (const text of wrong)
      expect(() => Ed25519Key.parsePublic(String(text))).toThrow(
        expect.objectContaining({
          code: 'ERR_KEY_MALFORMED',
          message: 'The public key is not Ed25519: give its 32 bytes in base64, or a PEM.',
        }),
      );
  });

  it('shows nothing of itself', () => {
    const key = Ed25519Key.fromSeed(Ed25519Key.generateSeed());
    expect(`${inspect(key, { depth: 9, showHidden: true })}${JSON.stringify(key)}`).not.toContain('PRIVATE');
  });
});
