/** Errors as RFC 9457 `application/problem+json`, without a stack, SQL or a value. */
import { STATUS_CODES } from 'node:http';
import { type ErrorCode, FieldsealError, isFieldsealError } from 'fieldseal';
import Type from 'typebox';
import { ruleText } from '../usecases/input.js';
import { HTTP_STATUSES } from './statuses.js';

export const PROBLEM_TYPE = 'application/problem+json';

/** The body of every answer from 400 up. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable; for programs.' }),
    detail: Type.String({ description: 'One sentence; for people.' }),
    instance: Type.String({ description: 'The id of the request, as in the log and the audit rows.' }),
  },
  { title: 'Problem', additionalProperties: false },
);

/** What Fastify throws of its own, in our codes. */
const FRAMEWORK_CODES: Readonly<Record<string, [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['ERR_BODY_TOO_LARGE', 'The body is larger than 64 KiB.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['ERR_MEDIA_TYPE', 'The body must be JSON: Content-Type: application/json.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['ERR_INPUT_INVALID', 'The body is not JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['ERR_INPUT_INVALID', 'The body is empty.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['ERR_INPUT_INVALID', 'The body has not the length that its header says.'],
  FST_ERR_MAX_PARAM_LENGTH: ['ERR_INPUT_INVALID', 'A part of the address is too long.'],
  FST_ERR_BAD_URL: ['ERR_INPUT_INVALID', 'The URL is malformed.'],
  FST_ERR_ASYNC_CONSTRAINT: ['ERR_INPUT_INVALID', 'The request is malformed.'],
};

interface FrameworkError {
  readonly code?: string;
  readonly statusCode?: number;
  readonly validation?: readonly {
    readonly instancePath: string;
    readonly message?: string;
    readonly params?: object;
  }[];
  readonly validationContext?: string;
}

/** Names the field and the rule, never the value: an unknown field's name is the caller's own word. */
function validationError({ validation, validationContext }: FrameworkError): FieldsealError {
  const [first] = validation ?? [];
  const field = first?.instancePath.slice(1).replaceAll('/', '.') || (validationContext ?? 'the request');
  // An unknown field fails the schema `false`.
  if (first?.message === 'schema is false')
    return new FieldsealError('ERR_INPUT_INVALID', `${field} is not a field of this request.`);
  return new FieldsealError('ERR_INPUT_INVALID', `${field} ${ruleText(first?.message)}.`);
}

const UNAVAILABLE = new FieldsealError('ERR_UNAVAILABLE', 'The service cannot answer now; try again in a moment.');
const INTERNAL = new FieldsealError(
  'ERR_INTERNAL',
  'The service failed; its log says more under the id of this request.',
);

/** Whatever was thrown as one of our errors; what is not known becomes `ERR_INTERNAL` and tells nothing. */
export function asFieldsealError(error: unknown): FieldsealError {
  if (isFieldsealError(error)) {
    const status = HTTP_STATUSES[error.code];
    if (status < 500) return error;
    // Sentences for an operator name tables, files and hosts.
    return status === 503 ? UNAVAILABLE : INTERNAL;
  }
  const framework = error as FrameworkError;
  if (framework?.validation) return validationError(framework);
  if (error instanceof SyntaxError && framework.statusCode === 400) {
    return new FieldsealError('ERR_INPUT_INVALID', 'The body is not JSON.');
  }
  const known = FRAMEWORK_CODES[framework?.code ?? ''];
  if (known) return new FieldsealError(...known);
  // Any other mistake of the caller that Fastify or Node finds (a body that is cut off).
  if (framework?.statusCode !== undefined && framework.statusCode >= 400 && framework.statusCode < 500) {
    return new FieldsealError('ERR_INPUT_INVALID', 'The request is malformed.');
  }
  return INTERNAL;
}

/** The body of an answer. */
export function problem(error: FieldsealError, requestId: string) {
  const status = HTTP_STATUSES[error.code];
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code: error.code,
    detail: error.message,
    instance: `urn:fieldseal:request:${requestId}`,
  };
}
