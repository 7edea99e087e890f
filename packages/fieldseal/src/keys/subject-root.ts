/**
 * The subject root: it wraps the secrets of subjects at rest, and lives outside the database (FORMAT.md §8).
 *
 *     KEK         = HKDF-SHA256(root 32, salt "fieldseal/subject-root/v1", info "wrap", 32)
 *     fingerprint = hex of HKDF-SHA256(root 32, salt "fieldseal/subject-root/v1", info "fingerprint", 8)
 *     wrapped     = the secret under KEK and AD, as wrapped-secret.ts draws it
 *     AD          = LP("fieldseal/subject-wrap/1", tenant, subject, fingerprint)
 *     export MAC  = keyed hash(root, "fieldseal/subject-export/1", SHA-256 of the lines as hex)
 */
import { encodeBase64Url } from '../core/base64url.js';
import { deriveKey } from '../core/derive-key.js';
import { decodeFernetKey } from '../core/fernet.js';
import { KeyedHash } from '../core/keyed-hash.js';
import { lengthPrefixed } from '../core/length-prefix.js';
import { Secret } from '../core/secret.js';
import { Xaes256Gcm } from '../core/xaes-256-gcm.js';
import { FieldsealError } from '../errors.js';
import type { SubjectName } from './subject-name.js';
import { unwrapSecret, wrapSecret } from './wrapped-secret.js';

const SALT = 'fieldseal/subject-root/v1';

/** A subject root of 32 bytes. */
export class SubjectRoot {
  /** 16 hex digits that name the root and tell nothing else about it. */
  readonly fingerprint: string;
  readonly #secret: Secret;
  readonly #kek: Xaes256Gcm;

  /** @throws FieldsealError `ERR_KEY_MALFORMED` unless it has 32 bytes */
  constructor(secret: Secret) {
    if (secret.length !== 32) throw new FieldsealError('ERR_KEY_MALFORMED', 'A subject root has 32 bytes.');
    this.#secret = secret;
    this.fingerprint = deriveKey(secret.reveal(), SALT, 'fingerprint', 8).toString('hex');
    const key = deriveKey(secret.reveal(), SALT, 'wrap', 32);
    this.#kek = new Xaes256Gcm(key);
    key.fill(0);
  }

  /** A new root. */
  static random(): SubjectRoot {
    return new SubjectRoot(Secret.random(32));
  }

  /** Reads a root as `fieldseal keygen` prints one. @throws FieldsealError `ERR_KEY_MALFORMED`; the message never repeats it */
  static fromText(text: string): SubjectRoot {
    return new SubjectRoot(decodeFernetKey(text));
  }

  /** The root as {@link SubjectRoot.fromText} reads it, for the file that holds it. It is the key itself: never print it. */
  revealText(): string {
    return encodeBase64Url(this.#secret.reveal());
  }

  /** Wraps the 32 bytes of `secret` as the subject `name`'s. */
  wrap(name: SubjectName, secret: Secret): string {
    return wrapSecret(this.#kek, secret, this.#associatedData(name));
  }

  /** Opens a wrap of exactly this subject. @throws FieldsealError `ERR_DECRYPT_FAILED` */
  unwrap(name: SubjectName, wrapped: string): Secret {
    return unwrapSecret(this.#kek, wrapped, this.#associatedData(name));
  }

  /** The MAC at the end of a file of wrapped secrets, over the SHA-256 (hex) of its other lines. */
  exportMac(): KeyedHash {
    return new KeyedHash(this.#secret, 'fieldseal/subject-export/1');
  }

  #associatedData({ tenant, subject }: SubjectName): Buffer {
    return lengthPrefixed('fieldseal/subject-wrap/1', tenant, subject, this.fingerprint);
  }
}
