/** What one run of the benchmark measured, in one Node; what targets, baseline and report are made of. */

/** What our own ways are called: this, a colon, and which of them. */
export const OURS = 'fieldseal';
/** Names that targets speak of. */
export const NPM_FERNET = 'npm fernet';
export const SINGLE = `${OURS}: Fernet`;
export const BATCH = `${OURS}: batch`;
export const PYCA = 'pyca/cryptography';
export const OPENSSL = 'C on OpenSSL';
export const HOOKS = 'what encryptedColumns adds to the read';
export const AT_ONCE = 'what decryptRows adds to the read';
export const SINGLE_DECRYPTS = '30,000 single decrypts';
export const BATCH_DECRYPT = 'a batch of 30,000 decrypts';
/** The longest time for which nothing else had its turn in the thread that asked. */
export const LONGEST_DELAY = 'longest event-loop delay meanwhile';

/** What a batch over so many worker threads is called. */
export function parallelName(verb: 'encrypt' | 'decrypt', workers: number): string {
  return `${verb}, ${workers} ${workers === 1 ? 'worker' : 'workers'}`;
}

/** What was done, as a key of {@link Run.times}: a verb at one size, nanoseconds of processor time a value. */
export function fieldGroup(verb: string, bytes: number): string {
  return `${verb} ${bytes}`;
}

/** Bytes for people: `100 bytes`, `64 KiB`. */
export function sizeText(bytes: number): string {
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`;
}

/** A read of 10,000 rows and its yardsticks; nanoseconds of processor time for all of it. */
export const PAGE = 'page';
/** 100,000 values over worker threads; nanoseconds on the clock for all of it. */
export const PARALLEL = 'parallel';
/** Single calls of the library; nanoseconds of processor time a call. */
export const PARTS = 'parts';

/** One run in one Node. Ratios of its times are to be believed sooner than the times. */
export interface Run {
  /** As in `v24.1.0`. */
  readonly node: string;
  /** The OpenSSL that this Node brings. */
  readonly nodeOpenssl: string;
  /** The version of better-sqlite3; null where there is none for this Node. */
  readonly sqliteDriver: string | null;
  readonly sizes: readonly number[];
  readonly rounds: number;
  /** Contestant → its version, in the order of the tables. */
  readonly contestants: Readonly<Record<string, string>>;
  /** Nanoseconds by what was done, and by whom or with what; what could not be measured is missing. */
  readonly times: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** What did not take part, and why. */
  readonly leftOut: readonly string[];
}

/** The major version of a run's Node, as in `24`. */
export function majorOf({ node }: Pick<Run, 'node'>): string {
  return /\d+/.exec(node)?.[0] ?? '';
}
