/** The keys of subjects that an application holds: loaded before they are used, and dropped when a subject is erased. */
import { decryptFailed } from '../core/decrypt-failed.js';
import { Secret } from '../core/secret.js';
import { FieldsealError } from '../errors.js';
import { CONFIRMATION_SECONDS, REFRESH_SECONDS } from './keyring.js';
import { type LoadedSubject, StoredSubjectReader, type SubjectReading } from './stored-subject-reader.js';
import type { SubjectKey } from './subject-key.js';
import { describeSubjects, type SubjectId, type SubjectName, subjectMapKey, subjectName } from './subject-name.js';
import { SUBJECTS_AT_ONCE, type SubjectProvider } from './subject-provider.js';

/** How `openSubjectKeys` holds them. */
export interface SubjectKeysOptions {
  /** How often erasures are looked for; 10 unless told, at most 30. */
  readonly refreshSeconds?: number;
  /** How many subjects are held at once, the least recently used ones being dropped; 10,000 unless told. */
  readonly capacity?: number;
}

/** How `load` takes subjects that have no key. */
export interface LoadSubjectsOptions {
  /** For a list of rows: who has no key has no value under one either. `get` refuses such a subject. */
  readonly ignoreAbsent?: boolean;
}

const CAPACITY = 10_000;
/** Each further attempt means that an erasure took place in the middle of the one before. */
const ATTEMPTS = 10;

interface HeldSubject extends SubjectName {
  readonly key: LoadedSubject;
}

/**
 * Opens the keys of subjects, and follows erasures from then on. Nothing is loaded yet.
 *
 * @throws FieldsealError `ERR_SUBJECT_ROOT`, and what the provider throws
 * @example
 * const subjects = await openSubjectKeys(databaseSubjects({ dialect: 'sqlite', query, root: subjectRootFile(path) }));
 * await subjects.load([42, 43]);
 */
export async function openSubjectKeys(
  provider: SubjectProvider,
  { refreshSeconds = REFRESH_SECONDS, capacity = CAPACITY }: SubjectKeysOptions = {},
): Promise<SubjectKeys> {
  if (!(refreshSeconds > 0 && refreshSeconds <= 30)) {
    throw new RangeError('refreshSeconds is more than 0 and at most 30: after 60 unconfirmed seconds no key is given');
  }
  if (!Number.isSafeInteger(capacity) || capacity < 1) throw new RangeError('capacity is a whole number above 0');
  const keys = new SubjectKeys(provider, capacity);
  await keys.refresh();
  keys.follow(refreshSeconds);
  return keys;
}

/** The loaded keys of subjects. Get one from {@link openSubjectKeys}. */
export class SubjectKeys {
  readonly #provider: SubjectProvider;
  readonly #reader: StoredSubjectReader;
  readonly #capacity: number;
  /** By map key; the least recently used first. */
  readonly #held = new Map<string, HeldSubject>();
  #generation = -1;
  #rootFingerprint = '';
  /** Milliseconds of the monotonic clock. */
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  #adopting: Promise<void> | null = null;
  #stopFollowing: () => Promise<void> = async () => {};

  /** @internal */
  constructor(provider: SubjectProvider, capacity: number) {
    this.#provider = provider;
    this.#reader = new StoredSubjectReader(provider);
    this.#capacity = capacity;
  }

  /**
   * Grows with every erasure that this process has learned of. A cache of decrypted values is dropped when it changes;
   * besides, ask {@link SubjectKeys.get} before a value out of the cache is handed on: it also refuses when erasures could not be learned of.
   */
  get generation(): number {
    return this.#generation;
  }

