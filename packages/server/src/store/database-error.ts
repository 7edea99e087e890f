/** Turns what a database driver throws into a FieldsealError that holds no value, statement or password. */
import { type ErrorCode, FieldsealError, isFieldsealError } from 'fieldseal';

interface DriverError extends Error {
  readonly code: string;
  readonly severity?: unknown;
  readonly table?: unknown;
  readonly column?: unknown;
  readonly constraint?: unknown;
}

/** pg reports these as plain errors without a code. */
const LOST_CONNECTION =
  /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout exceeded when trying to connect|The server does not support SSL|SASL: )/;

/**
 * The FieldsealError for an error of better-sqlite3 or pg; anything else (a FieldsealError, a mistake of our own) comes
 * back as it is. Drivers quote values in their messages, so of those only the code and names from the schema are kept.
 * @param name what the message calls the database; it begins the sentence.
 */
export function databaseError(error: unknown, name = 'The database'): unknown {
  if (!(error instanceof Error) || isFieldsealError(error)) return error;
  if (!isDriverError(error)) return LOST_CONNECTION.test(error.message) ? unreachable(name) : error;
  if (error.code.startsWith('SQLITE_')) return sqliteError(error, name);
  if (error.severity !== undefined) return postgresError(error, name);
  return isNetworkCode(error.code) ? unreachable(name, error.code) : failed(name, error.code);
}

function sqliteError({ code, message }: DriverError, name: string): FieldsealError {
  if (code === 'SQLITE_NOTADB') {
    return fault('ERR_DATABASE_FOREIGN', `${name} is not a SQLite database; check the path in DATABASE_URL`);
  }
  if (/^SQLITE_(READONLY|CANTOPEN)/.test(code)) {
    return fault(
      'ERR_DATABASE_READ_ONLY',
      `${name} cannot be written (${code}); check the rights to the file and its folder`,
    );
  }
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return fault(
      'ERR_DATABASE_BUSY',
      `${name} stayed locked by another process (${code}); try again when that is done`,
    );
  }
  if (code === 'SQLITE_FULL') return fault('ERR_DATABASE_FAILED', `${name} has no room left on its disk (${code})`);
  const absent = /^no such table: (.+)$/.exec(message);
  if (absent) return fault('ERR_TABLE_NOT_FOUND', `${name} has no table ${absent[1]}`);
  // These messages name tables and columns; a trigger's own text (SQLITE_CONSTRAINT_TRIGGER) could say anything.
  const safe = /^(UNIQUE|NOT NULL|CHECK|FOREIGN KEY) constraint failed|^no such column: /.test(message);
  return failed(name, safe && code !== 'SQLITE_CONSTRAINT_TRIGGER' ? `${code}: ${message}` : code);
}

function postgresError(error: DriverError, name: string): FieldsealError {
  const { code } = error;
  if (code.startsWith('28')) {
    return fault('ERR_DATABASE_NOT_FOUND', `${name} refuses the user or the password of DATABASE_URL (${code})`);
  }
  if (code === '3D000') return fault('ERR_DATABASE_NOT_FOUND', `${name} does not exist (${code}); create it first`);
  if (code.startsWith('08') || /^57P0[1-5]$/.test(code)) return unreachable(name, code);
  if (code === '25006') {
    return fault('ERR_DATABASE_READ_ONLY', `${name} cannot be written (${code}); give DATABASE_URL its primary server`);
  }
  if (['55P03', '57014', '40001', '40P01'].includes(code)) {
    return fault(
      'ERR_DATABASE_BUSY',
      `${name} stayed locked by another transaction (${code}); try again when that is done`,
    );
  }
  if (code === '42P01') return fault('ERR_TABLE_NOT_FOUND', `${name} lacks a table (${error.message})`);
  if (code === '42501') return fault('ERR_DATABASE_FAILED', `${name} denies its user a needed privilege (${code})`);
  if (code === '53100') return fault('ERR_DATABASE_FAILED', `${name} has no room left on its disk (${code})`);
  const names = [error.table, error.column, error.constraint].filter((part) => typeof part === 'string');
  return failed(name, [code, ...names].join(' '));
}

function isDriverError(error: Error): error is DriverError {
  return 'code' in error && typeof error.code === 'string';
}

function isNetworkCode(code: string): boolean {
  return /^(ECONN(REFUSED|RESET|ABORTED)|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|ENOENT)$/.test(
    code,
  );
}

function unreachable(name: string, code?: string): FieldsealError {
  const detail = code === undefined ? '' : ` (${code})`;
  return fault(
    'ERR_DATABASE_NOT_FOUND',
    `${name} cannot be reached${detail}; check that it runs and that DATABASE_URL is right`,
  );
}

function failed(name: string, detail: string): FieldsealError {
  return fault('ERR_DATABASE_FAILED', `${name} failed (${detail})`);
}

function fault(code: ErrorCode, sentence: string): FieldsealError {
  return new FieldsealError(code, `${sentence}.`);
}
