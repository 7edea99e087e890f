/** What a sweep does to each record: the four transforms, from a stored value to an outcome. */
import { type Field, isFieldsealError, type KeyringSnapshot, type Opened } from 'fieldseal';
import type { RunKind } from '../store/store.js';

/** A value as the database stores it: text, bytes, integer, real. */
export type StoredValue = string | Buffer | bigint | number;

/** One field that is not null. */
export interface SweptRecord {
  readonly field: Field<unknown>;
  readonly stored: StoredValue;
}

/** Why a record could not be read. Each is a word for people and programs; none tells the value. */
export const FAILURE_REASONS = {
  no_key: 'a token that no key of the ring opens: written under another key, or altered',
  plaintext: 'plaintext in a column whose declaration does not read it',
  not_text: 'not text, or not valid UTF-8',
  too_long: 'longer than the column declares',
  not_value: 'not a value of the column’s type',
} as const;
export type FailureReason = keyof typeof FAILURE_REASONS;

/**
 * What becomes of a record. `holds` is what the value is kept under afterwards: a key version, or `plaintext`.
 */
export type Outcome =
  | { readonly kind: 'write'; readonly value: string; readonly holds: string }
  | { readonly kind: 'current'; readonly holds: string }
  | { readonly kind: 'failed'; readonly reason: FailureReason };

/** One outcome for each record, in order. It is pure: it may be asked again for the same record. */
export type Transform = (ring: KeyringSnapshot, records: readonly SweptRecord[]) => Outcome[];

/** What `holds` says of a value that no key holds. */
export const PLAINTEXT = 'plaintext';

function reasonOf(error: unknown): FailureReason {
  if (!isFieldsealError(error)) throw error;
  if (error.code === 'ERR_VALUE_TOO_LONG') return 'too_long';
  return error.code === 'ERR_VALUE_NOT_TEXT' ? 'not_text' : 'not_value';
}

/** Runs `onOpened` on whatever can be opened; everything else is the same for all four kinds. */
function forEach(onOpened: (ring: KeyringSnapshot, field: Field<unknown>, opened: Opened) => Outcome): Transform {
  return (ring, records) =>
    records.map(({ field, stored }) => {
      if (typeof stored !== 'string') return { kind: 'failed', reason: 'not_text' };
      const opened = field.examine(ring, stored);
      if (opened.scheme === 'unreadable') return { kind: 'failed', reason: 'no_key' };
      try {
        return onOpened(ring, field, opened);
      } catch (error) {
        return { kind: 'failed', reason: reasonOf(error) };
      }
    });
}

/** Plaintext that a column may hold for now is as it should be; elsewhere an application could not read it. */
function plaintextOutcome(field: Field<unknown>): Outcome {
  return field.reads('plaintext') ? { kind: 'current', holds: PLAINTEXT } : { kind: 'failed', reason: 'plaintext' };
}

/** Counts under what each value is kept, whatever the declaration says: the verifying pass behind the other kinds. */
const COUNT_HELD: Transform = forEach((_ring, field, opened) => {
  field.decode(opened.bytes);
  return { kind: 'current', holds: opened.keyVersion ?? PLAINTEXT };
});

/** The same behind `encrypt`: plaintext that cannot be encrypted was reported by the sweeping pass, and is nothing left to do. */
const COUNT_ENCRYPTED: Transform = forEach((ring, field, opened) => {
  const value = field.decode(opened.bytes);
  if (opened.keyVersion === null) field.encryptNow(ring, value);
  return { kind: 'current', holds: opened.keyVersion ?? PLAINTEXT };
});

/** The transform of the verifying pass behind a run of that kind. */
export function verifyingTransform(kind: RunKind): Transform {
  if (kind === 'verify') return TRANSFORMS.verify;
  return kind === 'encrypt' ? COUNT_ENCRYPTED : COUNT_HELD;
}

/** The transform of each kind of run. */
export const TRANSFORMS: Readonly<Record<RunKind, Transform>> = {
  // A token under an older key counts as encrypted; renewing it is what a rotation is for.
  encrypt: forEach((ring, field, opened) =>
    opened.keyVersion === null
      ? { kind: 'write', value: field.encryptNow(ring, field.decode(opened.bytes)), holds: ring.primary.version }
      : { kind: 'current', holds: opened.keyVersion },
  ),
  // The plaintext stays bytes: it never becomes a JavaScript string.
  rotate: forEach((ring, field, opened) => {
    if (opened.keyVersion === null) return plaintextOutcome(field);
    if (opened.keyVersion === ring.primary.version) return { kind: 'current', holds: opened.keyVersion };
    return { kind: 'write', value: opened.reseal(ring.primary), holds: ring.primary.version };
  }),
  decrypt: forEach((_ring, field, opened) =>
    opened.keyVersion === null
      ? { kind: 'current', holds: PLAINTEXT }
      : { kind: 'write', value: String(field.decode(opened.bytes)), holds: PLAINTEXT },
  ),
  verify: forEach((_ring, field, opened) => {
    if (opened.keyVersion === null) return plaintextOutcome(field);
    field.decode(opened.bytes);
    return { kind: 'current', holds: opened.keyVersion };
  }),
};

/** What a run of each kind leaves to do, of what a verifying pass found: `holds` → how many records. */
export function leftToDo(kind: RunKind, newKeyVersion: string | null, held: Readonly<Record<string, number>>): number {
  const left = (holds: string) => {
    if (kind === 'encrypt') return holds === PLAINTEXT;
    if (kind === 'decrypt') return holds !== PLAINTEXT;
    return kind === 'rotate' && holds !== PLAINTEXT && holds !== newKeyVersion;
  };
  return Object.entries(held).reduce((sum, [holds, count]) => (left(holds) ? sum + count : sum), 0);
}
