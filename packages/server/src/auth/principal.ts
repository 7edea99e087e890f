/** Who makes a request, and what they may do. */
import { FieldsealError } from 'fieldseal';

/** The scopes that concern this service itself. Only an admin can grant them. */
export const MANAGEMENT_SCOPES = ['keys:read', 'keys:write', 'keys:verify', 'audit:read', 'rotation:write'] as const;
export type ManagementScope = (typeof MANAGEMENT_SCOPES)[number];

/** A caller. Subjects are compared as text. */
export interface Principal {
  readonly kind: 'user' | 'api_key' | 'operator';
  /** The token's `sub`, or the owner of the API key. */
  readonly subject: string;
  /** An admin sees and changes everybody's. An API key never is one. */
  readonly isAdmin: boolean;
  /** What an API key, or a token that names some of the service's own scopes, may do; null: no scopes restrict it. */
  readonly scopes: readonly string[] | null;
  readonly apiKeyId: number | null;
}

/** The operator at the command line, who holds the root key anyway. */
export const OPERATOR: Principal = { kind: 'operator', subject: 'cli', isAdmin: true, scopes: null, apiKeyId: null };

/** Which scope would have been enough; beside the errors, whose shape is the library's. */
const MISSING_SCOPES = new WeakMap<Error, ManagementScope>();

/** The scope that a refused caller lacks, where one would have been enough: what a challenge names (RFC 6750 §3.1). */
export function missingScopeOf(error: Error): ManagementScope | null {
  return MISSING_SCOPES.get(error) ?? null;
}

function forbidden(sentence: string, missing?: ManagementScope): FieldsealError {
  const error = new FieldsealError('ERR_FORBIDDEN', sentence);
  if (missing) MISSING_SCOPES.set(error, missing);
  return error;
}

/** @throws FieldsealError `ERR_FORBIDDEN` when scopes restrict the caller and this is not among them */
export function assertScope({ scopes }: Principal, scope: ManagementScope): void {
  if (scopes && !scopes.includes(scope)) throw forbidden(`This needs the scope ${scope}.`, scope);
}

/** Rotations: an admin, or an API key that one has given the scope. @throws FieldsealError `ERR_FORBIDDEN` */
export function assertMayRotate({ isAdmin, scopes }: Principal): void {
  if (!isAdmin && !scopes?.includes('rotation:write'))
    throw forbidden('This needs an admin, or the scope rotation:write.', 'rotation:write');
}

/**
 * Whether the caller may give a new key these scopes: the service's own only as an admin, and an API key none that it
 * lacks itself.
 * @throws FieldsealError `ERR_FORBIDDEN`, naming the scopes
 */
export function assertMayGrant({ kind, isAdmin, scopes: own }: Principal, granted: readonly string[]): void {
  const refused = granted.filter((scope) => {
    const isManagement = (MANAGEMENT_SCOPES as readonly string[]).includes(scope) || scope === 'admin';
    return (isManagement && !isAdmin) || (kind === 'api_key' && !own?.includes(scope));
  });
  if (refused.length > 0) throw forbidden(`You cannot grant ${refused.join(', ')}.`);
}

/**
 * An API key changes other keys, never the one that it is: it could take its own limits off.
 * @throws FieldsealError `ERR_FORBIDDEN`
 */
export function assertNotItself({ apiKeyId }: Principal, id: number): void {
  if (apiKeyId === id) throw forbidden('An API key cannot change itself; use a token, or another key.');
}

/** Whose rows the caller sees: its subject's own, or (null) everybody's. */
export function visibleOwner({ isAdmin, subject }: Principal): string | null {
  return isAdmin ? null : subject;
}
