/** What the audit log says of a key, and of when a run began to count. */
import { type FieldsealConfig, FieldsealError } from 'fieldseal';
import type { AuditFilter, AuditRow, Run, StoreTransaction } from '../store/store.js';
import type { KeyName } from './change-stored-keyring.js';

const PAGE_ROWS = 1_000;

/** What the details of a row about a key may say. */
interface KeyDetails {
  readonly purpose?: string;
  readonly adopted?: boolean;
  /** Of a promotion: the primary before it. */
  readonly previous?: string | null;
}

/** Every row that matches, newest first. */
export async function* auditRows({ audit }: StoreTransaction, filter: AuditFilter): AsyncGenerator<AuditRow> {
  let beforeId: number | undefined;
  for (;;) {
    const rows = await audit.list({ ...filter, limit: PAGE_ROWS, ...(beforeId !== undefined && { beforeId }) });
    yield* rows;
    if (rows.length < PAGE_ROWS) return;
    beforeId = rows.at(-1)?.id;
  }
}

/** The rows about keys of one purpose, newest first, with their details. */
async function* keyRows(
  tx: StoreTransaction,
  action: 'key_added' | 'key_promoted' | 'key_disabled' | 'key_enabled',
  purpose: string,
  resourceId?: string,
): AsyncGenerator<AuditRow & { readonly parsed: KeyDetails }> {
  const filter = { action, resourceType: 'encryption_key', ...(resourceId !== undefined && { resourceId }) };
  for await (const row of auditRows(tx, filter)) {
    const parsed = JSON.parse(row.details ?? '{}') as KeyDetails;
    // Keys that were adopted from the environment are of the fields, and their rows say no purpose.
    if ((parsed.purpose ?? 'field') === purpose) yield { ...row, parsed };
  }
}

/** The newest row about that key. */
export async function keyRow(
  tx: StoreTransaction,
  action: 'key_added' | 'key_disabled' | 'key_enabled',
  { version, purpose }: KeyName,
): Promise<(AuditRow & { readonly parsed: KeyDetails }) | null> {
  for await (const row of keyRows(tx, action, purpose, version)) return row;
  return null;
}

/** Whether an operator gave the key, so that it may be in environments: also the keys that a ring was made with. */
export async function isFromEnvironment(tx: StoreTransaction, name: KeyName): Promise<boolean> {
  if (name.purpose !== 'field') return false;
  const added = await keyRow(tx, 'key_added', name);
  return added === null || added.parsed.adopted === true;
}

/**
 * The id of the audit row after which no count of what is under the key grows old: the newest by which it stopped being the
 * primary, or began to read what no sweep could read before. 0: there is none.
 */
export async function countableSince(tx: StoreTransaction, name: KeyName): Promise<number> {
  const ids = [0];
  for (const action of ['key_added', 'key_enabled'] as const) ids.push((await keyRow(tx, action, name))?.id ?? 0);
  for await (const { id, parsed } of keyRows(tx, 'key_promoted', name.purpose)) {
    if (parsed.previous !== undefined && parsed.previous !== name.version) continue;
    ids.push(id);
    break;
  }
  return Math.max(...ids);
}

/** The newest row that says that of a run. */
async function runRow({ audit }: StoreTransaction, { id, kind }: Run, what: string): Promise<AuditRow | null> {
  const about = { resourceType: 'sweep_run', resourceId: String(id), action: `${kind}_${what}`, limit: 1 };
  return (await audit.list(about))[0] ?? null;
}

/** The row with which a run began, or began anew. */
export async function begunRow(tx: StoreTransaction, run: Run): Promise<AuditRow | null> {
  return (await runRow(tx, run, 'restarted')) ?? (await runRow(tx, run, 'started'));
}

/**
 * A digest of the declaration that a run is, or was, driven under. A run of a former version has it in its audit row alone;
 * null: nobody has driven it yet.
 */
export async function declarationOf(tx: StoreTransaction, run: Run): Promise<string | null> {
  if (run.declaration !== null) return run.declaration;
  const { declaration } = JSON.parse((await begunRow(tx, run))?.details ?? '{}') as { declaration?: string };
  return declaration ?? null;
}

/** The id of the audit row before which a finished run had not read anything yet; 0: the log does not say. */
export async function readSince(tx: StoreTransaction, run: Run, { purpose }: KeyName): Promise<number> {
  const begun = (await begunRow(tx, run))?.id ?? 0;
  if (begun === 0 || run.newKeyVersion === null) return begun;
  const ended = (await runRow(tx, run, 'completed')) ?? (await runRow(tx, run, 'completed_with_failures'));
  // A rotation promotes its key before it reads, and while it is unfinished nobody else promotes any.
  for await (const { id } of keyRows(tx, 'key_promoted', purpose, run.newKeyVersion)) {
    if (id < begun) break;
    if (ended && id < ended.id) return id;
  }
  return begun;
}

/** What an operator says of a key that came from the environment. */
export interface KeptOutOfEnvironments {
  /** No process has it any more: none that knows only its environment goes on writing under it. */
  readonly noProcessHasIt?: boolean;
}

/** @throws FieldsealError `ERR_KEY_NEEDED` while processes may have the key in an environment of their own */
export async function assertNotInEnvironments(
  tx: StoreTransaction,
  config: FieldsealConfig | null,
  { noProcessHasIt = false, ...name }: KeyName & KeptOutOfEnvironments,
): Promise<void> {
  if (config?.keys !== 'env' || noProcessHasIt || !(await isFromEnvironment(tx, name))) return;
  throw new FieldsealError(
    'ERR_KEY_NEEDED',
    `The configuration says keys: 'env', and ${name.version} came from the environment: a process that still has it goes on writing under it. Where none has it any more, say --no-process-has-it.`,
  );
}
