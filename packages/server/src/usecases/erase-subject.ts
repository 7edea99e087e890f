/** `erase`: destroys a subject's secret, and with it everything that was encrypted under it, in every copy. */
import {
  describeSubjects,
  FieldsealError,
  type RootFileStep,
  type SubjectName,
  SubjectRoot,
  type SubjectRootFile,
  subjectName,
} from 'fieldseal';
import { openStore } from '../store/open-store.js';
import type { Store, StoreTransaction } from '../store/store.js';
import type { Dependencies } from './dependencies.js';
import { withReadOnlyStore } from './list-runs.js';
import { SubjectRewrap } from './rewrap-subjects.js';
import { givenRootFile } from './store-subjects.js';
import { rootInUse } from './subject-pages.js';
import type { ClearedIndex, ReachedColumn, RemainingColumn, SubjectReach } from './subject-reach.js';

/** A moment in an erasure at which a test stops the process; those of the file come twice. */
export type EraseStep = RootFileStep | 'indexes cleared' | 'wrapped again' | 'committed';

/** What an erasure needs besides the rest. */
export interface EraseDependencies extends Dependencies {
  openReach(): Promise<SubjectReach>;
  /** For tests. */
  stepDone?(step: EraseStep): void;
}

export interface EraseSubjectOptions {
  readonly subject: string;
  /** Null: there are no tenants. */
  readonly tenant: string | null;
  readonly dryRun: boolean;
  /** Go on although secrets of others do not open under the subject root: they never will again. */
  readonly abandonUnreadable: boolean;
}

/** What an erasure came to. */
export interface EraseReport {
  readonly subject: string;
  readonly tenant: string | null;
  readonly dryRun: boolean;
  /** True: it had been erased before, and what was left to do then is done now. */
  readonly wasErased: boolean;
  /** Secrets of others that are under the new root now, or would be. */
  readonly rewrapped: number;
  /** Secrets of others that opened under no root, and are lost. */
  readonly abandoned: number;
  /** The fingerprint of the root from now on; in a dry run, of the one there is. */
  readonly root: string;
  readonly reached: readonly ReachedColumn[];
  readonly indexesCleared: readonly ClearedIndex[];
  readonly remains: readonly RemainingColumn[];
}

function notFound(name: SubjectName): FieldsealError {
  return new FieldsealError(
    'ERR_SUBJECT_NOT_FOUND',
    `There is no key for ${describeSubjects([name])}: nothing was ever encrypted under one, or --tenant is not right.`,
  );
}

/** Whether the subject is erased already. @throws FieldsealError `ERR_SUBJECT_NOT_FOUND` */
async function isErased({ subjects }: StoreTransaction, name: SubjectName): Promise<boolean> {
  const row = (await subjects.load([name]))?.subjects[0];
  if (!row) throw notFound(name);
  return row.wrapped === null;
}

/**
 * Destroys the secret of a subject: its row loses it, all others are wrapped under a new subject root, and the old root is
 * destroyed, so that no older copy of the database holds anything that still opens. Its blind indexes are emptied.
 * Killed at any moment, every other secret can be read, and the same call finishes the work.
 *
 * @throws FieldsealError `ERR_SUBJECT_NOT_FOUND`, `ERR_CONTEXT_TYPE`, `ERR_SUBJECT_ROOT` (the file is missing, malformed, of
 * another database or cannot be written; or secrets of others do not open and `abandonUnreadable` is false), and those of the store
 */
