/** What holds this process's part of a run back, and who learns why it waits. */
import { databaseName } from '../store/database-url.js';
import { Brake } from '../sweep/brake.js';
import { PostgresSession } from '../sweep/postgres-session.js';
import { lagNeedsPostgres, ReplicationLag } from '../sweep/replication-lag.js';
import type { Dependencies } from './dependencies.js';
import type { ClaimedRun } from './drive-run.js';
import type { OpenTables } from './open-tables.js';

/** Who waits long learns how it goes; a server that is slow every now and then is not told of each time. */
const NOTICE_MS = 10_000;

/**
 * The brake for this process's lanes; null on SQLite, which is this process's own or another's, and waits for locks by
 * itself. The driver's reasons stand beside the run (`driven`); a helper's are its own.
 */
export function brakeFor(
  { notify }: Dependencies,
  { store, lag }: OpenTables,
  driven: ClaimedRun | null,
): Brake | null {
  if (store.dialect !== 'postgres') return null;
  let noticedMs = Number.NEGATIVE_INFINITY;
  return new Brake(lag, async (reason) => {
    if (reason !== null && performance.now() - noticedMs >= NOTICE_MS) {
      noticedMs = performance.now();
      notify({ type: 'waiting', because: reason });
    }
    if (driven) await store.runs.update(driven.run.id, driven.fence, { errorDetails: reason });
  });
}

/**
 * Whether a worker could keep to `--max-replication-lag`, found out before it takes part in anything.
 * @param option what it was asked by
 * @throws FieldsealError `ERR_USAGE` when it could not, naming the option
 */
export async function assertSeesLag(
  { target }: Pick<Dependencies, 'target'>,
  maxSeconds: number,
  option?: string,
): Promise<void> {
  if (target.dialect === 'sqlite') throw lagNeedsPostgres(option);
  const { connectionString } = target;
  const session = await PostgresSession.open({ connectionString, name: databaseName(target), readOnly: true });
  try {
    await ReplicationLag.open((...args) => session.query(...args), maxSeconds, undefined, option);
  } finally {
    await session.close();
  }
}
