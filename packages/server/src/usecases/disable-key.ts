/** `keyring disable`: an active key stops reading. It could come back. */
import { disableKey, FieldsealError } from 'fieldseal';
import {
  assertNoRun,
  type ChangedKey,
  changedKey,
  inKeyringTransaction,
  type KeyName,
  withKeyringStore,
} from './change-stored-keyring.js';
import type { Dependencies } from './dependencies.js';
import { describeColumns, type KeyNeeds, keyNeeds, type NeedingColumn } from './key-needs.js';
import { auditKey, changeKeyring } from './service-keyring.js';
import { waitForReaders } from './wait-for-readers.js';

export interface DisableKeyOptions extends KeyName {
  /** Disables it although values are under it, which nobody can read then. */
  readonly force: boolean;
}

/** The disabled key, with what needs it. */
export interface DisabledKey extends ChangedKey {
  /** The run that counted; null: none did. */
  readonly verifiedBy: number | null;
  /** Where values are that cannot be read any more. */
  readonly needed: readonly NeedingColumn[];
}

/** @throws FieldsealError `ERR_KEY_NEEDED` */
function assertNotNeeded(needs: KeyNeeds | null, { version, force }: DisableKeyOptions): void {
  if (force || !needs || needs.columns.length === 0) return;
  throw new FieldsealError(
    'ERR_KEY_NEEDED',
    `Run ${needs.run} found values under ${version}: ${describeColumns(needs.columns)}. Rotate first; with --force nobody can read them until \`fieldseal keyring enable ${version}\`.`,
  );
}

function warn({ notify }: Dependencies, { version, verifiedBy, needed }: DisabledKey): void {
  if (needed.length > 0) {
    const where = describeColumns(needed);
    notify({ type: 'warning', text: `nobody can read these values until ${version} is enabled again: ${where}` });
  } else if (verifiedBy === null) {
    notify({ type: 'warning', text: `no sweep has counted what ${version} holds; run \`fieldseal verify\` now` });
  }
}

/**
 * Disables an active key, and returns once no live process reads with it. One that is disabled already stays as it is.
 * @throws FieldsealError `ERR_KEY_STATE` for the primary and what is not active, `ERR_KEY_NOT_FOUND`,
 * `ERR_RUN_UNFINISHED`, and `ERR_KEY_NEEDED` when the last verifying pass found values under it
 */
export async function disableStoredKey(deps: Dependencies, options: DisableKeyOptions): Promise<DisabledKey> {
  const { version, purpose, force } = options;
  return withKeyringStore(deps, async (store) => {
    const disabled = await inKeyringTransaction(deps, store, async (tx, keyring): Promise<DisabledKey> => {
      const ring = disableKey(keyring.ring, version, purpose);
      await assertNoRun(tx);
      const needs = await keyNeeds(tx, options);
      if (ring !== keyring.ring) {
        assertNotNeeded(needs, options);
        await changeKeyring(tx, keyring, ring);
        await auditKey(tx, 'key_disabled', version, { purpose, ...(force && { forced: true }) });
      }
      return { ...changedKey({ ring }, options), verifiedBy: needs?.run ?? null, needed: needs?.columns ?? [] };
    });
    warn(deps, disabled);
    await waitForReaders(deps, store, disabled.generation, null);
    return disabled;
  });
}
