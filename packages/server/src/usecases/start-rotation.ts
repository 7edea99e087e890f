/** Starting a rotation from outside the process that will drive it. */
import { addKey, type FieldsealConfig, FieldsealError } from 'fieldseal';
import Type, { type Static } from 'typebox';
import { assertMayRotate } from '../auth/principal.js';
import type { Run } from '../store/store.js';
import { findUnfinished } from './drive-run.js';
import { assertInput } from './input.js';
import { type Actor, auditRow, type Service } from './service.js';
import { auditKey, changeKeyring } from './service-keyring.js';

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

/**
 * Commits a new key version, pending, and the run that is to move every value to it. Somebody has to drive the run then.
 * @throws FieldsealError `ERR_FORBIDDEN`, `ERR_RUN_UNFINISHED` while another run is under way, `ERR_ROTATE_ENV_KEYS`
 */
export async function startRotation(
  { store, openKeyring }: Service,
  input: NewRotationInput,
  actor: Actor,
  keys: FieldsealConfig['keys'],
): Promise<Run> {
  assertInput(NewRotationSchema, input);
  assertMayRotate(actor.principal);
  if (keys === 'env') {
    throw new FieldsealError(
      'ERR_ROTATE_ENV_KEYS',
      "The configuration says keys: 'env': readers that know only ENCRYPTION_KEY could not read a random new key; use `fieldseal rotate OLD NEW`.",
    );
  }
  return store.exclusiveTransaction(async (tx) => {
    const own = await findUnfinished(tx, 'rotate');
    if (own) throw new FieldsealError('ERR_RUN_UNFINISHED', `Rotation ${own.id} is unfinished; see its status.`);
    const keyring = await openKeyring(tx);
    // A rotation that was cancelled may have left a key that nothing uses yet.
    const unused = keyring.ring.keys.find((key) => key.purpose === 'field' && key.state === 'pending');
    const added = unused ? null : addKey(keyring.ring, null, 'pending', Date.now());
    if (added) {
      await changeKeyring(tx, keyring, added.ring);
      await auditKey(tx, 'key_added', added.version, { state: 'pending', adopted: false });
    }
    const run = await tx.runs.create({
      kind: 'rotate',
      oldKeyVersion: keyring.ring.primary.version,
      newKeyVersion: added?.version ?? (unused?.version as string),
      notes: input.notes ?? null,
      initiatedBy: actor.principal.subject,
    });
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
