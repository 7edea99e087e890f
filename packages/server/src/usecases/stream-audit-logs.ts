/** `audit stream`: hands audit rows on as they are written, each at least once. */
import { setTimeout } from 'node:timers/promises';
import { FieldsealError, isFieldsealError } from 'fieldseal';
import { openStore } from '../store/open-store.js';
import type { AuditPosition, Store } from '../store/store.js';
import type { AuditSink } from '../stream/audit-sink.js';
import { fileSink } from '../stream/file-sink.js';
import { webhookSink } from '../stream/webhook-sink.js';
import { ndjsonLine } from './audit-lines.js';
import type { Dependencies } from './dependencies.js';
import { isPassingFault } from './fail-run.js';
import { auditRow, OPERATOR_ACTOR } from './service.js';

export { type AuditSink, fileSink, webhookSink };

const POLL_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const BATCH_ROWS = 500;

export interface StreamOptions {
  readonly sink: AuditSink;
  /** What the database knows the stream by: where it stands is kept there. */
  readonly name: string;
  /** Of a new stream: it begins behind the row of this id. 0: with the oldest row. */
  readonly behindId: number;
  /** Ends when there is nothing more, in the place of waiting for it. */
  readonly once: boolean;
}

interface Standing {
  /** As it is stored; null: not yet. */
  cursor: string | null;
  at: AuditPosition;
}

/** @throws FieldsealError `ERR_CONFIG_INVALID`: the cursor is of another database cluster */
async function standingOf({ audit }: Store, { name, behindId }: StreamOptions): Promise<Standing> {
  const cursor = await audit.streamCursor(name);
  if (cursor === null) return { cursor, at: await audit.startBehind(behindId) };
  const at = JSON.parse(cursor) as AuditPosition;
  if (at.cluster === (await audit.cluster())) return { cursor, at };
  throw new FieldsealError(
    'ERR_CONFIG_INVALID',
    `The stream ${name} was begun on another PostgreSQL server, of which this database was restored; begin a new one with --name, and with --behind the id of the last row that arrived.`,
  );
}

/** One batch, and where the stream stands behind it. False: there was none. */
async function deliverNext(
  { audit }: Store,
  options: StreamOptions,
  standing: Standing,
  stop: AbortSignal,
): Promise<boolean> {
  const { rows, at } = await audit.follow(standing.at, BATCH_ROWS);
  if (rows.length > 0) await options.sink.deliver(rows.map(ndjsonLine).join(''), stop);
  const cursor = JSON.stringify(at);
  if (cursor === standing.cursor) return false;
  if (!(await audit.moveStream(options.name, standing.cursor, cursor))) {
    throw new FieldsealError(
      'ERR_RUN_LOST',
      `Another process streams as ${options.name}; end it, or choose another --name.`,
    );
  }
  Object.assign(standing, { cursor, at });
  return true;
}

/** Whether the same may succeed later. */
function passes(error: unknown): error is FieldsealError {
  return (
    isFieldsealError(error) &&
    (error.code === 'ERR_UNAVAILABLE' || (isPassingFault(error.code) && error.code.startsWith('ERR_DATABASE')))
  );
}

/**
 * Streams until the process is asked to end. What cannot be delivered is tried again, less and less often, and nothing behind it is
 * delivered before it.
 * @throws FieldsealError `ERR_RUN_LOST`, `ERR_CONFIG_INVALID`, and those of the store when it cannot be opened
 */
export async function streamAuditLogs(deps: Dependencies, options: StreamOptions): Promise<void> {
  const { target, schema, stop, notify } = deps;
  const store = await openStore(target, { schema, mustExist: true });
  try {
    const standing = await standingOf(store, options);
    const { name, sink } = options;
    const details = { name, ...sink.about };
    const row = { action: 'audit_stream_started', resourceType: 'audit_log', status: 'success' as const, details };
    await store.audit.insert(auditRow(OPERATOR_ACTOR, row));
    let failures = 0;
    while (!stop.aborted) {
      let waitMs = POLL_MS;
      try {
        if (await deliverNext(store, options, standing, stop)) continue;
        if (options.once) return;
        failures = 0;
      } catch (error) {
        if (stop.aborted) return;
        if (!passes(error)) throw error;
        waitMs = Math.min(LONGEST_WAIT_MS, POLL_MS * 2 ** Math.min(failures++, 10));
        notify({ type: 'warning', text: `${error.message} [${error.code}] Tried again in ${waitMs / 1000} s.` });
      }
      await setTimeout(waitMs, undefined, { signal: stop }).catch(() => {});
    }
  } finally {
    await store.close();
  }
}
