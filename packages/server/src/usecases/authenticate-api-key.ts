/** From the text of an API key to who it speaks for. */
import { FieldsealError } from 'fieldseal';
import type { Principal } from '../auth/principal.js';
import type { Service } from './service.js';
import { type ApiKeyVerdict, judgeApiKey } from './verify-api-key.js';

function refused({ code }: ApiKeyVerdict): FieldsealError {
  switch (code) {
    case 'FORBIDDEN_IP':
      return new FieldsealError('ERR_FORBIDDEN', 'The API key may not be used from this address.');
    case 'RATE_LIMITED':
      return new FieldsealError('ERR_RATE_LIMITED', 'The API key is used too often; wait until Retry-After is over.');
    case 'QUOTA_EXCEEDED':
      return new FieldsealError('ERR_RATE_LIMITED', 'The quota of the API key is used up.');
    default:
      return new FieldsealError('ERR_UNAUTHENTICATED', 'The API key is not valid.');
  }
}

/**
 * Verifies a key that makes a request of this service, and counts the use.
 * @param ip where the request comes from
 * @param onWait told how many seconds a key that is used too often has to wait, before the error is thrown
 * @throws FieldsealError `ERR_UNAUTHENTICATED`, the same for an unknown, altered, expired, disabled and revoked one;
 * `ERR_FORBIDDEN` for an address that it may not be used from; `ERR_RATE_LIMITED`
 */
export async function authenticateApiKey(
  service: Service,
  text: string,
  ip: string | null,
  onWait: (seconds: number) => void = () => {},
): Promise<Principal> {
  const verdict = await judgeApiKey(service, text, [], ip);
  const { valid, code, keyId, userId, scopes, rateLimit } = verdict;
  if (valid) return { kind: 'api_key', subject: userId as string, isAdmin: false, scopes, apiKeyId: keyId };
  if (code === 'RATE_LIMITED' && rateLimit) onWait(rateLimit.resetSeconds);
  throw refused(verdict);
}
