/**
 * The root key: it wraps every key of a ring at rest and signs the ring's state (FORMAT.md §7).
 *
 *     KEK   = HKDF-SHA256(root 32, salt "fieldseal/root/v1", info "wrap"  ‖ keyring id 16, 32)
 *     MACK  = HKDF-SHA256(root 32, salt "fieldseal/root/v1", info "state" ‖ keyring id 16, 32)
 *     fingerprint = hex of HKDF-SHA256(root 32, salt "fieldseal/root/v1", info "fingerprint", 8)
 *     wrapped = the key under KEK and AD, as wrapped-secret.ts draws it
 *     AD = LP("fieldseal/wrap/1", keyring id 16, version, key id u32be, purpose, fingerprint)
 *     MAC = hex of HMAC-SHA256(MACK, LP("fieldseal/keyring/1", keyring id 16, generation u64be,
 *           then for each key by id: version, purpose, key id u32be, state, created at, wrapped under this root or empty))
 */
import { deriveKey } from '../core/derive-key.js';
import { HmacSha256 } from '../core/hmac-sha256.js';
import { lengthPrefixed } from '../core/length-prefix.js';
import type { Secret } from '../core/secret.js';
import { Xaes256Gcm } from '../core/xaes-256-gcm.js';
import { FieldsealError } from '../errors.js';
import type { StoredKey, StoredKeyring } from './stored-keyring.js';
import { unwrapSecret, wrapSecret } from './wrapped-secret.js';

const SALT = 'fieldseal/root/v1';

/** What a wrap is bound to. */
type WrappedKeyName = Pick<StoredKey, 'version' | 'id' | 'purpose'>;

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

/** A root key of 32 bytes. */
export class RootKey {
  /** 16 hex digits that name the root and tell nothing else about it. */
  readonly fingerprint: string;
  readonly #secret: Secret;

  /** @throws FieldsealError `ERR_KEY_MALFORMED` unless it has 32 bytes */
  constructor(secret: Secret) {
    if (secret.length !== 32) throw new FieldsealError('ERR_KEY_MALFORMED', 'A root key has 32 bytes.');
    this.#secret = secret;
    this.fingerprint = deriveKey(secret.reveal(), SALT, 'fingerprint', 8).toString('hex');
  }

  /** Wraps the 32 bytes of `secret` as the key `name` of the ring `keyringId`. */
  wrap(keyringId: string, name: WrappedKeyName, secret: Secret): string {
    return wrapSecret(this.#aead(keyringId), secret, this.#associatedData(keyringId, name));
  }

  /** Opens a wrap of exactly this name. @throws FieldsealError `ERR_DECRYPT_FAILED` */
  unwrap(keyringId: string, name: WrappedKeyName, wrapped: string): Secret {
    return unwrapSecret(this.#aead(keyringId), wrapped, this.#associatedData(keyringId, name));
  }

  /** The MAC over the ring's state, as hex. */
  mac(ring: Pick<StoredKeyring, 'id' | 'generation' | 'keys'>): string {
    const generation = Buffer.alloc(8);
    generation.writeBigUInt64BE(BigInt(ring.generation));
    const message = lengthPrefixed(
      'fieldseal/keyring/1',
      Buffer.from(ring.id, 'hex'),
      generation,
      // In the order of their ids, so that a database may return the rows in any order.
      ...ring.keys
        .toSorted((a, b) => a.id - b.id)
        .flatMap((key) => [
          key.version,
          key.purpose,
          u32(key.id),
          key.state,
          key.createdAt,
          key.wraps[this.fingerprint] ?? '',
        ]),
    );
    return new HmacSha256(this.#derive('state', ring.id)).hexOf(message);
  }

  #aead(keyringId: string): Xaes256Gcm {
    return new Xaes256Gcm(this.#derive('wrap', keyringId));
  }

  #derive(label: string, keyringId: string): Buffer {
    return deriveKey(
      this.#secret.reveal(),
      SALT,
      Buffer.concat([Buffer.from(label), Buffer.from(keyringId, 'hex')]),
      32,
    );
  }

  #associatedData(keyringId: string, { version, id, purpose }: WrappedKeyName): Buffer {
    return lengthPrefixed(
      'fieldseal/wrap/1',
      Buffer.from(keyringId, 'hex'),
      version,
      u32(id),
      purpose,
      this.fingerprint,
    );
  }
}
