/** Pausing, resuming, cancelling and failing a rotation, for a caller of the service. */
import { FieldsealError } from 'fieldseal';
import Type, { type Static } from 'typebox';
import { assertMayRotate } from '../auth/principal.js';
import { FINAL_STATUSES, type Run, type RunStatus, type StoreTransaction } from '../store/store.js';
import { LEASE_SECONDS } from '../sweep/lease.js';
import type { Driver } from './dependencies.js';
import { assertInput } from './input.js';
import { isDriven, type RunView, runView } from './list-runs.js';
import { type Actor, auditRow, type Service } from './service.js';

/** Why a rotation is given up as failed. */
export const FailureSchema = Type.Object(
  {
    reason: Type.Optional(
      Type.String({ maxLength: 1000, pattern: '^[^\\u0000]*$', description: 'Why; kept beside the rotation.' }),
    ),
  },
  { additionalProperties: false },
);
export type FailureInput = Static<typeof FailureSchema>;

/** What a caller may do to a rotation that is not over. */
interface Control {
  /** What the audit row says: `run_paused`. */
  readonly action: string;
  /** False: another process was faster. */
  change(tx: StoreTransaction, run: Run): Promise<boolean>;
  readonly details?: Readonly<Record<string, unknown>>;
}

function isOver(status: RunStatus): boolean {
  return (FINAL_STATUSES as readonly RunStatus[]).includes(status);
}

function assertNotDriven(run: Run, driver: Driver): void {
  if (!isDriven(run, driver)) return;
  throw new FieldsealError('ERR_RUN_DRIVEN', `A process is driving rotation ${run.id}; pause it first.`);
}

/** Changes an unfinished rotation, and writes the audit row, in one transaction. */
async function control(
  { store }: Service,
  id: number,
  actor: Actor,
  driver: Driver,
  { action, change, details }: Control,
): Promise<RunView> {
  assertMayRotate(actor.principal);
  return store.exclusiveTransaction(async (tx) => {
    const run = await tx.runs.get(id);
    if (run?.kind !== 'rotate') throw new FieldsealError('ERR_NOT_FOUND', 'There is no such rotation.');
    if (isOver(run.status)) throw new FieldsealError('ERR_RUN_OVER', `Rotation ${id} is over: ${run.status}.`);
    if (!(await change(tx, run))) {
      throw new FieldsealError('ERR_RUN_DRIVEN', `A process has just taken over rotation ${id}; see its status.`);
    }
    const row = { action, resourceType: 'sweep_run', resourceId: String(id), status: 'success' as const };
    await tx.audit.insert(auditRow(actor, { ...row, ...(details && { details }) }));
    return runView((await tx.runs.get(id)) as Run, driver);
  });
}

/** The ring opens under OLD and NEW both, and may be changed by who has both. @throws FieldsealError `ERR_ROOT_CHANGE_UNFINISHED` */
async function assertMayPromote(service: Service, tx: StoreTransaction, { id, newKeyVersion }: Run): Promise<void> {
  const { ring, hasOtherRoots } = await service.openKeyring(tx);
  if (!hasOtherRoots || ring.primary.version === newKeyVersion) return;
  throw new FieldsealError(
    'ERR_ROOT_CHANGE_UNFINISHED',
    `Rotation ${id} moves to a key that this service was not given; finish it with \`fieldseal rotate OLD NEW\`.`,
  );
}

/** Moves a run that nobody drives; false when somebody does by now. */
async function moveUndriven(
  { runs }: StoreTransaction,
  { id, owner }: Run,
  driver: Driver,
  change: { readonly status: RunStatus; readonly errorDetails: string | null },
): Promise<boolean> {
  const fence = await runs.claim(id, driver.owner, LEASE_SECONDS, owner !== null && driver.isGone(owner));
  return fence !== null && runs.update(id, fence, { ...change, release: true });
}

/**
 * Stops a rotation, wherever it is driven, before its next batch is written. Resume it, and it goes on from there.
 * @throws FieldsealError `ERR_FORBIDDEN`, `ERR_NOT_FOUND`, `ERR_RUN_OVER`
 */
export function pauseRotation(service: Service, id: number, actor: Actor, driver: Driver): Promise<RunView> {
  return control(service, id, actor, driver, {
    action: 'run_paused',
    change: (tx) => tx.runs.stop(id, 'paused'),
  });
}

/** The same for good: what is moved to the new key stays there. @throws FieldsealError as `pauseRotation` */
export function cancelRotation(service: Service, id: number, actor: Actor, driver: Driver): Promise<RunView> {
  return control(service, id, actor, driver, {
    action: 'run_cancelled',
    change: (tx) => tx.runs.stop(id, 'cancelled'),
  });
}

/**
 * Lets a paused or stalled rotation go on: it is `pending` until somebody drives it, which the caller has to see to.
 * @throws FieldsealError as `pauseRotation`, `ERR_RUN_DRIVEN` while a process drives it, and `ERR_ROOT_CHANGE_UNFINISHED` for
 * one from OLD to NEW whose new key does not write yet
 */
export function resumeRotation(service: Service, id: number, actor: Actor, driver: Driver): Promise<RunView> {
  return control(service, id, actor, driver, {
    action: 'run_resumed',
    async change(tx, run) {
      assertNotDriven(run, driver);
      await assertMayPromote(service, tx, run);
      return moveUndriven(tx, run, driver, { status: 'pending', errorDetails: null });
    },
  });
}

/**
 * Ends a rotation that nobody drives as failed, with a reason.
 * @throws FieldsealError as `resumeRotation`
 */
export function failRotation(
  service: Service,
  id: number,
  input: FailureInput,
  actor: Actor,
  driver: Driver,
): Promise<RunView> {
  assertInput(FailureSchema, input);
  const reason = input.reason ?? null;
  return control(service, id, actor, driver, {
    action: 'run_failed',
    async change(tx, run) {
      assertNotDriven(run, driver);
      return moveUndriven(tx, run, driver, { status: 'failed', errorDetails: reason ?? run.errorDetails });
    },
    ...(reason !== null && { details: { reason } }),
  });
}
