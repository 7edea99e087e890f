/** `keyring destroy`: the bytes of a disabled key are forgotten, once nothing needs them any more. */
import { destroyKey, FieldsealError, type Key, RootKey } from 'fieldseal';
import type { AuditRow, StoreTransaction } from '../store/store.js';
import { declarationDigest } from '../sweep/declaration-digest.js';
import type { SweepReport } from '../sweep/sweep-report.js';
import {
  assertNoRun,
  type ChangedKey,
  changedKey,
  inKeyringTransaction,
  type KeyName,
} from './change-stored-keyring.js';
import type { Dependencies } from './dependencies.js';
import { forgetOverwritten } from './forget-overwritten.js';
import {
  assertNotInEnvironments,
  auditRows,
  begunRow,
  declarationOf,
  isFromEnvironment,
  type KeptOutOfEnvironments,
  keyRow,
} from './key-history.js';
import { assertConfig, assertNoNeeds, type DroppedColumns, keyNeeds } from './key-needs.js';
import { listKeys } from './list-keys.js';
import { type OpenTables, openVerifiedTables } from './open-tables.js';
import { auditKey, changeKeyring } from './service-keyring.js';

/** How long a key is disabled before the verify that proves that nobody misses it. */
export const DISABLED_DAYS = 7;
const DAY_MS = 86_400_000;
/** How old the verify may be. */
const VERIFIED_HOURS = 24;
const HOUR_MS = 3_600_000;
const NAMED_BACKUPS = 5;

export interface DestroyKeyOptions extends KeyName, DroppedColumns, KeptOutOfEnvironments {
  /** False: everything is checked, and then refused. */
  readonly confirmed: boolean;
  /** Does without the seven days; a verify begun after the key was disabled is enough. */
  readonly now: boolean;
  /** Goes on although backups hold values under the key. */
  readonly abandonBackups: boolean;
}

/** The destroyed key. */
export interface DestroyedKey extends ChangedKey {
  /** The run that found nothing under it; null: the key was destroyed before. */
  readonly verifiedBy: number | null;
  /** Names of the recorded backups that were made while it was in use. */
  readonly backups: readonly string[];
}

/** Destroying what stays in use elsewhere would only look like it. @throws FieldsealError `ERR_KEY_NEEDED` */
function assertNotGiven({ keys }: Dependencies, { version, secret }: Key, roots: readonly string[]): void {
  if (!secret) return;
  if (roots.includes(new RootKey(secret).fingerprint)) {
    throw new FieldsealError(
      'ERR_KEY_NEEDED',
      `The keyring itself is wrapped under ${version}; wrap it under another root key first, with \`fieldseal keyring rewrap\`.`,
    );
  }
  const given = [keys.current, keys.root, ...keys.previous].some((key) => key?.equals(secret));
  if (!given) return;
  throw new FieldsealError(
    'ERR_KEY_NEEDED',
    `${version} is still in the environment: take it out of ENCRYPTION_KEY (give ROOT_KEY alone) and ENCRYPTION_KEY_PREVIOUS, here and everywhere else.`,
  );
}

/** A verify that came to its end. */
interface Verify {
  readonly run: number;
  /** The row of its beginning. */
  readonly begun: AuditRow;
  readonly ended: AuditRow;
  readonly report: SweepReport;
  /** Which tables and columns it went over, as a digest. */
  readonly declaration: string | null;
}

async function newestVerify(tx: StoreTransaction): Promise<Verify | null> {
  const rows = await Promise.all(
    ['verify_completed', 'verify_completed_with_failures'].map((action) => tx.audit.list({ action, limit: 1 })),
  );
  const ended = rows.flat().sort((a, b) => b.id - a.id)[0];
  const run = ended && (await tx.runs.get(Number(ended.resourceId)));
  const begun = run && (await begunRow(tx, run));
  if (!run?.report || !begun) return null;
  const declaration = await declarationOf(tx, run);
  return { run: run.id, begun, ended, report: JSON.parse(run.report) as SweepReport, declaration };
}

function unverified(sentence: string): FieldsealError {
  return new FieldsealError('ERR_KEY_UNVERIFIED', `${sentence}; run \`fieldseal verify\`, then this again.`);
}

/**
 * A verify that began after the term, over everything that is declared now, has to have read every value: it cannot read
 * with a key that is disabled. And every column where earlier runs found values under the key has to be among them.
 * @throws FieldsealError `ERR_KEY_UNVERIFIED`, `ERR_KEY_NEEDED`
 */