  /**
   * The key of a loaded subject. Ask each time, and keep none: an erasure reaches only what is asked for here.
   * @param tenant empty where there are no tenants
   * @throws FieldsealError `ERR_SUBJECT_KEY_NOT_LOADED` when it was not loaded, or when no erasure could be learned of
   * for 60 seconds; `ERR_SUBJECT_ERASED`; `ERR_DECRYPT_FAILED` when its stored secret is damaged
   */
  get(tenant: string, subject: string): SubjectKey {
    const held = this.#held.get(subjectMapKey(tenant, subject));
    if (!held) {
      throw new FieldsealError(
        'ERR_SUBJECT_KEY_NOT_LOADED',
        `The key of ${describeSubjects([{ tenant, subject }])} is not loaded; await subjects.load([…]) first.`,
      );
    }
    if (held.key === 'erased') throw erased([held]);
    if (!this.#isConfirmed()) {
      throw new FieldsealError(
        'ERR_SUBJECT_KEY_NOT_LOADED',
        `The keys of subjects could not be confirmed for ${CONFIRMATION_SECONDS} seconds; none is given until their database answers.`,
      );
    }
    if (held.key === 'unreadable') throw decryptFailed();
    this.#use(held);
    return held.key;
  }

  /**
   * Loads the keys of subjects; those that are loaded are not read again. An erased subject is no error here: `get` says so.
   * @throws FieldsealError `ERR_SUBJECT_NOT_FOUND` when some have no key: the others are loaded then; `ERR_CONTEXT_TYPE`;
   * `ERR_SUBJECT_ROOT`; and what the provider throws. RangeError for more than are held at once
   */
  async load(subjects: Iterable<SubjectId>, { ignoreAbsent = false }: LoadSubjectsOptions = {}): Promise<void> {
    const names = this.#distinct(subjects);
    const found = await this.#load(names);
    const absent = names.filter((name) => !found.has(mapKeyOf(name)));
    if (absent.length === 0 || ignoreAbsent) return;
    throw new FieldsealError(
      'ERR_SUBJECT_NOT_FOUND',
      `There is no key for ${describeSubjects(absent)}; make it with subjects.create([…]) or \`fieldseal subject-keys create\`.`,
    );
  }

