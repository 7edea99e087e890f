/** What a sweep does to each record: the transform of each kind of run, from a stored value to an outcome. */
import {
  type ErrorCode,
  type Field,
  isFieldsealError,
  type KeyringSnapshot,
  type Opened,
  type Place,
  type SchemeName,
  type Sealed,
  SealQueue,
  type Stored,
} from 'fieldseal';
import type { RunKind } from '../store/store.js';

/** Text of a SQLite database that is not valid UTF-8: bytes that no JavaScript string could give back. */
export class InvalidText {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

/** A value as the database stores it: text, bytes, integer, real. */
export type StoredValue = string | Buffer | bigint | number | InvalidText;

/** One field that is not null. */
export interface SweptRecord {
  readonly field: Field<unknown>;
  readonly stored: StoredValue;
  /** Where it stands; absent: nowhere in particular, for schemes that bind to no place. */
  readonly place?: Place;
}

/** Why a record could not be read. Each is a word for people and programs; none tells the value. */
export const FAILURE_REASONS = {
  no_key: 'a token that no key of the ring opens in its place: written under another key or elsewhere, or altered',
  plaintext: 'plaintext in a column whose declaration does not read it',
  scheme: 'a token of a scheme that the column’s declaration does not read',
  not_text: 'not text, or not valid UTF-8',
  too_long: 'longer than the column declares',
  not_value: 'not a value of the column’s type',
  no_context: 'bound to a primary key, tenant or subject that the row does not have',
  erased: 'readable although its subject was erased; delete it',
  no_index: 'a value without its index value; `fieldseal index` makes it',
  wrong_index: 'an index value that is not its value’s; `fieldseal index` mends it',
} as const;
export type FailureReason = keyof typeof FAILURE_REASONS;

/**
 * What becomes of a record. `holds` is what the value is kept under afterwards: a key version, with the scheme before it
 * where that is not the column's own; `plaintext`; `erased`; or of an index value `index` and its key's version.
 */
export type Outcome =
  | { readonly kind: 'write'; readonly value: Stored | null; readonly holds: string }
  | { readonly kind: 'current'; readonly holds: string }
  | { readonly kind: 'failed'; readonly reason: FailureReason };

/** What `holds` says of a value that no key holds. */
export const PLAINTEXT = 'plaintext';
/** Of a token whose subject's key is gone: nobody can read it any more, and nothing is left to do about it. */
export const ERASED = 'erased';

/** A write whose value is there once the queue of its batch was run. */
interface Sealing {
  readonly kind: 'seal';
  readonly sealed: Sealed;
  readonly holds: string;
}

/** What one kind of run does. It is pure: it may be asked again for the same record. */
export interface Transform {
  /** What becomes of a value that could be opened. What it encrypts it puts into the queue, under the primary key. */
  readonly field: (queue: SealQueue, record: SweptRecord, opened: Opened) => Outcome | Sealing;
  /** Index values that are not what they should be: `write` them, call them `left` to do, or a `failure`. */
  readonly indexes: 'write' | 'left' | 'failure';
  /**
   * For a column whose opened values nobody needs: what `field` would say of its values, told of all of them in one go at half
   * the cost; null for a value that has to be opened, for NULL, and instead of all where it can tell none.
   */
  readonly column?: (
    ring: KeyringSnapshot,
    field: Field<unknown>,
    stored: readonly (StoredValue | null)[],
  ) => (Outcome | null)[] | null;
}

const REASONS: Partial<Record<ErrorCode, FailureReason>> = {
  ERR_VALUE_TOO_LONG: 'too_long',
  ERR_VALUE_NOT_TEXT: 'not_text',
  ERR_CONTEXT_INCOMPLETE: 'no_context',
  ERR_CONTEXT_TYPE: 'no_context',
  ERR_SUBJECT_ERASED: 'erased',
  ERR_SUBJECT_NOT_FOUND: 'no_context',
  ERR_DECRYPT_FAILED: 'no_key',
};

/** The reason of a refused value. What is no verdict on the value, such as a subject's key that is not loaded, is thrown on. */
export function reasonOf(error: unknown): FailureReason {
  if (!isFieldsealError(error) || error.code === 'ERR_SUBJECT_KEY_NOT_LOADED') throw error;
  return REASONS[error.code] ?? 'not_value';
}

function isErased(error: unknown): boolean {
  return isFieldsealError(error) && error.code === 'ERR_SUBJECT_ERASED';
}

/** A record's outcome, and what it was opened as; null where it could not be. */
export interface Transformed {
  readonly outcome: Outcome;
  readonly opened: Opened | null;
}

/** Asks a transform for the records of a batch, which are opened and encrypted together where their schemes can. */
export function transformRecords(
  transform: Transform,
  ring: KeyringSnapshot,
  records: readonly SweptRecord[],
): Transformed[] {
  const opened = openTogether(ring, records);
  const queue = new SealQueue(ring.primary);
  const decided = records.map((record, i) => decide(transform, ring, queue, record, opened[i] ?? null));
  queue.run();
  return decided.map(({ outcome, opened: from }): Transformed => {
    if (outcome.kind !== 'seal') return { outcome, opened: from };
    return { outcome: { kind: 'write', value: outcome.sealed.stored, holds: outcome.holds }, opened: from };
  });
}

/** What the fields can open in one go each; null for the others. */
function openTogether(ring: KeyringSnapshot, records: readonly SweptRecord[]): (Opened | null)[] {
  const opened = new Array<Opened | null>(records.length).fill(null);
  const byField = new Map<Field<unknown>, number[]>();
  for (const [i, record] of records.entries()) {
    if (!isOfStorage(record.field, record.stored)) continue;
    const places = byField.get(record.field);
    if (places) places.push(i);
    else byField.set(record.field, [i]);
  }
  for (const [field, places] of byField) {
    const stored = places.map((i) => records[i]?.stored as Stored);
    for (const [j, one] of field.openMany(ring, stored).entries()) opened[places[j] as number] = one;
  }
  return opened;
}

/** Whether the value is text, or bytes in a column that keeps bytes. */
function isOfStorage(field: Field<unknown>, stored: StoredValue | null): stored is string | Buffer {
  return typeof stored === 'string' || (Buffer.isBuffer(stored) && field.storage === 'bytes');
}

/** @param together the opened value, where that was opened already */
function decide(
  transform: Transform,
  ring: KeyringSnapshot,
  queue: SealQueue,
  record: SweptRecord,
  together: Opened | null,
): { readonly outcome: Outcome | Sealing; readonly opened: Opened | null } {
  const { field, stored } = record;
  if (!isOfStorage(field, stored)) return { outcome: { kind: 'failed', reason: 'not_text' }, opened: null };
  let opened: Opened;
  try {
    const examined = together ?? field.examine(ring, stored, record.place);
    if (examined.scheme === 'unreadable') return { outcome: { kind: 'failed', reason: 'no_key' }, opened: null };
    opened = examined;
  } catch (error) {
    if (isErased(error)) return { outcome: { kind: 'current', holds: ERASED }, opened: null };
    return { outcome: { kind: 'failed', reason: reasonOf(error) }, opened: null };
  }
  try {
    return { outcome: transform.field(queue, record, opened), opened };
  } catch (error) {
    return { outcome: { kind: 'failed', reason: reasonOf(error) }, opened };
  }
}

/** What a value is kept under, as reports call it. */
function held(field: Field<unknown>, { scheme, keyVersion }: Opened): string {
  return keyVersion === null ? PLAINTEXT : heldUnder(field, scheme, keyVersion);
}

function heldUnder(field: Field<unknown>, scheme: SchemeName, version: string): string {
  return scheme === field.scheme ? version : `${scheme} ${version}`;
}

/**
 * Of a value that an application could not read, although a key opens it: a sealed column's. Nothing makes a good token of
 * it: whoever can write to the database could otherwise have his plaintext, or another row's Fernet token, made one.
 */
function undeclared(field: Field<unknown>, { scheme }: Opened): Outcome | null {
  if (field.reads(scheme)) return null;
  return { kind: 'failed', reason: scheme === 'plaintext' ? 'plaintext' : 'scheme' };
}

function ofStorage(field: Field<unknown>, stored: readonly (StoredValue | null)[]): (Stored | null)[] {
  return stored.map((value) => (isOfStorage(field, value) ? value : null));
}

/** Tells under what the tokens of a column are kept that can be read. */
const tellHeld: NonNullable<Transform['column']> = (ring, field, stored) => {
  const outcomes = new Map(
    ring.readable.map(({ version }): [string, Outcome] => [
      version,
      { kind: 'current', holds: heldUnder(field, 'fernet', version) },
    ]),
  );
  const versions = field.findVersions(ring, ofStorage(field, stored));
  return versions?.map((version) => (version === null ? null : (outcomes.get(version) as Outcome))) ?? null;
};

/** Counts under what each value is kept, whatever the declaration says: the verifying pass behind the other kinds. */
const COUNT_HELD: Transform = {
  field: (_queue, { field }, opened) => {
    opened.decode(field.declaration.codec);
    return { kind: 'current', holds: held(field, opened) };
  },
  indexes: 'left',
  column: tellHeld,
};

/** The same behind `encrypt`: what cannot be encrypted was reported by the sweeping pass, and is nothing left to do. */
const COUNT_ENCRYPTED: Transform = {
  field: (queue, record, opened) => {
    const { field } = record;
    const refused = undeclared(field, opened);
    if (refused) return refused;
    const value = opened.decode(field.declaration.codec);
    if (opened.scheme !== field.scheme) field.encryptInto(queue, value, record.place);
    return { kind: 'current', holds: held(field, opened) };
  },
  indexes: 'left',
  column: (ring, field, stored) => (field.scheme === 'fernet' ? tellHeld(ring, field, stored) : null),
};

/** The transform of the verifying pass behind a run of that kind. */
export function verifyingTransform(kind: RunKind): Transform {
  if (kind === 'verify') return TRANSFORMS.verify;
  return kind === 'encrypt' ? COUNT_ENCRYPTED : COUNT_HELD;
}

/** The transform of each kind of run. */
export const TRANSFORMS: Readonly<Record<RunKind, Transform>> = {
  // Everything that the column reads into the scheme that writes. A token under an older key counts as encrypted; renewing it is what a
  // rotation is for.
  encrypt: {
    field: (queue, record, opened) => {
      const { field } = record;
      if (opened.scheme === field.scheme) return { kind: 'current', holds: held(field, opened) };
      const refused = undeclared(field, opened);
      if (refused) return refused;
      const sealed = field.encryptInto(queue, opened.decode(field.declaration.codec), record.place);
      return { kind: 'seal', sealed, holds: queue.key.version };
    },
    indexes: 'write',
  },
  // The plaintext stays bytes: it never becomes a JavaScript string. A token stays in its scheme.
  rotate: {
    field: (queue, { field }, opened) => {
      const { version } = queue.key;
      if (opened.keyVersion === null) return undeclared(field, opened) ?? { kind: 'current', holds: PLAINTEXT };
      const holds = heldUnder(field, opened.scheme, version);
      if (opened.keyVersion === version) return { kind: 'current', holds };
      return { kind: 'seal', sealed: opened.reseal(queue), holds };
    },
    indexes: 'left',
    column: (ring, field, stored) => {
      const holds = heldUnder(field, 'fernet', ring.primary.version);
      const current: Outcome = { kind: 'current', holds };
      return field.renewMany(ring, ofStorage(field, stored)).map((value, i) => {
        if (value === null) return null;
        return value === stored[i] ? current : { kind: 'write', value, holds };
      });
    },
  },
  decrypt: {
    field: (_queue, { field }, opened) =>
      opened.keyVersion === null
        ? { kind: 'current', holds: PLAINTEXT }
        : { kind: 'write', value: field.plaintextOf(opened.decode(field.declaration.codec)), holds: PLAINTEXT },
    indexes: 'left',
  },
  index: { ...COUNT_HELD, indexes: 'write' },
  verify: {
    field: (_queue, { field }, opened) => {
      const refused = undeclared(field, opened);
      if (refused) return refused;
      opened.decode(field.declaration.codec);
      return { kind: 'current', holds: held(field, opened) };
    },
    indexes: 'failure',
    column: tellHeld,
  },
};

const INDEX = 'index ';
/** What `holds` says of an index value that is not what the writing key makes of the row. */
const OUTDATED_INDEX = `${INDEX}outdated`;

/** The key version in what `holds` says: `v1`, `xaes v1`. */
function versionIn(holds: string): string {
  return holds.slice(holds.lastIndexOf(' ') + 1);
}

/** How many values are under a key version, in whatever scheme, of what a pass found: `holds` → how many records. */
export function countUnder(version: string, held: Readonly<Record<string, number>>): number {
  const isUnder = (holds: string) => !holds.startsWith(INDEX) && versionIn(holds) === version;
  return Object.entries(held).reduce((sum, [holds, count]) => (isUnder(holds) ? sum + count : sum), 0);
}

/** How many index values are under a version of the index key, or are not what the writing key makes of their row. */
export function countIndexesUnder(version: string, held: Readonly<Record<string, number>>): number {
  return (held[INDEX + version] ?? 0) + (held[OUTDATED_INDEX] ?? 0);
}

/** What a run of each kind leaves to do, of what a verifying pass found: `holds` → how many records. */
export function leftToDo(kind: RunKind, newKeyVersion: string | null, held: Readonly<Record<string, number>>): number {
  const left = (holds: string): boolean => {
    if (holds === ERASED) return false;
    if (holds === OUTDATED_INDEX) return kind === 'encrypt' || kind === 'index';
    if (holds.startsWith(INDEX)) return false;
    // Another scheme's tokens have its name before their version.
    if (kind === 'encrypt') return holds === PLAINTEXT || holds.includes(' ');
    if (kind === 'decrypt') return holds !== PLAINTEXT;
    return kind === 'rotate' && holds !== PLAINTEXT && versionIn(holds) !== newKeyVersion;
  };
  return Object.entries(held).reduce((sum, [holds, count]) => (left(holds) ? sum + count : sum), 0);
}

/**
 * What becomes of an index value.
 * @param expected what each key in use makes of the row, the one that writes first; none for a value that is NULL
 * @returns null where there is nothing, and is to be nothing
 */
export function indexOutcome(
  { indexes }: Transform,
  expected: readonly { readonly version: string; readonly value: string }[],
  stored: StoredValue | null,
): Outcome | null {
  const [wanted] = expected;
  if (!wanted && stored === null) return null;
  if (wanted && stored === wanted.value) return { kind: 'current', holds: INDEX + wanted.version };
  if (indexes === 'write') {
    return { kind: 'write', value: wanted?.value ?? null, holds: wanted ? INDEX + wanted.version : `${INDEX}cleared` };
  }
  if (indexes === 'left') return { kind: 'current', holds: OUTDATED_INDEX };
  const other = expected.find(({ value }) => value === stored);
  if (other) return { kind: 'current', holds: INDEX + other.version };
  return { kind: 'failed', reason: stored === null ? 'no_index' : 'wrong_index' };
}
