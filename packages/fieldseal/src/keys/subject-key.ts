/**
 * A subject's secret, and the field keys that are made of it and a key version together (FORMAT.md §3).
 *
 *     key = HKDF-SHA256(key version 32 ‖ subject secret 32, salt "fieldseal/xaes-subject/v1",
 *                       info LP("fieldseal/subject/1", tenant, subject), 32)
 */
import { deriveKey } from '../core/derive-key.js';
import { lengthPrefixed } from '../core/length-prefix.js';
import type { Secret } from '../core/secret.js';
import { Xaes256Gcm } from '../core/xaes-256-gcm.js';
import { FieldsealError } from '../errors.js';
import type { SubjectName } from './subject-name.js';

const SALT = 'fieldseal/xaes-subject/v1';
const SECRET_BYTES = 32;

/** The loaded key of one subject. Whoever holds one can read and write the subject's values: ask anew for each batch. */
export class SubjectKey implements SubjectName {
  readonly tenant: string;
  readonly subject: string;
  readonly secret: Secret;
  readonly #keys = new Map<number, Xaes256Gcm>();

  /** @throws FieldsealError `ERR_KEY_MALFORMED` unless the secret has 32 bytes */
  constructor({ tenant, subject }: SubjectName, secret: Secret) {
    if (secret.length !== SECRET_BYTES)
      throw new FieldsealError('ERR_KEY_MALFORMED', 'A subject’s secret has 32 bytes.');
    this.tenant = tenant;
    this.subject = subject;
    this.secret = secret;
  }

  /**
   * The subject's key under the key version of that id; derived once.
   * @param versionSecret the 32 bytes of the key version; they stay the caller's
   */
  keyFor(versionSecret: Buffer, keyId: number): Xaes256Gcm {
    const known = this.#keys.get(keyId);
    if (known) return known;
    // Memory of its own, never Node's shared pool.
    const both = Buffer.allocUnsafeSlow(versionSecret.length + SECRET_BYTES);
    versionSecret.copy(both);
    this.secret.reveal().copy(both, versionSecret.length);
    const key = deriveKey(both, SALT, lengthPrefixed('fieldseal/subject/1', this.tenant, this.subject), 32);
    both.fill(0);
    const aead = new Xaes256Gcm(key);
    key.fill(0);
    this.#keys.set(keyId, aead);
    return aead;
  }
}