  /**
   * Makes the keys of those that have none, and loads them all. Several processes may do so at once: they agree.
   * @throws FieldsealError `ERR_SUBJECT_ERASED`, with nothing made; `ERR_CONTEXT_TYPE`; `ERR_SUBJECT_ROOT`; and what the
   * provider throws. RangeError for more than are held at once
   */
  async create(subjects: Iterable<SubjectId>): Promise<void> {
    const names = this.#distinct(subjects);
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const found = await this.#load(names);
      const gone = names.filter((name) => found.get(mapKeyOf(name)) === 'erased');
      if (gone.length > 0) throw erased(gone);
      const absent = names.filter((name) => !found.has(mapKeyOf(name)));
      if (absent.length === 0) return;
      const root = await this.#reader.currentRoot();
      for (let start = 0; start < absent.length; start += SUBJECTS_AT_ONCE) {
        const made = absent
          .slice(start, start + SUBJECTS_AT_ONCE)
          .map((name) => ({ ...name, wrapped: root.wrap(name, Secret.random(32)) }));
        await this.#provider.insert(made, root.fingerprint);
      }
    }
    throw notSettled();
  }

  /** Looks for erasures now. @throws what the provider throws, and FieldsealError `ERR_SUBJECT_ROOT` */
  async refresh(): Promise<void> {
    await this.#readAndHold([]);
  }

  /** Starts the refresh; `openSubjectKeys` calls it once. @internal */
  follow(refreshSeconds: number): void {
    let running: Promise<void> | null = null;
    const timer = setInterval(() => {
      running ??= this.refresh()
        .catch(() => {}) // Unconfirmed; after 60 seconds of that, no key is given.
        .finally(() => {
          running = null;
        });
    }, refreshSeconds * 1000);
    timer.unref();
    this.#stopFollowing = async () => {
      clearInterval(timer);
      await running;
    };
  }

  /** Stops following, and holds no key any more. */
  async close(): Promise<void> {
    await this.#stopFollowing();
    this.#held.clear();
  }

  #isConfirmed(): boolean {
    return performance.now() - this.#confirmedAtMs <= CONFIRMATION_SECONDS * 1000;
  }

  #distinct(subjects: Iterable<SubjectId>): SubjectName[] {
    const names = new Map<string, SubjectName>();
    for (const id of subjects) {
      const name = subjectName(id);
      names.set(mapKeyOf(name), name);
    }
    if (names.size <= this.#capacity) return [...names.values()];
    throw new RangeError(
      `${names.size} subjects at once are more than the ${this.#capacity} that are held; raise capacity`,
    );
  }

  /** Loads what is not held yet. What is not stored is not in the result. */
  async #load(names: readonly SubjectName[]): Promise<ReadonlyMap<string, LoadedSubject>> {
    const found = new Map<string, LoadedSubject>();
    const wanted: SubjectName[] = [];
    for (const name of names) {
      const held = this.#held.get(mapKeyOf(name));
      if (held) found.set(mapKeyOf(name), this.#use(held).key);
      else wanted.push(name);
    }
    if (wanted.length > 0 || !this.#isConfirmed()) {
      const { subjects } = await this.#readAndHold(wanted);
      for (const [mapKey, key] of subjects) found.set(mapKey, key);
    }
    return found;
  }

  /** The most recently used one is the last. */
  #use(held: HeldSubject): HeldSubject {
    const mapKey = mapKeyOf(held);
    this.#held.delete(mapKey);
    this.#held.set(mapKey, held);
    return held;
  }

  /** Reads `wanted`, and all that is held as well once the generation has moved. */
  async #readAndHold(wanted: readonly SubjectName[]): Promise<SubjectReading> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      // Confirmed as of before the reading: what changed during it may not be in what was read.
      const askedAtMs = performance.now();
      const reading = await this.#reader.read(wanted);
      // Another reading may have moved on meanwhile; what is older must not take the place of what is newer.
      // By the root too: every erasure replaces it, and whoever sets the generation back has not the new root's wraps.
      if (reading.generation === this.#generation && reading.rootFingerprint === this.#rootFingerprint) {
        this.#hold(wanted, reading);
        this.#confirmedAtMs = Math.max(this.#confirmedAtMs, askedAtMs);
        return reading;
      }
      this.#adopting ??= this.#adoptGeneration().finally(() => {
        this.#adopting = null;
      });
      await this.#adopting;
    }
    throw notSettled();
  }

  /** Takes over another generation, and with it what became of everything that is held. */
  async #adoptGeneration(): Promise<void> {
    const askedAtMs = performance.now();
    const { generation, rootFingerprint } = await this.#reader.read([]);
    const read = new Map<string, LoadedSubject | undefined>();
    // What others loaded during a reading is read after it.
    for (;;) {
      const unread = [...this.#held].filter(([mapKey]) => !read.has(mapKey));
      if (unread.length === 0) break;
      const { subjects } = await this.#reader.read(unread.map(([, held]) => held));
      for (const [mapKey] of unread) read.set(mapKey, subjects.get(mapKey));
    }
    for (const [mapKey, { tenant, subject }] of [...this.#held]) {
      const key = read.get(mapKey);
      if (key) this.#held.set(mapKey, { tenant, subject, key });
      else this.#held.delete(mapKey);
    }
    this.#generation = generation;
    this.#rootFingerprint = rootFingerprint;
    this.#confirmedAtMs = askedAtMs;
  }

  #hold(names: readonly SubjectName[], { subjects }: SubjectReading): void {
    for (const { tenant, subject } of names) {
      const key = subjects.get(subjectMapKey(tenant, subject));
      if (key) this.#use({ tenant, subject, key });
    }
    // Dropped, not disposed of: whoever asked for one may be in the middle of using it.
    for (const mapKey of this.#held.keys()) {
      if (this.#held.size <= this.#capacity) break;
      this.#held.delete(mapKey);
    }
  }
}

function mapKeyOf({ tenant, subject }: SubjectName): string {
  return subjectMapKey(tenant, subject);
}

function erased(names: readonly SubjectName[]): FieldsealError {
  return new FieldsealError(
    'ERR_SUBJECT_ERASED',
    `${capitalised(describeSubjects(names))} was erased: nothing of it can be read or written.`,
  );
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function notSettled(): FieldsealError {
  return new FieldsealError(
    'ERR_SUBJECT_KEY_NOT_LOADED',
    'The stored subject keys changed again and again while they were read; try again.',
  );
}
