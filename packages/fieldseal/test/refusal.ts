/** What a refused call says: code and message side by side, so that a test asserts both. */
import { expect } from 'vitest';
import { type ErrorCode, FieldsealError } from '../src/errors.js';

/** A refusal as tests compare it. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** The one refusal of decryption. */
export const DECRYPT_FAILED: Refusal = {
  code: 'ERR_DECRYPT_FAILED',
  message: 'The value cannot be decrypted: it was written under another key, altered or is not a token.',
};

function refusalFrom(error: unknown): Refusal {
  expect(error).toBeInstanceOf(FieldsealError);
  const { code, message } = error as FieldsealError;
  // Decryption never says why, by no way at all.
  if (code === 'ERR_DECRYPT_FAILED') expect(Object.hasOwn(error as object, 'cause')).toBe(false);
  return { code, message };
}

/** The FieldsealError that `work` throws; fails when it throws none. */
export function refusalOf(work: () => unknown): Refusal {
  let result: unknown;
  try {
    result = work();
  } catch (error) {
    return refusalFrom(error);
  }
  throw new Error(`nothing was refused; the call returned ${typeof result}`);
}

/** The FieldsealError that `work` rejects with; fails when it does not reject. */
export async function rejectionOf(work: () => Promise<unknown>): Promise<Refusal> {
  try {
    await work();
  } catch (error) {
    return refusalFrom(error);
  }
  throw new Error('nothing was refused; the promise was fulfilled');
}
