/** The service's own tables behind one asynchronous interface, the same for SQLite and PostgreSQL. */
import type { StoredKeyring, SubjectName, SubjectProvider, SubjectState, WrappedSubject } from 'fieldseal';
import type { ApiKeyRepository, ApiKeyUsageRepository } from './api-key.js';
import type { AuditRepository } from './audit.js';
import type { AuditTreeRepository } from './audit-tree.js';
import type { FigureRepository } from './figures.js';
import type { IdempotencyRepository } from './idempotency.js';
import type { ScheduleRepository } from './schedule.js';

export * from './api-key.js';
export * from './audit.js';
export * from './audit-tree.js';
export * from './idempotency.js';

/** Which database a store or a sweep talks to. */
export type Dialect = 'sqlite' | 'postgres';

/** What a sweep does to the values that it walks over. */
export const RUN_KINDS = ['encrypt', 'rotate', 'decrypt', 'verify', 'index'] as const;
export type RunKind = (typeof RUN_KINDS)[number];

export const RUN_STATUSES = [
  'pending',
  'in_progress',
  'paused',
  'stalled',
  'cancelled',
  'failed',
  'completed',
  'completed_with_failures',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** The statuses from which a run does not move again. */
export const FINAL_STATUSES = [
  'cancelled',
  'failed',
  'completed',
  'completed_with_failures',
] as const satisfies readonly RunStatus[];

/** What happened to the records (fields that are not null) of a run, range or column. */
export interface RecordCounts {
  /** Records met. */
  total: number;
  /** Rewritten (encrypted, re-encrypted or decrypted). */
  rotated: number;
  /** Left alone because they already were as the run wants them. */
  current: number;
  /** Given up after concurrent writes won again and again. */
  skipped: number;
  /** Could not be read; each has a row in `sweep_failures`. */
  failed: number;
}

/** One run: a row of `encryption_key_rotations`, which holds the runs of every kind. Times are RFC 3339 UTC. */
export interface Run {
  readonly id: number;
  readonly kind: RunKind;
  readonly status: RunStatus;
  /** Rotations only: the primary before and after. */
  readonly oldKeyVersion: string | null;
  readonly newKeyVersion: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly completedAt: string | null;
  readonly counts: RecordCounts;
  readonly notes: string | null;
  /** Why a run failed or waits; one sentence, never a value. */
  readonly errorDetails: string | null;
  /** Who asked: `cli`, later also a user's id. */
  readonly initiatedBy: string;
  /** 1 for the first sweep; 2, 3, … for the verifying and repeating passes after it. */
  readonly pass: number;
  /** The process that drives the run now, else null. */
  readonly owner: string | null;
  /** Whether the owner's lease still holds, by the database's clock. */
  readonly leased: boolean;
  /** Grows with every claim. A driver whose fence is not the run's fence writes nothing. */
  readonly fence: number;
  /** The final report as a JSON text, else null. */
  readonly report: string | null;
  /** Whether its driver alone may work on it, since only that knows how fast. */
  readonly solo: boolean;
  /** A digest of the declaration that it is driven under; null before it is driven first. */
  readonly declaration: string | null;
}

/** What a new run needs. */
export interface NewRun {
  readonly kind: RunKind;
  readonly oldKeyVersion: string | null;
  readonly newKeyVersion: string | null;
  readonly notes: string | null;
  readonly initiatedBy: string;
  /** As in {@link Run}; left out, where only the run's driver will know. */
  readonly declaration?: string;
}

/**
 * A part of a pass that one worker walks: the rows of a table behind one key, up to another. On SQLite a whole table, or its
 * rows with a NULL in the key.
 */
export interface SweepRange {
  readonly id: number;
  readonly runId: number;
  readonly pass: number;
  readonly seq: number;
  readonly tableName: string;
  /** `key`: by primary key; `null-key`: SQLite rows with a NULL in their primary key, by rowid. */
  readonly part: 'key' | 'null-key';
  readonly state: 'open' | 'running' | 'done';
  /**
   * JSON text of the last row's key that is committed; in the beginning, the end of the range before. Null: the range
   * begins with the first row. Only the database compares it.
   */
  readonly cursor: string | null;
  /** JSON text of the key up to which, itself included, rows belong to the range; null: all that there are. */
  readonly upper: string | null;
  /** The worker that walks it now, else null. */
  readonly owner: string | null;
  /** Grows with every claim, and when the run is stopped. A worker whose fence is not the range's fence writes nothing. */
  readonly fence: number;
  /** JSON text: column → RecordCounts, plus `versions`: key version → count. Written with the cursor. */
  readonly counts: string;
}

/** A value that could not be read. Never the value itself. */
export interface SweepFailure {
  readonly runId: number;
  readonly tableName: string;
  readonly columnName: string;
  /** JSON text of the row's key. */
  readonly primaryKey: string;
  /** A word such as `no_key`, `plaintext`, `not_text`, `too_long`. */
  readonly reason: string;
}

/** A process that reads the stored keyring, as it reported itself. */
export interface KeyringReader {
  readonly process: string;
  readonly generation: number;
  /** Seconds since it was last seen, by the database's clock. */
  readonly secondsAgo: number;
}

export interface KeyringRepository {
  /** The stored ring, or null when there is none yet. */
  load(): Promise<StoredKeyring | null>;
  /**
   * Puts `ring` in the place of the one of `expectedGeneration` (null: there must be none).
   * @throws FieldsealError `ERR_KEYRING_CONFLICT` when another process was faster; nothing is written then.
   */
  save(ring: StoredKeyring, expectedGeneration: number | null): Promise<void>;
  /** Every reader row. */
  readers(): Promise<KeyringReader[]>;
  /** Removes the rows of readers that were not seen for `seconds`. */
  forgetReaders(seconds: number): Promise<void>;
}

export interface RunRepository {
  create(run: NewRun): Promise<Run>;
  /** Counts of a run that did not come to its end are those of its ranges. */
  get(id: number): Promise<Run | null>;
  /** Newest first, counts as in {@link RunRepository.get}, of one kind or of all; `beforeId` continues behind the last run of the page before. */
  list(limit: number, filter?: { readonly kind?: RunKind; readonly beforeId?: number }): Promise<Run[]>;
  /** Runs that are in no final status, oldest first, with the counts that were last written down. */
  unfinished(): Promise<Run[]>;
  /**
   * Makes `owner` the driver for `leaseSeconds` and returns the new fence; null when another owner's lease holds and
   * `evenIfLeased` is false, or when the run is in a final status, or (for a `worker`, whom nobody asked to) paused or solo. One
   * statement.
   */
  claim(id: number, owner: string, leaseSeconds: number, evenIfLeased: boolean, by?: 'worker'): Promise<number | null>;
  /** Prolongs the lease; false when `fence` is no longer the run's. */
  heartbeat(id: number, fence: number, leaseSeconds: number): Promise<boolean>;
  /**
   * Changes the given columns if `fence` is still the run's; false (and nothing written) when not. A run that is not under
   * way afterwards has its ranges fenced off, whoever walks them.
   */
  update(
    id: number,
    fence: number,
    change: {
      status?: RunStatus;
      pass?: number;
      counts?: RecordCounts;
      oldKeyVersion?: string;
      newKeyVersion?: string;
      errorDetails?: string | null;
      report?: string;
      solo?: boolean;
      declaration?: string;
      /** true: no owner and no lease from now on. */
      release?: boolean;
    },
  ): Promise<boolean>;
  /**
   * Moves an unfinished run to `paused` or `cancelled` and raises its fence and its ranges', so that nobody writes any more;
   * what a paused one waited for is forgotten; false when it was in a final status already.
   */
  stop(id: number, status: 'paused' | 'cancelled'): Promise<boolean>;
  /** Forgets how far the run is: its ranges, and what it could not read. False when `fence` is no longer the run's. */
  restart(id: number, fence: number): Promise<boolean>;
  failures(runId: number, limit: number): Promise<SweepFailure[]>;
  /** How many records each reason has. */
  failureReasons(runId: number): Promise<{ tableName: string; columnName: string; reason: string; count: number }[]>;
}

/** What a new range needs. */
export type NewRange = Pick<SweepRange, 'pass' | 'seq' | 'tableName' | 'part' | 'cursor' | 'upper'>;

/** The ranges of runs: what workers claim. */
export interface RangeRepository {
  /** Makes ranges of a run, all of them or none; false (and nothing written) when `fence` is no longer the run's. */
  create(runId: number, fence: number, ranges: readonly NewRange[]): Promise<boolean>;
  /** The ranges of one pass in order. */
  list(runId: number, pass: number): Promise<SweepRange[]>;
  /**
   * Makes `owner` the worker of the next range of the run's present pass that has none, for `leaseSeconds`: one that is open,
   * whose lease is over, or whose worker is among those `gone`. Null: there is none, or the run is not under way, not under
   * this `declaration` any more, or `solo` and driven by another, or a decryption that nobody drives.
   */
  claim(
    runId: number,
    worker: { readonly owner: string; readonly declaration: string },
    leaseSeconds: number,
    gone: readonly string[],
  ): Promise<SweepRange | null>;
  /** Whether {@link RangeRepository.claim} would find one for somebody. */
  isClaimable(runId: number, gone: readonly string[]): Promise<boolean>;
  /** The workers of the run's ranges, their leases over or not. */
  owners(runId: number): Promise<string[]>;
  /** Prolongs the lease; false when `fence` is no longer the range's. */
  heartbeat(id: number, fence: number, leaseSeconds: number): Promise<boolean>;
  /** Leaves a range to others as it stands; nothing happens when `fence` is no longer the range's. */
  release(id: number, fence: number): Promise<void>;
}

/** A row of `subject_keys`. Times are RFC 3339 UTC. */
export interface SubjectRow extends SubjectName {
  /** The secret under the subject root; null once erased. */
  readonly wrapped: string | null;
  readonly createdAt: string;
  /** Null: not erased. */
  readonly erasedAt: string | null;
}

/** `load` and `insert` are those of the library's `databaseSubjects`. */
export interface SubjectKeyRepository extends Pick<SubjectProvider, 'load' | 'insert'> {
  /** Null before there is a first subject. */
  state(): Promise<SubjectState | null>;
  /** Rows in the order of tenant and subject, erased ones too, behind `after`. */
  page(options: { readonly after: SubjectName | null; readonly limit: number }): Promise<SubjectRow[]>;
  /** Subjects with a key. */
  count(): Promise<number>;
  /**
   * Names another root in the state, and raises the generation: by one, and above `aboveGeneration`. Returns it; null
   * when the state does not name `from`. Whoever inserts waits from then on until the transaction has ended.
   */
  replaceRoot(from: string, to: string, aboveGeneration?: number): Promise<number | null>;
  /** Changes the wraps of rows that are not erased. */
  rewrap(subjects: readonly WrappedSubject[]): Promise<void>;
  /** Takes a subject's secret away and keeps its row; false when it has none. */
  erase(name: SubjectName): Promise<boolean>;
  /** Inserts rows, or puts them in the place of rows that are not erased. */
  put(rows: readonly SubjectRow[]): Promise<void>;
}

/** The repositories, all on one transaction (or, outside one, each statement on its own). */
export interface StoreTransaction {
  readonly keyring: KeyringRepository;
  readonly runs: RunRepository;
  readonly ranges: RangeRepository;
  readonly schedules: ScheduleRepository;
  readonly audit: AuditRepository;
  readonly auditTree: AuditTreeRepository;
  readonly apiKeys: ApiKeyRepository;
  readonly idempotency: IdempotencyRepository;
  readonly apiKeyUsage: ApiKeyUsageRepository;
  readonly subjects: SubjectKeyRepository;
  readonly figures: FigureRepository;
}

/** An open store. Its migrations have run (unless it was opened read-only). */
export interface Store extends StoreTransaction {
  readonly dialect: Dialect;
  /** Runs `work` in one transaction (SQLite: BEGIN IMMEDIATE); whatever it throws rolls everything back. */
  transaction<T>(work: (tx: StoreTransaction) => Promise<T>): Promise<T>;
  /** The same, one such transaction after another: what it reads, no other exclusive one changes meanwhile. */
  exclusiveTransaction<T>(work: (tx: StoreTransaction) => Promise<T>): Promise<T>;
  /** After it returns, every write transaction that was open when it was called has ended (SWEEPS.md §1). */
  writerBarrier(): Promise<void>;
  /**
   * SQLite in WAL mode: moves everything from the log into the file and empties it, so that what was overwritten is in
   * neither; false when another process is reading or writing. PostgreSQL keeps its log as it likes: true.
   */
  truncateLog(): Promise<boolean>;
  close(): Promise<void>;
}
