/** Giving a run up that cannot go on by itself: its reason stands beside it, and it is in nobody's way. */
import type { ErrorCode, FieldsealError } from 'fieldseal';
import { openStore } from '../store/open-store.js';
import type { Dependencies } from './dependencies.js';
import { LEASE_SECONDS } from './drive-run.js';

/** Whether trying again later may help: the database was away, or another process drives the run or changed the keyring. */
export function isPassingFault(code: ErrorCode): boolean {
  return /^ERR_(DATABASE_(BUSY|FAILED|NOT_FOUND)|RUN_(DRIVEN|LOST|STOPPED)|KEYRING_CONFLICT)$/.test(code);
}

/** Moves a run that nobody drives to `failed`, with its audit row. */
export async function failRun(
  { target, schema, driver }: Dependencies,
  id: number,
  error: FieldsealError,
): Promise<void> {
  const store = await openStore(target, { schema, mustExist: true });
  try {
    await store.transaction(async (tx) => {
      const fence = await tx.runs.claim(id, driver.owner, LEASE_SECONDS, false);
      if (fence === null) return;
      await tx.runs.update(id, fence, { status: 'failed', errorDetails: error.message, release: true });
      const details = JSON.stringify({ code: error.code });
      await tx.audit.insert({
        action: 'run_failed',
        resourceType: 'sweep_run',
        resourceId: String(id),
        status: 'failure',
        details,
      });
    });
  } finally {
    await store.close();
  }
}
