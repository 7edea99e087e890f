/** A store as the contracts see it: connections to one database, made anew for each test. */
import type { NewRun, Store } from '../../src/store/store.js';

export interface StoreUnderTest {
  /** Another connection to the same database; closed at the end. */
  open(): Promise<Store>;
  /** Runs SQL of the test's own; `{t}` before a table's name stands for its schema. */
  execute(sql: string): Promise<Record<string, unknown>[]>;
}

export type WithStore = (work: (under: StoreUnderTest) => Promise<void>) => Promise<void>;

/** A test with one store. */
export const withOneStore = (
  withStore: WithStore,
  work: (store: Store, under: StoreUnderTest) => Promise<void>,
): Promise<void> => withStore(async (under) => work(await under.open(), under));

/** A test with two stores on one database, as two processes have them. */
export const withTwoStores = (
  withStore: WithStore,
  work: (first: Store, second: Store, under: StoreUnderTest) => Promise<void>,
): Promise<void> => withStore(async (under) => work(await under.open(), await under.open(), under));

export const RFC_3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** What most tests begin with. */
export const NEW_RUN: NewRun = {
  kind: 'rotate',
  oldKeyVersion: 'v1',
  newKeyVersion: 'v2',
  notes: 'quarterly',
  initiatedBy: 'cli',
};
