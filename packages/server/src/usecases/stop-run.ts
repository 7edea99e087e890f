/** `pause` and `cancel`: a run's driver, wherever it is, stops before its next batch is written. */
import { FieldsealError } from 'fieldseal';
import { openStore } from '../store/open-store.js';
import type { Dependencies } from './dependencies.js';
import { getRun } from './list-runs.js';

/** @throws FieldsealError `ERR_RUN_NOT_FOUND`, also when the run is over already */
export async function stopRun(deps: Dependencies, id: number, status: 'paused' | 'cancelled'): Promise<void> {
  const { target, schema } = deps;
  // Read first: a database without any run, or without our tables, is left as it is.
  await getRun(deps, id);
  const store = await openStore(target, { schema, mustExist: true });
  try {
    await store.transaction(async (tx) => {
      if (!(await tx.runs.stop(id, status))) {
        throw new FieldsealError(
          'ERR_RUN_NOT_FOUND',
          `There is no unfinished run ${id}; \`fieldseal status\` lists them.`,
        );
      }
      await tx.audit.insert({
        action: `run_${status}`,
        resourceType: 'sweep_run',
        resourceId: String(id),
        status: 'success',
      });
    });
  } finally {
    await store.close();
  }
}
