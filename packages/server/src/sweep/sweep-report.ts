/** What a sweep reports at its end, and in a dry run the same. */
import type { RecordCounts, RunKind, RunStatus } from '../store/store.js';
import type { FailureReason } from './transform.js';

/** One column of the report. */
export interface ColumnReport extends RecordCounts {
  readonly table: string;
  readonly column: string;
  /** Under what its values are kept, as the last pass found it: key version, or `plaintext` → how many. */
  readonly held: Readonly<Record<string, number>>;
}

/** The report of one run. Stored as JSON in the run's row. */
export interface SweepReport {
  /** Null in a dry run, which has no row. */
  readonly run: number | null;
  readonly kind: RunKind;
  readonly dryRun: boolean;
  readonly status: RunStatus;
  readonly oldKeyVersion: string | null;
  readonly newKeyVersion: string | null;
  readonly counts: RecordCounts;
  readonly columns: readonly ColumnReport[];
  /** The unreadable ones, counted by column and reason; the rows stand in `sweep_failures`. */
  readonly failures: readonly { table: string; column: string; reason: FailureReason; count: number }[];
  /** Values that the run should have reached and did not, as the last verifying pass counted them. */
  readonly left: number;
  /** Walks over the tables, the verifying ones included. */
  readonly passes: number;
  readonly seconds: number;
}
