/** A field key that reads, with the machinery of every scheme, each built once. */
import { deriveKey } from '../core/derive-key.js';
import { FernetKey } from '../core/fernet-key.js';
import type { Secret } from '../core/secret.js';
import { Xaes256Gcm } from '../core/xaes-256-gcm.js';
import type { SubjectKey } from './subject-key.js';

/** One key version of a ring. It is at home in every scheme: `fernet` uses its bytes as they are, the others by HKDF. */
export class ReadableKey {
  /** `v1`, `v2`, … */
  readonly version: string;
  /** Non-zero u32, unique in the ring; it stands in `xaes` tokens. */
  readonly id: number;
  readonly fernet: FernetKey;
  readonly #secret: Secret;
  #xaes: Xaes256Gcm | null = null;

  /** @param secret 32 bytes */
  constructor(version: string, id: number, secret: Secret) {
    this.version = version;
    this.id = id;
    this.fernet = new FernetKey(secret.reveal());
    this.#secret = secret;
  }

  /** The key of the `xaes` scheme: HKDF-SHA256(key version, salt "fieldseal/xaes/v1", info "", 32). */
  get xaes(): Xaes256Gcm {
    if (!this.#xaes) {
      const key = deriveKey(this.#secret.reveal(), 'fieldseal/xaes/v1', '', 32);
      this.#xaes = new Xaes256Gcm(key);
      key.fill(0);
    }
    return this.#xaes;
  }

  /** The key of the `xaes-subject` scheme: this version's and the subject's secret together (FORMAT.md §3). */
  underSubject(subject: SubjectKey): Xaes256Gcm {
    return subject.keyFor(this.#secret.reveal(), this.id);
  }
}
