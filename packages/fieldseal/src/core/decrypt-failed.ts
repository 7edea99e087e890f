/** The one answer to whatever cannot be decrypted. */
import { FieldsealError } from '../errors.js';

/** It never says why and has no `cause`: a reason would help only someone who makes values up. */
export function decryptFailed(): FieldsealError {
  return new FieldsealError(
    'ERR_DECRYPT_FAILED',
    'The value cannot be decrypted: it was written under another key, altered or is not a token.',
  );
}
