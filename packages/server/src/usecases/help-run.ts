/** Walking ranges of a run that another process drives. */
import type { KeyringSnapshot } from 'fieldseal';
import type { Run } from '../store/store.js';
import { walkRanges } from '../sweep/range-lanes.js';
import type { Dependencies } from './dependencies.js';
import { openedFor, type SweepOptions, workerOf } from './drive-run.js';
import { brakeFor } from './hold-back.js';
import { openTables } from './open-tables.js';
import { keysToOpen } from './service.js';
import { openServiceKeyring } from './service-keyring.js';

/** Whether this process has the key that the run writes under, and as its primary: its ranges are made after that. */
function hasKey(ring: KeyringSnapshot, { kind, newKeyVersion }: Run): boolean {
  if (newKeyVersion === null) return true;
  const key = kind === 'index' ? ring.purposeKey('blind-index') : ring.primary;
  return key?.version === newKeyVersion;
}

/**
 * Walks ranges until none is left to claim. `refused`: this process cannot help, since it has another declaration or other
 * keys than the one that drives the run; `nothing`: there was no range for it.
 * @throws FieldsealError of the configuration, the preflight, the keys and the database; `ERR_RUN_STOPPED`
 */
export async function helpRun(
  deps: Dependencies,
  { id, kind }: Run,
  options: SweepOptions,
): Promise<'worked' | 'nothing' | 'refused'> {
  const open = await openTables(deps, {
    ...openedFor(kind, options),
    check: (_config, reading) => openServiceKeyring(reading, keysToOpen(deps.keys), false),
  });
  try {
    const { store, tables, lanes } = open;
    const { ring } = await openServiceKeyring(store, keysToOpen(deps.keys), false);
    const run = await store.runs.get(id);
    if (run?.status !== 'in_progress' || run.solo) return 'nothing';
    const worker = workerOf(deps.driver, tables);
    if (run.declaration !== worker.declaration || !hasKey(ring, run)) return 'refused';
    const brake = brakeFor(deps, open, null);
    const pace = { stop: deps.stop, maxRowsPerSecond: options.maxRowsPerSecond, brake };
    const context = { kind, tables, ring, lanes, pace };
    let hasWorked = false;
    const onTally = () => {
      hasWorked = true;
    };
    await walkRanges(store, id, worker, context, { onTally, async onLost() {} });
    return hasWorked ? 'worked' : 'nothing';
  } finally {
    await open.close();
  }
}
