/** Fernet as its specification reads (github.com/fernet/spec), slow and readable: the twin of the fast path. */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

/** The parts of a token. */
export interface TwinParts {
  readonly version: number;
  readonly seconds: bigint;
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
  readonly mac: Buffer;
}

/** Cuts a token's bytes into its parts, checking nothing. */
export function twinParts(token: string): TwinParts {
  const bytes = Buffer.from(token, 'base64url');
  return {
    version: bytes.readUInt8(0),
    seconds: bytes.readBigUInt64BE(1),
    iv: bytes.subarray(9, 25),
    ciphertext: bytes.subarray(25, -32),
    mac: bytes.subarray(-32),
  };
}

/** Base64url with padding, made out of plain base64. */
export function twinEncode(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

/** The token text of `signed` (all bytes before the MAC) under the signing half of `key`. */
export function twinSign(key: Buffer, signed: Buffer): string {
  const mac = createHmac('sha256', key.subarray(0, 16)).update(signed).digest();
  return twinEncode(Buffer.concat([signed, mac]));
}

/** Encrypts with everything that is otherwise drawn or read given: the IV, the time, the version byte. */
export function twinEncrypt(key: Buffer, plaintext: Buffer, seconds: bigint, iv: Buffer, version = 0x80): string {
  const cipher = createCipheriv('aes-128-cbc', key.subarray(16), iv);
  const head = Buffer.alloc(9);
  head.writeUInt8(version, 0);
  head.writeBigUInt64BE(seconds, 1);
  return twinSign(key, Buffer.concat([head, iv, cipher.update(plaintext), cipher.final()]));
}

/** Decrypts; null when the MAC, the version or the padding is wrong. */
export function twinDecrypt(key: Buffer, token: string): Buffer | null {
  const { version, iv, ciphertext, mac } = twinParts(token);
  const signed = Buffer.from(token, 'base64url').subarray(0, -32);
  const expected = createHmac('sha256', key.subarray(0, 16)).update(signed).digest();
  if (version !== 0x80 || !mac.equals(expected)) return null;
  const decipher = createDecipheriv('aes-128-cbc', key.subarray(16), iv);
  try {
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  } catch {
    return null;
  }
}
