/** `keyring disable`: an active key stops reading. It could come back. */
import { disableKey, FieldsealError } from 'fieldseal';
import type { StoreTransaction } from '../store/store.js';
import {
  assertNoRun,
  type ChangedKey,
  changedKey,
  inKeyringTransaction,
  type KeyName,
  withKeyringStore,
} from './change-stored-keyring.js';
import type { Dependencies } from './dependencies.js';
import { assertNotInEnvironments, countableSince, type KeptOutOfEnvironments, readSince } from './key-history.js';
import {
  assertConfig,
  assertNoNeeds,
  type DroppedColumns,
  describeColumns,
  type KeyNeeds,
  keyNeeds,
  type NeedingColumn,
} from './key-needs.js';
import { auditKey, changeKeyring } from './service-keyring.js';
import { waitForReaders } from './wait-for-readers.js';

export interface DisableKeyOptions extends KeyName, DroppedColumns, KeptOutOfEnvironments {
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

/** @throws FieldsealError `ERR_KEY_NEEDED`, `ERR_KEY_UNVERIFIED`, `ERR_CONFIG_NOT_FOUND` */
async function assertNotNeeded(
  deps: Dependencies,
  tx: StoreTransaction,
  needs: KeyNeeds,
  options: DisableKeyOptions,
): Promise<void> {
  const { version } = options;
  const config = await deps.loadConfig();
  assertConfig(config, needs);
  const advice = ` Rotate first; with --force nobody can read them until \`fieldseal keyring enable ${version}\`.`;
  assertNoNeeds(needs, options, advice);
  const { counted } = needs;
  if (!counted || (await readSince(tx, counted, options)) < (await countableSince(tx, options))) {
    throw new FieldsealError(
      'ERR_KEY_UNVERIFIED',
      `No sweep has counted what is under ${version} since it last wrote, or began to read; run \`fieldseal verify\`, then this again.`,
    );
  }
  await assertNotInEnvironments(tx, config, options);
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
 * `ERR_RUN_UNFINISHED`; unless it is forced `ERR_KEY_NEEDED` when sweeps found values under it, `ERR_KEY_UNVERIFIED` when none
 * has counted since it last wrote, and `ERR_CONFIG_NOT_FOUND` without the configuration that sweeps had
 */
export async function disableStoredKey(deps: Dependencies, options: DisableKeyOptions): Promise<DisabledKey> {
  const { version, purpose, force } = options;
  return withKeyringStore(deps, async (store) => {
    const disabled = await inKeyringTransaction(deps, store, async (tx, keyring): Promise<DisabledKey> => {
      const ring = disableKey(keyring.ring, version, purpose);
      await assertNoRun(tx);
      const needs = await keyNeeds(deps, tx, options);
      if (ring !== keyring.ring) {
        if (!force) await assertNotNeeded(deps, tx, needs, options);
        await changeKeyring(tx, keyring, ring);
        await auditKey(tx, 'key_disabled', version, { purpose, ...(force && { forced: true }) });
      }
      const needed = [...needs.columns, ...needs.absent];
      return { ...changedKey({ ring }, options), verifiedBy: needs.counted?.id ?? null, needed };
    });
    warn(deps, disabled);
    await waitForReaders(deps, store, disabled.generation, null);
    return disabled;
  });
}
