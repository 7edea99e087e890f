/** Fernet as one would write it with node:crypto in an afternoon: the yardstick beside npm `fernet`. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const VERSION = 0x80;
const HEADER_BYTES = 1 + 8 + 16;
const MAC_BYTES = 32;

/** base64url with its padding, which Node leaves off. */
function toBase64Url(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

/** One Fernet key, without a TTL. */
export class NodeCryptoFernet {
  readonly #signingKey: Buffer;
  readonly #encryptionKey: Buffer;

  constructor(key: string) {
    const bytes = Buffer.from(key, 'base64url');
    this.#signingKey = bytes.subarray(0, 16);
    this.#encryptionKey = bytes.subarray(16);
  }

  encrypt(text: string): string {
    const iv = randomBytes(16);
    const cipher = createCipheriv('aes-128-cbc', this.#encryptionKey, iv);
    const head = Buffer.alloc(9);
    head[0] = VERSION;
    head.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000)), 1);
    const signed = Buffer.concat([head, iv, cipher.update(text, 'utf8'), cipher.final()]);
    return toBase64Url(Buffer.concat([signed, this.#mac(signed)]));
  }

  decrypt(token: string): string {
    const bytes = Buffer.from(token, 'base64url');
    const signed = bytes.subarray(0, -MAC_BYTES);
    if (bytes.length < HEADER_BYTES + MAC_BYTES || bytes[0] !== VERSION) throw new Error('not a token');
    if (!timingSafeEqual(this.#mac(signed), bytes.subarray(-MAC_BYTES))) throw new Error('not authentic');
    const decipher = createDecipheriv('aes-128-cbc', this.#encryptionKey, signed.subarray(9, HEADER_BYTES));
    return Buffer.concat([decipher.update(signed.subarray(HEADER_BYTES)), decipher.final()]).toString('utf8');
  }

  #mac(signed: Buffer): Buffer {
    return createHmac('sha256', this.#signingKey).update(signed).digest();
  }
}
