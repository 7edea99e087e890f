/** The operations of the API, one line each: method, address, and the types of the schemas that the service checks by. */
import type { Static } from 'typebox';
import type * as answer from '../http/contract.js';
import type { IdSchema, KeyPageSchema } from '../http/routes/api-keys.js';
import type { FilterSchema } from '../http/routes/audit-logs.js';
import type { PageSchema } from '../http/routes/rotations.js';
import type { FailureInput } from '../usecases/control-rotation.js';
import type { NewApiKeyInput } from '../usecases/create-api-key.js';
import type { RevocationInput } from '../usecases/revoke-api-key.js';
import type { NewRotationInput } from '../usecases/start-rotation.js';

/** One operation. `Input` is all that it takes in one object: what its address names, and its query or its body. */
export interface Operation<Output, Input> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Behind `/api/encryption`, with `:name` where the input's `name` goes. */
  readonly path: string;
  /** How the answer comes: `response` leaves its body to be read as it arrives. */
  readonly as: 'json' | 'text' | 'response';
  /** For the types alone; it is never there. */
  readonly types?: { readonly output: Output; readonly input: Input };
}

function operation<Output, Input>(
  method: Operation<Output, Input>['method'],
  path: string,
  as: Operation<Output, Input>['as'] = 'json',
): Operation<Output, Input> {
  return { method, path, as };
}

type Id = Static<typeof IdSchema>;
type ListedRotation = Static<typeof answer.ListedRotationSchema>;

/** Every operation of `/openapi.json`; a test compares the two. */
export const operations = {
  createKey: operation<Static<typeof answer.CreatedApiKeySchema>, NewApiKeyInput>('POST', '/keys'),
  listKeys: operation<Static<typeof answer.ApiKeySchema>[], Partial<Static<typeof KeyPageSchema>>>('GET', '/keys'),
  revokeKey: operation<Static<typeof answer.RevokedSchema>, Id & RevocationInput>('DELETE', '/keys/:id'),
  auditLogs: operation<Static<typeof answer.AuditLogsSchema>, Static<typeof FilterSchema>>('GET', '/audit-logs'),
  rotate: operation<Static<typeof answer.StartedRotationSchema>, NewRotationInput>('POST', '/rotate'),
  rotationStatus: operation<Static<typeof answer.RotationSchema>, Id>('GET', '/rotation-status/:id'),
  rotations: operation<ListedRotation[], Static<typeof PageSchema>>('GET', '/rotations'),
  rotation: operation<Static<typeof answer.RotationDetailsSchema>, Id>('GET', '/rotations/:id'),
  pauseRotation: operation<ListedRotation, Id>('POST', '/rotations/:id/pause'),
  cancelRotation: operation<ListedRotation, Id>('POST', '/rotations/:id/cancel'),
  resumeRotation: operation<ListedRotation, Id>('POST', '/rotations/:id/resume'),
  failRotation: operation<ListedRotation, Id & FailureInput>('POST', '/rotations/:id/fail'),
};

export type OperationName = keyof typeof operations;
type TypesOf<Name extends OperationName> = NonNullable<(typeof operations)[Name]['types']>;
export type InputOf<Name extends OperationName> = TypesOf<Name>['input'];
export type OutputOf<Name extends OperationName> = TypesOf<Name>['output'];
/** Operations whose answer is a list, or has one called `logs`. */
export type PagedName = {
  [Name in OperationName]: OutputOf<Name> extends readonly unknown[] | { readonly logs: readonly unknown[] }
    ? Name
    : never;
}[OperationName];
/** What a list has in it. */
export type ItemOf<Name extends PagedName> =
  OutputOf<Name> extends readonly (infer Item)[]
    ? Item
    : OutputOf<Name> extends { readonly logs: readonly (infer Item)[] }
      ? Item
      : never;
