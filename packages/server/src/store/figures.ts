/** What a store can tell in figures. */
import type { RunKind, RunStatus, SweepRange } from './store.js';

export interface FigureRepository {
  /** How many API keys are in each state, by the database's clock. Reads all of them. */
  apiKeyStates(): Promise<Record<'active' | 'disabled' | 'expired' | 'revoked', number>>;
  /** API keys, not revoked, whose time ends within so many days. */
  apiKeysExpiring(days: number): Promise<number>;
  runs(): Promise<{ kind: RunKind; status: RunStatus; count: number }[]>;
  /** The ranges of one pass of a run by their states. */
  ranges(runId: number, pass: number): Promise<{ state: SweepRange['state']; count: number }[]>;
  /** Returns once the database has answered a question about a table of ours. @throws FieldsealError of the store */
  answers(): Promise<void>;
}
