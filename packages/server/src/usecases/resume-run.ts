/** Going on with an unfinished run, whatever its kind. */
import { FieldsealError } from 'fieldseal';
import type { Dependencies } from './dependencies.js';
import type { SweepOptions, SweepReport } from './drive-run.js';
import { indexTables } from './index-tables.js';
import { getRun } from './list-runs.js';
import { rotateKeys } from './rotate-keys.js';
import { sweepTables } from './sweep-tables.js';

/** @throws FieldsealError `ERR_RUN_NOT_FOUND`, also when the run is over; and those of its kind */
export async function resumeRun(deps: Dependencies, id: number, options: SweepOptions): Promise<SweepReport> {
  const { kind, completedAt } = await getRun(deps, id);
  if (completedAt !== null)
    throw new FieldsealError('ERR_RUN_NOT_FOUND', `Run ${id} is over; there is nothing to go on with.`);
  const only = { ...options, onlyRun: id };
  if (kind === 'rotate') return rotateKeys(deps, { ...only, given: null });
  if (kind === 'index') return indexTables(deps, { ...only, rotate: false });
  return sweepTables(deps, kind, only);
}