export async function eraseSubject(deps: EraseDependencies, options: EraseSubjectOptions): Promise<EraseReport> {
  const name = subjectName({ tenant: options.tenant, subject: options.subject });
  const { stepDone = () => {} } = deps;
  const file = givenRootFile(deps, stepDone);
  // Everything that can be refused is refused before anything is changed.
  const before = await withReadOnlyStore(deps, async (store) => {
    const wasErased = await isErased(store, name);
    const root = await rootInUse(store, file);
    return { wasErased, root, rewrapped: wasErased ? 0 : (await store.subjects.count()) - 1 };
  });
  const reach = await deps.openReach();
  try {
    const { reached, indexes, remains } = await reach.examine(name);
    const report = { subject: name.subject, tenant: options.tenant, dryRun: options.dryRun, reached, remains };
    if (options.dryRun) {
      return { ...report, ...before, root: before.root.fingerprint, abandoned: 0, indexesCleared: indexes };
    }
    const store = await openStore(deps.target, { schema: deps.schema, mustExist: true });
    try {
      const rewrap = new SubjectRewrap(before.root, SubjectRoot.random());
      if (!before.wasErased) {
        const unreadable = await rewrap.prepare(store, name, deps.stop);
        // Unless they do not open because another erasure ended meanwhile; the transaction looks again.
        const isSameRoot = (await store.subjects.state())?.rootFingerprint === rewrap.from.fingerprint;
        if (isSameRoot) assertNoneLost(unreadable, options);
      }
      const clearedBefore = await reach.clearIndexes(name);
      stepDone('indexes cleared');
      const erasure = await store.exclusiveTransaction((tx) =>
        erase(tx, file, name, { ...options, rewrap, reached, clearedBefore, stepDone }),
      );
      stepDone('committed');
      await finishReplacement(store, file);
      // An application that had loaded the key may have written an index value in between.
      const clearedAfter = await reach.clearIndexes(name);
      return { ...report, ...erasure, indexesCleared: sum(clearedBefore, clearedAfter) };
    } finally {
      await store.close();
    }
  } finally {
    await reach.close();
  }
}

/** @throws FieldsealError `ERR_SUBJECT_ROOT` */
function assertNoneLost(unreadable: number, { abandonUnreadable }: EraseSubjectOptions): void {
  if (unreadable === 0 || abandonUnreadable) return;
  throw new FieldsealError(
    'ERR_SUBJECT_ROOT',
    `The keys of ${unreadable} other subject(s) do not open under the subject root, and would be lost for good; nothing was ` +
      'erased. Put them back with `fieldseal subject-keys import FILE`, or give them up with --abandon-unreadable.',
  );
}

interface EraseContext extends EraseSubjectOptions {
  readonly rewrap: SubjectRewrap;
  readonly reached: readonly ReachedColumn[];
  readonly clearedBefore: readonly ClearedIndex[];
  stepDone(step: EraseStep): void;
}

/** One transaction: while it lasts no other erasure touches the file, and nobody makes a key under the old root. */
async function erase(
  tx: StoreTransaction,
  file: SubjectRootFile,
  name: SubjectName,
  { rewrap: prepared, reached, clearedBefore, stepDone, ...options }: EraseContext,
): Promise<Pick<EraseReport, 'wasErased' | 'rewrapped' | 'abandoned' | 'root'>> {
  const current = await rootInUse(tx, file);
  if (await isErased(tx, name)) return { wasErased: true, rewrapped: 0, abandoned: 0, root: current.fingerprint };
  // Another erasure may have been faster, and what was prepared is of before it.
  const isPrepared = prepared.from.fingerprint === current.fingerprint;
  const rewrap = isPrepared ? prepared : new SubjectRewrap(current, SubjectRoot.random());
  file.addNext(current.fingerprint, rewrap.to);
  await tx.subjects.replaceRoot(current.fingerprint, rewrap.to.fingerprint);
  await tx.subjects.erase(name);
  const { rewrapped, abandoned } = await rewrap.write(tx);
  assertNoneLost(abandoned, options);
  stepDone('wrapped again');
  await tx.audit.insert({
    action: 'subject_erased',
    resourceType: 'subject',
    resourceId: name.subject,
    status: 'success',
    details: JSON.stringify({
      ...(name.tenant !== '' && { tenant: name.tenant }),
      root: rewrap.to.fingerprint,
      rewrapped,
      abandoned,
      values: reached.reduce((total, { values }) => total + values, 0),
      indexRows: clearedBefore.reduce((total, { rows }) => total + rows, 0),
    }),
  });
  return { wasErased: false, rewrapped, abandoned, root: rewrap.to.fingerprint };
}

/** Destroys whatever root the database does not name. */
async function finishReplacement(store: Store, file: SubjectRootFile): Promise<void> {
  // In a transaction only for its lock: another erasure may be about to bring the next root into use.
  await store.exclusiveTransaction(async (tx) => {
    file.keepOnly((await rootInUse(tx, file)).fingerprint);
  });
}

function sum(before: readonly ClearedIndex[], after: readonly ClearedIndex[]): ClearedIndex[] {
  const totals = new Map<string, ClearedIndex>();
  for (const { table, column, rows } of [...before, ...after]) {
    const key = JSON.stringify([table, column]);
    totals.set(key, { table, column, rows: rows + (totals.get(key)?.rows ?? 0) });
  }
  return [...totals.values()];
}
