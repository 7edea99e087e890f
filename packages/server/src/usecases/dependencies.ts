/** What a use case gets from outside: it reads no environment, no arguments and no clock but through this. */
import type { EnvironmentKeys, FieldsealConfig } from 'fieldseal';
import type { DatabaseTarget } from '../store/database-url.js';
import type { RunKind } from '../store/store.js';
import type { SweepProgress } from '../sweep/run-passes.js';

/** Something to tell while a use case runs. */
export type Notice =
  | { readonly type: 'run'; readonly run: number | null; readonly kind: RunKind; readonly resumed: boolean }
  | ({ readonly type: 'progress' } & SweepProgress)
  /** A rotation waits until other processes have loaded the new key. */
  | { readonly type: 'waiting'; readonly readers: number }
  /** This process's part of a sweep waits, for the reason that its status shows too. */
  | { readonly type: 'waiting'; readonly because: string }
  /** A worker takes part in a run: as the one that drives it, or beside that. */
  | { readonly type: 'work'; readonly run: number; readonly as: WorkerRole }
  | { readonly type: 'warning'; readonly text: string };

/** What a process can be to a run that others may work on as well. */
export type WorkerRole = 'driver' | 'helper';

/** Which process drives a run, and whether another that claims to is gone. */
export interface Driver {
  /** Unique to this process. */
  readonly owner: string;
  /** True only for an owner on this machine whose process has ended. */
  isGone(owner: string): boolean;
}

export interface Dependencies {
  readonly target: DatabaseTarget;
  /** PostgreSQL: the schema of the service's tables. */
  readonly schema: string;
  readonly keys: EnvironmentKeys;
  /** The file that holds the subject root; null: none was given. */
  readonly subjectRootFile: string | null;
  /** Null: there is no declaration. @throws FieldsealError `ERR_CONFIG_NOT_FOUND` for one that was asked for by name */
  loadConfig(): Promise<FieldsealConfig | null>;
  readonly driver: Driver;
  /** Aborted when the process is asked to end. */
  readonly stop: AbortSignal;
  notify(notice: Notice): void;
}
