/** Ed25519 (RFC 8032): signatures that stand for themselves, over texts that leave the database. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { FieldsealError } from '../errors.js';
import { Secret } from './secret.js';

const SEED_BYTES = 32;
/** What stands before the seed in PKCS#8, and before the public key in SPKI (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

function malformed(): FieldsealError {
  return new FieldsealError(
    'ERR_KEY_MALFORMED',
    'The signing key is not Ed25519: give its seed of 32 bytes in base64, or a PKCS#8 PEM.',
  );
}

function malformedPublic(): FieldsealError {
  return new FieldsealError(
    'ERR_KEY_MALFORMED',
    'The public key is not Ed25519: give its 32 bytes in base64, or a PEM.',
  );
}

/** The key that `read` makes of a PEM. @throws `refusal` when that is no key, or one of another kind */
function readPem(read: () => KeyObject, refusal: FieldsealError): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch {
    throw refusal;
  }
  if (key.asymmetricKeyType !== 'ed25519') throw refusal;
  return key;
}

function publicBytes(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' }).subarray(SPKI.length);
}

/** A private key that signs. Printing it shows nothing of it. */
export class Ed25519Key {
  readonly #key: KeyObject;
  /** The public key, 32 bytes. */
  readonly publicKey: Buffer;

  private constructor(key: KeyObject) {
    this.#key = key;
    this.publicKey = publicBytes(createPublicKey(key));
  }

  /** A new seed, 32 bytes of the CSPRNG. */
  static generateSeed(): Secret {
    return Secret.random(SEED_BYTES);
  }

  /** @throws FieldsealError `ERR_KEY_MALFORMED` when it is not 32 bytes */
  static fromSeed(seed: Secret): Ed25519Key {
    if (seed.length !== SEED_BYTES) throw malformed();
    const der = Buffer.concat([PKCS8, seed.reveal()]);
    try {
      return new Ed25519Key(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    } finally {
      der.fill(0);
    }
  }

  /**
   * Reads a key as people write it down: the seed in base64, or PKCS#8 in PEM as `openssl genpkey -algorithm ed25519`
   * prints it. White space around it does not count.
   * @throws FieldsealError `ERR_KEY_MALFORMED`, without a word of what was given
   */
  static parse(text: string): Ed25519Key {
    const trimmed = text.trim();
    if (/^[A-Za-z0-9+/]{43}=$/.test(trimmed)) return Ed25519Key.fromSeed(Secret.from(Buffer.from(trimmed, 'base64')));
    if (!trimmed.startsWith('-----BEGIN PRIVATE KEY-----')) throw malformed();
    return new Ed25519Key(readPem(() => createPrivateKey(trimmed), malformed()));
  }

  /**
   * Reads a public key: its 32 bytes in base64, or SPKI in PEM as `openssl pkey -pubout` and key services print it.
   * @throws FieldsealError `ERR_KEY_MALFORMED`
   */
  static parsePublic(text: string): Buffer {
    const trimmed = text.trim();
    if (/^[A-Za-z0-9+/]{43}=$/.test(trimmed)) return Buffer.from(trimmed, 'base64');
    // Node would take a private key here as well, and make its public one.
    if (!trimmed.startsWith('-----BEGIN PUBLIC KEY-----')) throw malformedPublic();
    return publicBytes(readPem(() => createPublicKey(trimmed), malformedPublic()));
  }

  /** The signature of a message, 64 bytes. */
  sign(message: Uint8Array): Buffer {
    return sign(null, message, this.#key);
  }
}

/** Whether `signature` is the public key's over `message`. False, too, for a key or signature of another length. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const key = createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
}
