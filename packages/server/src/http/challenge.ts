/** What `WWW-Authenticate` says of a refusal (RFC 6750 §3). */
import { FieldsealError } from 'fieldseal';
import { missingScopeOf } from '../usecases/principals.js';
import { HTTP_STATUSES } from './statuses.js';

const REALM = 'Bearer realm="fieldseal"';
const MISPLACED = new WeakSet<Error>();

/** A request whose credentials are where none belong, or there twice: `invalid_request`. */
export function misplacedCredentials(sentence: string): FieldsealError {
  const error = new FieldsealError('ERR_INPUT_INVALID', sentence);
  MISPLACED.add(error);
  return error;
}

/** The header's value; null for an answer that has none. `hasCredentials`: whether a bearer token or key came with the request. */
export function challengeOf(error: FieldsealError, hasCredentials: boolean): string | null {
  const status = HTTP_STATUSES[error.code];
  if (MISPLACED.has(error)) return withError('invalid_request', error.message);
  if (status === 401) return hasCredentials ? withError('invalid_token', error.message) : REALM;
  if (status !== 403) return null;
  const scope = missingScopeOf(error);
  return withError('insufficient_scope', error.message) + (scope ? `, scope="${scope}"` : '');
}

function withError(name: string, sentence: string): string {
  // RFC 6750 §3: printable ASCII without quotes and backslashes.
  const description = sentence.replace(/[^ -~]/g, '?').replace(/["\\]/g, "'");
  return `${REALM}, error="${name}", error_description="${description}"`;
}
