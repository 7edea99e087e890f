/** Tokens of the `xaes` schemes as FORMAT.md §3 draws them, slow and readable, on nothing but node:crypto: the twin. */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

/** A token's key: a version of the ring, and a subject for `xaes-subject`. */
export interface TwinKey {
  readonly id: number;
  readonly secret: Buffer;
  readonly subject?: { readonly name: string; readonly secret: Buffer };
}

/** What a token is bound to. */
export interface TwinPlace {
  readonly tenant: string;
  readonly table: string;
  readonly column: string;
  /** Empty for a field that is bound to its column only. */
  readonly primaryKey: Buffer;
}

export function twinU32(value: number): Buffer {
  return Buffer.from(value.toString(16).padStart(8, '0'), 'hex');
}

/** LP: how many parts, and each behind its length. */
export function twinLp(...parts: (string | Buffer)[]): Buffer {
  const bytes = parts.map((part) => Buffer.from(part as string));
  return Buffer.concat([twinU32(parts.length), ...bytes.flatMap((part) => [twinU32(part.length), part])]);
}

function aes(key: Buffer, block: Buffer): Buffer {
  return createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(block);
}

/** XAES-256-GCM's key and nonce for AES-256-GCM, in big integers as c2sp.org/XAES-256-GCM has them. */
function derivedKey(key: Buffer, nonce: Buffer): { kx: Buffer; nx: Buffer } {
  const l = BigInt(`0x${aes(key, Buffer.alloc(16)).toString('hex')}`);
  const k1 = BigInt.asUintN(128, l << 1n) ^ (l >> 127n === 1n ? 0x87n : 0n);
  const half = (counter: number) => {
    const m = BigInt(`0x${Buffer.from([0, counter, 0x58, 0, ...nonce.subarray(0, 12)]).toString('hex')}`);
    return aes(key, Buffer.from((m ^ k1).toString(16).padStart(32, '0'), 'hex'));
  };
  return { kx: Buffer.concat([half(1), half(2)]), nx: nonce.subarray(12) };
}

function fieldKey({ secret, subject }: TwinKey, { tenant }: TwinPlace): Buffer {
  const [input, salt, info] = subject
    ? [
        Buffer.concat([secret, subject.secret]),
        'fieldseal/xaes-subject/v1',
        twinLp('fieldseal/subject/1', tenant, subject.name),
      ]
    : [secret, 'fieldseal/xaes/v1', Buffer.alloc(0)];
  return Buffer.from(hkdfSync('sha256', input, salt, info, 32));
}

function associatedData({ id, subject }: TwinKey, { tenant, table, column, primaryKey }: TwinPlace): Buffer {
  const place = [tenant, table, column, primaryKey, twinU32(id)];
  return subject ? twinLp('fieldseal/xaes-subject/1', ...place, subject.name) : twinLp('fieldseal/xaes/1', ...place);
}

/** The bytes of a token. */
export function twinSeal(key: TwinKey, place: TwinPlace, nonce: Buffer, plaintext: Buffer): Buffer {
  const { kx, nx } = derivedKey(fieldKey(key, place), nonce);
  const cipher = createCipheriv('aes-256-gcm', kx, nx).setAAD(associatedData(key, place));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([Buffer.of(key.subject ? 2 : 1), twinU32(key.id), nonce, ciphertext, cipher.getAuthTag()]);
}

/** The plaintext of a token; null when version, key id, key or place is another. */
export function twinOpen(key: TwinKey, place: TwinPlace, token: Buffer): Buffer | null {
  if (token[0] !== (key.subject ? 2 : 1) || token.readUInt32BE(1) !== key.id) return null;
  const { kx, nx } = derivedKey(fieldKey(key, place), token.subarray(5, 29));
  const decipher = createDecipheriv('aes-256-gcm', kx, nx).setAAD(associatedData(key, place));
  decipher.setAuthTag(token.subarray(-16));
  try {
    return Buffer.concat([decipher.update(token.subarray(29, -16)), decipher.final()]);
  } catch {
    return null;
  }
}
