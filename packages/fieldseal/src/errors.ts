/** Everything a caller may act on is one `FieldsealError` with a stable code from this one append-only table. */

/** Every error code with what it means. Codes are public API: they are added, never renamed or reused. */
export const ERROR_CODES = {
  ERR_DECRYPT_FAILED: 'The stored value is not a token that a key of this ring opens. It never says why.',
  ERR_VALUE_TYPE: 'A value has not the type of its column.',
  ERR_VALUE_TOO_LONG: 'A text has more code points than its column declares.',
  ERR_VALUE_NOT_TEXT: 'A text is not well-formed Unicode (a lone surrogate), or decrypted bytes are not UTF-8.',
  ERR_KEY_MISSING: 'A required key is not set.',
  ERR_KEY_MALFORMED: 'A key is not 32 bytes in base64url.',
  ERR_KEY_FILE: 'A file that should hold a key cannot be read.',
  ERR_KEY_DUPLICATE: 'The same key was given twice where two keys are needed.',
  ERR_KEY_NOT_FOUND: 'The keyring has no key of that version.',
  ERR_KEY_STATE: 'The key is in a state that does not allow this.',
  ERR_KEYRING_NOT_FOUND: 'The database holds no keyring.',
  ERR_KEYRING_ROOT: 'The root key (or ENCRYPTION_KEY) is not one that the stored keyring is wrapped under.',
  ERR_KEYRING_TAMPERED: 'The stored keyring was changed by someone without the root key.',
  ERR_KEYRING_ROLLBACK: 'The stored keyring is older than one seen before.',
  ERR_KEYRING_STALE: 'The keyring could not be confirmed for 60 seconds, so nothing is encrypted with it.',
  ERR_KEYRING_CONFLICT: 'Another process changed the keyring at the same time.',
  ERR_KEYRING_INVALID: 'The keyring is not well formed.',
  ERR_MODEL_INVALID: 'The declaration of tables and columns has mistakes.',
  ERR_CONFIG_NOT_FOUND: 'There is no fieldseal.config file.',
  ERR_CONFIG_INVALID: 'A setting is wrong.',
  ERR_USAGE: 'The command line is wrong.',
  ERR_DATABASE_URL: 'DATABASE_URL is not one that Fieldseal understands.',
  ERR_DATABASE_NOT_FOUND: 'The database does not exist or cannot be reached.',
  ERR_DATABASE_FOREIGN: 'The file is not a SQLite database.',
  ERR_DATABASE_READ_ONLY: 'The database cannot be written.',
  ERR_DATABASE_BUSY: 'The database stayed locked by another process.',
  ERR_DATABASE_FAILED: 'The database failed in a way that is not one of the others.',
  ERR_STORE_FOREIGN_TABLE: 'A table that Fieldseal needs exists already and was not made by it.',
  ERR_STORE_NEWER: 'The tables were written by a newer Fieldseal.',
  ERR_TABLE_NOT_FOUND: 'A declared table is not in the database.',
  ERR_COLUMN_NOT_FOUND: 'A declared column is not in its table.',
  ERR_TABLE_NO_KEY: 'A declared table has no primary key that a sweep can walk.',
  ERR_COLUMN_UNSUITABLE: 'A declared column cannot hold tokens or is used by a constraint.',
  ERR_TABLE_TRIGGERS: 'A trigger runs when a swept column is updated.',
  ERR_RUN_NOT_FOUND: 'There is no run of that id.',
  ERR_RUN_UNFINISHED: 'Another run is unfinished.',
  ERR_RUN_DRIVEN: 'Another process drives the run.',
  ERR_RUN_LOST: 'Another process took the run over.',
  ERR_RUN_STOPPED: 'The run was stopped and can be resumed.',
  ERR_RUN_NOT_CLEAN: 'Values under the old key are left, or cannot be read.',
  ERR_ROTATE_ENV_KEYS: 'Readers know only ENCRYPTION_KEY, so a random key version would be unreadable to them.',
  ERR_UNAUTHENTICATED: 'No valid credentials came with the request.',
  ERR_FORBIDDEN: 'The caller lacks the role or the scope.',
  ERR_NOT_FOUND: 'There is no such thing, or it is not the caller’s.',
  ERR_INPUT_INVALID: 'The request does not fit its schema.',
  ERR_BODY_TOO_LARGE: 'The request’s body is larger than allowed.',
  ERR_MEDIA_TYPE: 'The request’s body is not JSON.',
  ERR_METHOD: 'The resource has no such method.',
  ERR_RATE_LIMITED: 'Too many requests.',
  ERR_UNAVAILABLE: 'The service cannot answer now; try again.',
  ERR_API_KEY_REVOKED: 'The API key is revoked already.',
  ERR_API_KEY_PREFIX_TAKEN: 'Another API key has this prefix.',
  ERR_TOKEN_INVALID: 'A token cannot be made or read with these settings.',
  ERR_ADDRESS_IN_USE: 'Another process listens on the address.',
  ERR_BACKUP_INVALID: 'The file is not a backup, is damaged, or the passphrase or identity does not open it.',
  ERR_BACKUP_EXISTS: 'A file stands where the backup or the restored database would go.',
  ERR_VALUE_OUT_OF_RANGE: 'A number, date or list is outside what its column declares.',
  ERR_CODEC_FAILED: 'A codec of the application’s own threw something.',
  ERR_SCHEME_UNKNOWN: 'A column names a scheme that does not exist.',
  ERR_CONTEXT_INCOMPLETE: 'A value is bound to its row, tenant or subject, and that is not known.',
  ERR_CONTEXT_TYPE: 'A primary key, tenant or subject is not a whole number, text or bytes.',
  ERR_CONTEXT_ENCRYPTED: 'A column that is encrypted, or an index, was declared as context.',
  ERR_INDEX_UNSAFE: 'A blind index of that size would tell too much, or find too little.',
  ERR_INDEX_INCOMPLETE: 'A blind index over several columns needs the values of all of them.',
  ERR_INDEX_NOT_FOUND: 'The model declares no such blind index.',
  ERR_SUBJECT_KEY_NOT_LOADED: 'The key of a subject has to be loaded before its values are read or written.',
  ERR_SUBJECT_NOT_FOUND: 'There is no key for that subject.',
  ERR_SUBJECT_ERASED: 'The subject was erased: its values cannot be read, and none is written.',
  ERR_SUBJECT_ROOT: 'The subject root is missing, or not the one that the subject keys are wrapped under.',
  ERR_KEY_NEEDED: 'Something still needs the key: a value, an index, a backup, the environment.',
  ERR_KEY_UNVERIFIED: 'Nothing proves that no value needs the key: a verify that began late enough and found nothing.',
  ERR_RUN_OVER: 'The run is over.',
  ERR_ROOT_CHANGE_UNFINISHED: 'The keyring is wrapped under two root keys until their change is finalized.',
  ERR_SCHEDULE_NOT_FOUND: 'There is no schedule of that id.',
  ERR_API_KEY_STATE: 'The API key is in a state that does not allow this.',
  ERR_API_KEY_TAMPERED: 'The row of the API key was changed by someone without the keyring.',
  ERR_IDEMPOTENCY_MISMATCH: 'The Idempotency-Key came with another request before.',
  ERR_AUDIT_TAMPERED: 'The audit log is not what was sealed and signed before.',
  ERR_AUDIT_UNSIGNED: 'The command that signs checkpoints of the audit log failed.',
  ERR_HEADERS_TOO_LARGE: 'The request’s address and headers are larger than allowed.',
  ERR_REQUEST_TIMEOUT: 'The request did not come to its end in time.',
  ERR_EXPECTATION: 'The request expects what the service does not do.',
  ERR_INTERNAL: 'A fault of Fieldseal itself.',
} as const;

/** A code of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** One mistake of a declaration of tables and columns. */
export interface Mistake {
  readonly code: ErrorCode;
  readonly table: string;
  /** Null for what concerns the whole table. */
  readonly column: string | null;
  readonly text: string;
}

/**
 * The one error class. `code` is stable and for programs; `message` is one sentence for people, with the mend where
 * there is one. Neither ever holds plaintext, a token, a key or a password.
 */
export class FieldsealError extends Error {
  readonly code: ErrorCode;
  /** Places in a batch that failed, for the batch calls; else undefined. */
  readonly indexes?: readonly number[];
  /** The mistakes of a declaration, one by one; else undefined. */
  readonly mistakes?: readonly Mistake[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { indexes?: readonly number[]; mistakes?: readonly Mistake[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FieldsealError';
    this.code = code;
    if (options.indexes) this.indexes = options.indexes;
    if (options.mistakes) this.mistakes = options.mistakes;
  }
}

/** Whether `error` is a FieldsealError, also one of another copy of this package in the same process. */
export function isFieldsealError(error: unknown): error is FieldsealError {
  return (
    error instanceof Error &&
    error.name === 'FieldsealError' &&
    'code' in error &&
    Object.hasOwn(ERROR_CODES, String(error.code))
  );
}