async function assertVerified(
  deps: Dependencies,
  { config, tables }: OpenTables,
  tx: StoreTransaction,
  options: DestroyKeyOptions,
  disabled: AuditRow,
): Promise<Verify> {
  const { version, purpose, now } = options;
  const term = new Date(Date.parse(disabled.timestamp) + (now ? 0 : DISABLED_DAYS * DAY_MS)).toISOString();
  const verify = await newestVerify(tx);
  const since = now
    ? `since ${version} was disabled`
    : `since ${term}, when ${version} has been disabled for ${DISABLED_DAYS} days`;
  // By the order of the rows as well: clocks may stand still for a moment, or be set back.
  if (!verify || verify.begun.id < disabled.id || verify.begun.timestamp < term) {
    throw unverified(`No verify has begun and ended ${since}`);
  }
  const needs = await keyNeeds(deps, tx, options, verify.run);
  assertConfig(config, needs);
  if (Date.parse(await tx.audit.now()) - Date.parse(verify.ended.timestamp) > VERIFIED_HOURS * HOUR_MS) {
    throw unverified(`Run ${verify.run} verified more than ${VERIFIED_HOURS} hours ago`);
  }
  if (verify.declaration !== declarationDigest(tables)) {
    throw unverified(`Run ${verify.run} verified under another declaration of tables and columns than today's`);
  }
  const { failures, run } = { ...verify.report, run: verify.run };
  if (failures.length > 0) {
    const where = failures.map(({ table, column, reason, count }) => `${table}.${column} (${count} × ${reason})`);
    const back = purpose === 'field' ? `; \`fieldseal keyring enable ${version}\` brings back what is under it` : '';
    throw new FieldsealError(
      'ERR_KEY_NEEDED',
      `Run ${run} could not read everything, and what it could not read may need ${version}: ${where.join(', ')}. See \`fieldseal status ${run}\`${back}.`,
    );
  }
  assertNoNeeds(needs, options, '');
  return verify;
}

/**
 * The backups that were made before nothing was seen to be under the key. One restores by itself: the keyring is in it. But
 * rows that are copied out of it, or a backup from before there was a keyring, cannot be read without the key.
 */
async function backupsUnder(tx: StoreTransaction, name: KeyName, { begun }: Verify): Promise<string[]> {
  // Index values can be made again, by `fieldseal index`.
  if (name.purpose === 'blind-index') return [];
  // A key of the environment may have been in use long before the ring knew it.
  const firstId = (await isFromEnvironment(tx, name)) ? 0 : ((await keyRow(tx, 'key_added', name))?.id ?? 0);
  const backups: string[] = [];
  for await (const { id, resourceId, timestamp } of auditRows(tx, { action: 'backup_created' })) {
    if (id > firstId && id < begun.id) backups.push(`${resourceId} (${timestamp})`);
  }
  return backups;
}

/** @throws FieldsealError `ERR_KEY_NEEDED` */
function assertNoBackups(backups: readonly string[], { version, abandonBackups }: DestroyKeyOptions): void {
  if (abandonBackups || backups.length === 0) return;
  const more = backups.length > NAMED_BACKUPS ? ` and ${backups.length - NAMED_BACKUPS} more` : '';
  throw new FieldsealError(
    'ERR_KEY_NEEDED',
    `Backups were made while ${version} was in use: ${backups.slice(0, NAMED_BACKUPS).join(', ')}${more}. Rows copied out of them could not be read any more; when that is no longer wanted, add --abandon-backups.`,
  );
}

/**
 * Destroys a disabled key for good. One that is destroyed already stays so.
 * @throws FieldsealError `ERR_KEY_STATE` unless the key is disabled; `ERR_RUN_UNFINISHED`; `ERR_KEY_NEEDED`, saying what
 * needs it; `ERR_KEY_UNVERIFIED` when nothing proves that no value does; `ERR_CONFIG_NOT_FOUND`; `ERR_USAGE` when it is not confirmed; and those of
 * the keyring, the configuration and the preflight
 */
export async function destroyStoredKey(deps: Dependencies, options: DestroyKeyOptions): Promise<DestroyedKey> {
  const { version, purpose, abandonBackups, confirmed, now, dropped = [], noProcessHasIt = false } = options;
  const { roots } = await listKeys(deps);
  // What a verify of today would go over.
  const open = await openVerifiedTables(deps);
  try {
    const destroyed = await inKeyringTransaction(deps, open.store, async (tx, keyring): Promise<DestroyedKey> => {
      const key = keyring.ring.key(version, purpose);
      const ring = destroyKey(keyring.ring, version, purpose);
      if (ring === keyring.ring) return { ...changedKey(keyring, options), verifiedBy: null, backups: [] };
      await assertNoRun(tx);
      assertNotGiven(deps, key, roots);
      const disabled = await keyRow(tx, 'key_disabled', options);
      if (!disabled) {
        throw new FieldsealError(
          'ERR_KEY_UNVERIFIED',
          `The audit log does not say when ${version} was disabled; enable it and disable it again.`,
        );
      }
      const verify = await assertVerified(deps, open, tx, options, disabled);
      await assertNotInEnvironments(tx, open.config, options);
      const backups = await backupsUnder(tx, options, verify);
      assertNoBackups(backups, options);
      if (!confirmed) {
        const others = (await isFromEnvironment(tx, options))
          ? ' Processes that still have it as ENCRYPTION_KEY or ENCRYPTION_KEY_PREVIOUS, with ROOT_KEY or without, will not open the keyring any more.'
          : '';
        throw new FieldsealError(
          'ERR_USAGE',
          `Nothing stands in the way of destroying ${version}. It cannot be undone.${others} Add --yes.`,
        );
      }
      await changeKeyring(tx, keyring, ring);
      await auditKey(tx, 'key_destroyed', version, {
        purpose,
        verifiedBy: verify.run,
        disabledAt: disabled.timestamp,
        ...(now && { now: true }),
        ...(abandonBackups && { abandonedBackups: backups.length }),
        ...(dropped.length > 0 && { dropped }),
        ...(noProcessHasIt && { noProcessHasIt }),
      });
      return { ...changedKey({ ring }, options), verifiedBy: verify.run, backups };
    });
    await forgetOverwritten(deps, open.store);
    return destroyed;
  } finally {
    await open.close();
  }
}
