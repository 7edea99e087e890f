/** What the service refuses, as the client throws it. */

/** An answer from 400 up. */
export class FieldsealApiError extends Error {
  override readonly name = 'FieldsealApiError';
  /** Stable; for programs: `ERR_FORBIDDEN`. `ERR_ANSWER` for an answer that is not the service's, such as a proxy's. */
  readonly code: string;
  readonly status: number;
  /** As in the service's log and audit rows; null where the answer has none. */
  readonly requestId: string | null;
  /** After how many seconds to try again, where the service says so. */
  readonly retryAfterSeconds: number | null;

  constructor(message: string, about: Pick<FieldsealApiError, 'code' | 'status' | 'requestId' | 'retryAfterSeconds'>) {
    super(message);
    this.code = about.code;
    this.status = about.status;
    this.requestId = about.requestId;
    this.retryAfterSeconds = about.retryAfterSeconds;
  }
}

/** The error of an answer. Its message is the service's sentence, which holds no value. */
export async function errorOf(response: Response): Promise<FieldsealApiError> {
  const problem: unknown = await response.json().catch(() => null);
  const { code, detail } = (problem ?? {}) as { code?: unknown; detail?: unknown };
  const isOurs = typeof code === 'string' && typeof detail === 'string';
  return new FieldsealApiError(isOurs ? detail : `The answer has the status ${response.status}.`, {
    code: isOurs ? code : 'ERR_ANSWER',
    status: response.status,
    requestId: response.headers.get('x-request-id'),
    retryAfterSeconds: secondsOf(response.headers.get('retry-after')),
  });
}

function secondsOf(text: string | null): number | null {
  return text !== null && /^\d{1,9}$/.test(text.trim()) ? Number(text) : null;
}
