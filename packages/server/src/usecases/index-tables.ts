/** `index`: every blind index value made, mended, or moved to a new key of the indexes. */
import { disableKey, type FieldsealConfig, FieldsealError, type KeyringSnapshot, promoteKey } from 'fieldseal';
import type { Run, Store } from '../store/store.js';
import { declaredTables } from '../sweep/declared-table.js';
import type { SweepReport } from '../sweep/sweep-report.js';
import type { Dependencies } from './dependencies.js';
import {
  driveRun,
  dryRun,
  findOrCreateRun,
  findUnfinished,
  openedFor,
  passContext,
  type SweepOptions,
} from './drive-run.js';
import { rotationTo, storeNextKey, withNextKey } from './next-key.js';
import { type OpenTables, openTables } from './open-tables.js';
import { promote } from './promote.js';
import { keysToOpen } from './service.js';
import { auditKey, changeKeyring, openServiceKeyring, type ServiceKeyring, withPurposeKey } from './service-keyring.js';
import { adviseRootKey, ringToTry } from './sweep-tables.js';

export interface IndexOptions extends SweepOptions {
  /** Moves the indexes to a new random key. */
  readonly rotate: boolean;
}

const PURPOSE = 'blind-index';

/** The report that the real run would begin with. */
async function tryIndexes(
  deps: Dependencies,
  open: OpenTables,
  given: KeyringSnapshot,
  options: IndexOptions,
): Promise<SweepReport> {
  const present = ringToTry(given, open);
  if (!options.rotate) return dryRun(passContext(deps, 'index', null, present, open, options), null);
  const { ring, version, oldVersion } = withNextKey(present, PURPOSE, null);
  const context = passContext(deps, 'index', version, promoteKey(ring, version, PURPOSE), open, options);
  return dryRun(context, oldVersion);
}

async function unfinishedOrNew(
  deps: Dependencies,
  open: OpenTables,
  keyring: ServiceKeyring,
  { rotate, onlyRun }: IndexOptions,
): Promise<Run> {
  const { store, tables } = open;
  const unfinished = await findUnfinished(store, 'index', onlyRun);
  if (unfinished && rotate && unfinished.newKeyVersion === null) {
    throw new FieldsealError(
      'ERR_RUN_UNFINISHED',
      `Run ${unfinished.id} builds the indexes under their present key; finish it with \`fieldseal resume ${unfinished.id}\` first.`,
    );
  }
  if (unfinished) return unfinished;
  const by = { notes: null, initiatedBy: 'cli' };
  if (!rotate)
    return findOrCreateRun(deps, store, { kind: 'index', oldKeyVersion: null, newKeyVersion: null, ...by }, tables);
  const next = withNextKey(keyring.ring, PURPOSE, null);
  return findOrCreateRun(deps, store, rotationTo(next, by), tables, {
    also: (tx) => storeNextKey(tx, keyring, next),
  });
}

/** A second clean run after a rotation: no value is left under older keys, and lookups need not ask for them any more. */
async function disableOld(deps: Dependencies, store: Store): Promise<void> {
  const keyring = await openServiceKeyring(store, keysToOpen(deps.keys), true);
  const old = keyring.ring.purposeKeys(PURPOSE).filter(({ state }) => state === 'active');
  if (old.length === 0) return;
  let ring: KeyringSnapshot = keyring.ring;
  for (const { version } of old) ring = disableKey(ring, version, PURPOSE);
  await store.transaction(async (tx) => {
    await changeKeyring(tx, keyring, ring);
    for (const { version } of old) await auditKey(tx, 'key_disabled', version, { purpose: PURPOSE });
  });
}

function assertIndexes(config: FieldsealConfig | null): void {
  if (config && declaredTables(config.model, 'index').length > 0) return;
  throw new FieldsealError('ERR_INDEX_NOT_FOUND', 'The configuration declares no blind index; there is nothing to do.');
}

/**
 * Builds the index values that are missing or wrong; with `rotate`, under a new key. While that goes on, lookups ask for
 * the values of both keys. An unfinished run is resumed.
 * @throws FieldsealError `ERR_INDEX_NOT_FOUND` when no index is declared, and those of the keys, the preflight and the run
 */
export async function indexTables(deps: Dependencies, options: IndexOptions): Promise<SweepReport> {
  const keys = keysToOpen(deps.keys);
  const open = await openTables(deps, {
    ...openedFor('index', options),
    async check(config, reading) {
      assertIndexes(config);
      await openServiceKeyring(reading, keys, false);
    },
  });
  try {
    const opened = await openServiceKeyring(open.store, keys, !options.dryRun);
    adviseRootKey(deps, opened);
    if (options.dryRun) return await tryIndexes(deps, open, opened.ring, options);
    const keyring = await withPurposeKey(open.store, opened, PURPOSE);
    const run = await unfinishedOrNew(deps, open, keyring, options);
    const report = await driveRun(deps, open, run, options, async (claimed) =>
      run.newKeyVersion === null ? keyring.ring : promote(deps, open.store, keys, PURPOSE, claimed),
    );
    // Not by the run that rotated: "none is left" is true of the moment when it was counted, and a writer that was late
    // would have made a row that nobody finds. A later run that finds none left either retires the key.
    if (run.newKeyVersion === null && report.status === 'completed') await disableOld(deps, open.store);
    return report;
  } finally {
    await open.close();
  }
}
