/** Reads subjects from a provider and opens their secrets under the root that they are wrapped under. */
import { FieldsealError, isFieldsealError } from '../errors.js';
import { SubjectKey } from './subject-key.js';
import { type SubjectName, subjectMapKey } from './subject-name.js';
import {
  type StoredSubject,
  type StoredSubjects,
  SUBJECTS_AT_ONCE,
  type SubjectProvider,
  type SubjectState,
} from './subject-provider.js';
import type { SubjectRoot } from './subject-root.js';

/** What became of a stored subject: its key, or why it has none. `unreadable`: its wrap is damaged. */
export type LoadedSubject = SubjectKey | 'erased' | 'unreadable';

/** What one reading found. */
export interface SubjectReading {
  /** 0: there is no subject yet. Of the first statement, when several were needed: what changed meanwhile shows next time. */
  readonly generation: number;
  /** The fingerprint of the root in use; empty while there is no subject. */
  readonly rootFingerprint: string;
  /** By map key. What is not stored is not in it. */
  readonly subjects: ReadonlyMap<string, LoadedSubject>;
}

/** An erasure replaces the root while others read; by the third time it has had all the time it needs. */
const ATTEMPTS = 3;

/** Remembers the roots, and asks for them again only when the stored state speaks of another. */
export class StoredSubjectReader {
  readonly #provider: SubjectProvider;
  #roots: readonly SubjectRoot[] = [];

  constructor(provider: SubjectProvider) {
    this.#provider = provider;
  }

  /** @throws FieldsealError `ERR_SUBJECT_ROOT`, and what the provider throws */
  async read(names: readonly SubjectName[]): Promise<SubjectReading> {
    const subjects = new Map<string, LoadedSubject>();
    let first: SubjectState | null | undefined;
    for (let start = 0; start === 0 || start < names.length; start += SUBJECTS_AT_ONCE) {
      const { stored, root } = await this.#readSome(names.slice(start, start + SUBJECTS_AT_ONCE));
      if (first === undefined) first = stored;
      for (const row of stored?.subjects ?? []) subjects.set(subjectMapKey(row.tenant, row.subject), open(row, root));
    }
    return { generation: first?.generation ?? 0, rootFingerprint: first?.rootFingerprint ?? '', subjects };
  }

  /** The root that the state is under now; where there is no state yet, the one to begin with. */
  async currentRoot(): Promise<SubjectRoot> {
    return (await this.#readSome([])).root;
  }

  async #readSome(names: readonly SubjectName[]): Promise<{ stored: StoredSubjects | null; root: SubjectRoot }> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const stored = await this.#provider.load(names);
      const root = await this.#rootOf(stored);
      if (root) return { stored, root };
    }
    throw new FieldsealError(
      'ERR_SUBJECT_ROOT',
      'The subject root is not the one that the stored subject keys are wrapped under; use the file of that database. In a ' +
        'database restored from a backup older than an erasure, run `fieldseal subject-keys import FILE --restored`.',
    );
  }

  async #rootOf(stored: StoredSubjects | null): Promise<SubjectRoot | undefined> {
    const find = () =>
      stored ? this.#roots.find((root) => root.fingerprint === stored.rootFingerprint) : this.#roots[0];
    const known = find();
    if (known) return known;
    this.#roots = await this.#provider.root.read();
    return find();
  }
}

function open(row: StoredSubject, root: SubjectRoot): LoadedSubject {
  if (row.wrapped === null) return 'erased';
  try {
    return new SubjectKey(row, root.unwrap(row, row.wrapped));
  } catch (error) {
    if (isFieldsealError(error)) return 'unreadable';
    throw error;
  }
}
