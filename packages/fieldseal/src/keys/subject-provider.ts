/** Where the keys of subjects are kept: wrapped in a database, and the root that wraps them outside of it. */
import type { SubjectName } from './subject-name.js';
import type { SubjectRoot } from './subject-root.js';

/** One subject's wrapped secret. */
export interface WrappedSubject extends SubjectName {
  /** Unpadded base64url; FORMAT.md §8 has the bytes. */
  readonly wrapped: string;
}

/** One subject at rest. The row of an erased one stays, so that nothing brings it back. */
export interface StoredSubject extends SubjectName {
  /** Null: erased. */
  readonly wrapped: string | null;
}

/** What stands over all of them. */
export interface SubjectState {
  /** Grows with every erasure. */
  readonly generation: number;
  /** The root that every secret is wrapped under. */
  readonly rootFingerprint: string;
}

/** The state and some subjects, as they were at one moment. */
export interface StoredSubjects extends SubjectState {
  readonly subjects: readonly StoredSubject[];
}

/** A source of subject roots. */
export interface SubjectRootSource {
  /** The root, or during an erasure the current and the next. @throws FieldsealError `ERR_SUBJECT_ROOT` */
  read(): readonly SubjectRoot[] | Promise<readonly SubjectRoot[]>;
}

/** A source of subject keys, for `openSubjectKeys`. It is asked for at most {@link SUBJECTS_AT_ONCE} subjects at a time. */
export interface SubjectProvider {
  readonly root: SubjectRootSource;
  /**
   * Those of `names` that are stored, and the state, read by one statement: secrets are wrapped under the root of the
   * state that came with them. Null: there is no subject yet.
   */
  load(names: readonly SubjectName[]): Promise<StoredSubjects | null>;
  /**
   * Stores those that are absent, if `rootFingerprint` is the state's at the moment when they are written; else none.
   * Where there is no state yet, it becomes the state's.
   */
  insert(subjects: readonly WrappedSubject[], rootFingerprint: string): Promise<void>;
}

/** How many subjects one statement names. */
export const SUBJECTS_AT_ONCE = 500;
