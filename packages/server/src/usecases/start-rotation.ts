/** Starting a rotation from outside the process that will drive it. */
import { type FieldsealConfig, FieldsealError } from 'fieldseal';
import Type, { type Static } from 'typebox';
import { assertMayRotate } from '../auth/principal.js';
import type { NewRun, Run, StoreTransaction } from '../store/store.js';
import { findUnfinished } from './drive-run.js';
import { assertInput } from './input.js';
import { rotationTo, storeNextKey, withNextKey } from './next-key.js';
import { type Actor, auditRow, type Service } from './service.js';
import type { ServiceKeyring } from './service-keyring.js';

export type { Run };

/** What a caller gives. */
export const NewRotationSchema = Type.Object(
  {
    notes: Type.Optional(
      Type.String({ maxLength: 1000, pattern: '^[^\\u0000]*$', description: 'Why; kept beside the rotation.' }),
    ),
  },
  { additionalProperties: false },
);
export type NewRotationInput = Static<typeof NewRotationSchema>;

/** @throws FieldsealError `ERR_ROTATE_ENV_KEYS` where readers know only the keys that they are given */
export function assertRandomKey(keys: FieldsealConfig['keys']): void {
  if (keys !== 'env') return;
  throw new FieldsealError(
    'ERR_ROTATE_ENV_KEYS',
    "The configuration says keys: 'env': readers that know only ENCRYPTION_KEY could not read a random new key; use `fieldseal rotate OLD NEW`.",
  );
}

/**
 * Makes the new key, pending, and the run, in the caller's exclusive transaction.
 * @throws FieldsealError `ERR_RUN_UNFINISHED` while another run is under way, `ERR_ROOT_CHANGE_UNFINISHED`
 */
export async function createRotation(
  tx: StoreTransaction,
  keyring: ServiceKeyring,
  by: Pick<NewRun, 'notes' | 'initiatedBy'>,
): Promise<Run> {
  const own = await findUnfinished(tx, 'rotate');
  if (own) throw new FieldsealError('ERR_RUN_UNFINISHED', `Rotation ${own.id} is unfinished; see its status.`);
  const next = withNextKey(keyring.ring, 'field', null);
  await storeNextKey(tx, keyring, next);
  return tx.runs.create(rotationTo(next, by));
}

/**
 * Commits a new key version, pending, and the run that is to move every value to it. Somebody has to drive the run then.
 * @throws FieldsealError `ERR_FORBIDDEN`, `ERR_RUN_UNFINISHED` while another run is under way, `ERR_ROTATE_ENV_KEYS`,
 * `ERR_ROOT_CHANGE_UNFINISHED`
 */
export async function startRotation(
  { store, openKeyring }: Service,
  input: NewRotationInput,
  actor: Actor,
  keys: FieldsealConfig['keys'],
): Promise<Run> {
  assertInput(NewRotationSchema, input);
  assertMayRotate(actor.principal);
  assertRandomKey(keys);
  return store.exclusiveTransaction(async (tx) => {
    const by = { notes: input.notes ?? null, initiatedBy: actor.principal.subject };
    const run = await createRotation(tx, await openKeyring(tx), by);
    const details = { oldKeyVersion: run.oldKeyVersion, newKeyVersion: run.newKeyVersion, notes: run.notes };
    await tx.audit.insert(
      auditRow(actor, {
        action: 'rotate_started',
        resourceType: 'sweep_run',
        resourceId: String(run.id),
        status: 'success',
        details,
      }),
    );
    return run;
  });
}
