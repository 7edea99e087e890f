/** The operations of the API, one line each: method, address, and the types of the schemas that the service checks by. */
import type { Static } from 'typebox';
import type * as answer from '../http/contract.js';
import type { IdSchema, KeyPageSchema } from '../http/routes/api-keys.js';
import type { ExportSchema, ListSchema, SearchSchema } from '../http/routes/audit-logs.js';
import type { ConsistencyProofSchema, InclusionProofSchema, TreeSizesSchema } from '../http/routes/audit-proofs.js';
import type { PageSchema } from '../http/routes/rotations.js';
import type { FailureInput } from '../usecases/control-rotation.js';
import type { NewApiKeyInput } from '../usecases/create-api-key.js';
import type { RerollInput } from '../usecases/reroll-api-key.js';
import type { RevocationInput } from '../usecases/revoke-api-key.js';
import type { NewRotationInput } from '../usecases/start-rotation.js';
import type { ApiKeyChangeInput } from '../usecases/update-api-key.js';
import type { VerificationSchema } from '../usecases/verify-api-key.js';

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
type ApiKeyDetails = Static<typeof answer.ApiKeyDetailsSchema>;
type ListedRotation = Static<typeof answer.ListedRotationSchema>;

/** Every operation of `/openapi.json`; a test compares the two. */
export const operations = {
  createKey: operation<
    Static<typeof answer.CreatedApiKeySchema> | Static<typeof answer.ReplayedApiKeySchema>,
    NewApiKeyInput
  >('POST', '/keys'),
  listKeys: operation<Static<typeof answer.ApiKeySchema>[], Partial<Static<typeof KeyPageSchema>>>('GET', '/keys'),
  revokeKey: operation<Static<typeof answer.RevokedSchema>, Id & RevocationInput>('DELETE', '/keys/:id'),
  getKey: operation<ApiKeyDetails, Id>('GET', '/keys/:id'),
  updateKey: operation<ApiKeyDetails, Id & ApiKeyChangeInput>('PATCH', '/keys/:id'),
  rerollKey: operation<
    Static<typeof answer.RerolledApiKeySchema> | Static<typeof answer.ReplayedRerollSchema>,
    Id & RerollInput
  >('POST', '/keys/:id/reroll'),
  disableKey: operation<ApiKeyDetails, Id>('POST', '/keys/:id/disable'),
  enableKey: operation<ApiKeyDetails, Id>('POST', '/keys/:id/enable'),
  verifyKey: operation<Static<typeof answer.VerdictSchema>, Static<typeof VerificationSchema>>('POST', '/keys/verify'),
  auditLogs: operation<Static<typeof answer.AuditLogsSchema>, Static<typeof ListSchema>>('GET', '/audit-logs'),
  auditLog: operation<Static<typeof answer.AuditLogDetailsSchema>, Id>('GET', '/audit-logs/:id'),
  searchAuditLogs: operation<Static<typeof answer.AuditLogsSchema>, Static<typeof SearchSchema>>(
    'POST',
    '/audit-logs/search',
  ),
  exportAuditLogs: operation<Response, Static<typeof ExportSchema>>('GET', '/audit-logs/export', 'response'),
  auditCheckpoint: operation<string, Record<never, never>>('GET', '/audit-logs/checkpoint', 'text'),
  auditInclusionProof: operation<Static<typeof InclusionProofSchema>, Id>('GET', '/audit-logs/:id/inclusion-proof'),
  auditConsistencyProof: operation<Static<typeof ConsistencyProofSchema>, Static<typeof TreeSizesSchema>>(
    'GET',
    '/audit-logs/consistency-proof',
  ),
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
