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
import { describeColumns, needingColumns } from './key-needs.js';
import { listKeys } from './list-keys.js';
import { openTables } from './open-tables.js';
import { auditKey, changeKeyring } from './service-keyring.js';

/** How long a key is disabled before the verify that proves that nobody misses it. */
export const DISABLED_DAYS = 7;
const DAY_MS = 86_400_000;
const LOOKED_AT_ROWS = 1_000;
const NAMED_BACKUPS = 5;

export interface DestroyKeyOptions extends KeyName {
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

/** The newest audit row about that key. */
async function keyRow(
  { audit }: StoreTransaction,
  action: 'key_added' | 'key_disabled',
  { version, purpose }: KeyName,
): Promise<(AuditRow & { readonly parsed: { readonly adopted?: boolean } }) | null> {
  const rows = await audit.list({ action, resourceType: 'encryption_key', resourceId: version, limit: LOOKED_AT_ROWS });
  for (const row of rows) {
    const parsed = JSON.parse(row.details ?? '{}') as { purpose?: string; adopted?: boolean };
    // Keys that were adopted from the environment are of the fields, and their rows say no purpose.
    if ((parsed.purpose ?? 'field') === purpose) return { ...row, parsed };
  }
  return null;
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

/** The newest `verify` that came to its end, with the row of its beginning. */
async function newestVerify({ audit, runs }: StoreTransaction) {
  const ended = await Promise.all(
    ['verify_completed', 'verify_completed_with_failures'].map((action) => audit.list({ action, limit: 1 })),
  );
  const last = ended.flat().sort((a, b) => b.id - a.id)[0];
  const run = last && (await runs.get(Number(last.resourceId)));
  if (!run?.report) return null;
  const about = { resourceType: 'sweep_run', resourceId: String(run.id), limit: 1 };
  const [restarted] = await audit.list({ ...about, action: 'verify_restarted' });
  const [started] = await audit.list({ ...about, action: 'verify_started' });
  const begun = restarted ?? started;
  return begun ? { run: run.id, begun, report: JSON.parse(run.report) as SweepReport } : null;
}

function unverified(sentence: string): FieldsealError {
  return new FieldsealError('ERR_KEY_UNVERIFIED', `${sentence}; run \`fieldseal verify\`, then this again.`);
}

/**
 * A verify that began after the term, over everything that is declared now, has to have read every value: it cannot read
 * with a key that is disabled. Returns its run.
 * @throws FieldsealError `ERR_KEY_UNVERIFIED`, `ERR_KEY_NEEDED`
 */
async function assertVerified(
  tx: StoreTransaction,
  options: DestroyKeyOptions,
  disabled: AuditRow,
  declaration: string,
): Promise<number> {
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
  const { declaration: of } = JSON.parse(verify.begun.details ?? '{}') as { declaration?: string };
  if (of !== declaration) {
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
  const columns = needingColumns(verify.report, options);
  if (columns.length > 0) {
    throw new FieldsealError(
      'ERR_KEY_NEEDED',
      `Run ${run} found values under ${version}: ${describeColumns(columns)}.`,
    );
  }
  return run;
}

/**
 * The backups that were made while the key was in use. One restores by itself: the keyring is in it. But rows that are
 * copied out of it, or a backup from before there was a keyring, cannot be read without the key.
 */
async function backupsUnder(tx: StoreTransaction, name: KeyName, disabled: AuditRow): Promise<string[]> {
  // Index values can be made again, by `fieldseal index`.
  if (name.purpose === 'blind-index') return [];
  const added = await keyRow(tx, 'key_added', name);
  // An adopted key may have been in use long before the ring knew it.
  const firstId = added && added.parsed.adopted !== true ? added.id : 0;
  const made = await tx.audit.list({ action: 'backup_created', limit: LOOKED_AT_ROWS });
  return made
    .filter(({ id }) => id > firstId && id < disabled.id)
    .map(({ resourceId, timestamp }) => `${resourceId} (${timestamp})`);
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
 * needs it; `ERR_KEY_UNVERIFIED` when nothing proves that no value does; `ERR_USAGE` when it is not confirmed; and those of
 * the keyring, the configuration and the preflight
 */
export async function destroyStoredKey(deps: Dependencies, options: DestroyKeyOptions): Promise<DestroyedKey> {
  const { version, purpose, abandonBackups, confirmed, now } = options;
  const { roots } = await listKeys(deps);
  // What a verify of today would go over.
  const open = await openTables(deps, {
    kind: 'verify',
    readOnly: false,
    dryRun: false,
    allowTriggers: true,
    check: async () => {},
  });
  try {
    return await inKeyringTransaction(deps, open.store, async (tx, keyring): Promise<DestroyedKey> => {
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
      const verifiedBy = await assertVerified(tx, options, disabled, declarationDigest(open.tables));
      const backups = await backupsUnder(tx, options, disabled);
      assertNoBackups(backups, options);
      if (!confirmed) {
        throw new FieldsealError(
          'ERR_USAGE',
          `Nothing stands in the way of destroying ${version}. It cannot be undone: add --yes.`,
        );
      }
      await changeKeyring(tx, keyring, ring);
      await auditKey(tx, 'key_destroyed', version, {
        purpose,
        verifiedBy,
        disabledAt: disabled.timestamp,
        ...(now && { now: true }),
        ...(abandonBackups && { abandonedBackups: backups.length }),
      });
      return { ...changedKey({ ring }, options), verifiedBy, backups };
    });
  } finally {
    await open.close();
  }
}
