/** What a refused call says: code and message side by side, so that a test asserts both. */
import { type ErrorCode, isFieldsealError } from 'fieldseal';

/** A refusal as tests compare it. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

function refusalFrom(error: unknown): Refusal {
  // Not `instanceof`: a configuration that is loaded brings its own copy of the library.
  if (!isFieldsealError(error)) throw error;
  const { code, message } = error;
  return { code, message };
}

/** The FieldsealError that `work` throws; fails when it throws none. */
export function refusalOf(work: () => unknown): Refusal {
  try {
    work();
  } catch (error) {
    return refusalFrom(error);
  }
  throw new Error('nothing was refused');
}

/** The FieldsealError that `work` rejects with; fails when it does not reject. */
export async function rejectionOf(work: () => Promise<unknown>): Promise<Refusal> {
  try {
    await work();
  } catch (error) {
    return refusalFrom(error);
  }
  throw new Error('nothing was refused');
}
