/** The tables of the Python original (Flask-SQLAlchemy), and what becomes of each column when they are taken over. */
import type { Dialect } from './store.js';

/** The names that its tables and ours share. */
export type OriginalTableName = 'api_keys' | 'audit_logs' | 'encryption_key_rotations';

/**
 * What a column holds: `text` may be NULL, `word` may not be in our table (NULL becomes the empty text), `time` is UTC
 * without a zone, a `count` that is negative or NULL becomes 0, a `flag` that is NULL becomes false.
 */
export type ColumnKind = 'id' | 'text' | 'word' | 'time' | 'count' | 'flag';

/** The columns that a table has, each with its declared type. */
export type Columns = ReadonlyMap<string, string>;

export interface OriginalTable {
  /** A table that has every one of these is the Python original's. */
  readonly core: Readonly<Record<string, ColumnKind>>;
  /** Columns that some versions have, and that mean what ours of that name means. */
  readonly optional: Readonly<Record<string, ColumnKind>>;
  /** Core columns without which a row has no place in our table: neither NULL nor unreadable. */
  readonly required: readonly string[];
  /** A core column in which no two rows may agree. */
  readonly unique?: string;
  /** Our columns that need more than their kind says, as SQL. */
  readonly made: (dialect: Dialect, columns: Columns) => Readonly<Record<string, string>>;
}

export const ORIGINAL_TABLES: Readonly<Record<OriginalTableName, OriginalTable>> = {
  api_keys: {
    core: {
      id: 'id',
      user_id: 'word',
      name: 'word',
      prefix: 'word',
      encrypted_key: 'text',
      scopes: 'text',
      created_at: 'time',
      expires_at: 'time',
      last_used_at: 'time',
      is_active: 'flag',
    },
    optional: { revoked_at: 'time', revoked_by: 'text', revoked_reason: 'text' },
    required: ['prefix', 'created_at'],
    unique: 'prefix',
    // A key that has been revoked is not active, whatever the flag beside it says.
    made: (_dialect, columns): Record<string, string> =>
      columns.has('revoked_at')
        ? { is_active: `case when "is_active" and "revoked_at" is null then true else false end` }
        : {},
  },
  audit_logs: {
    core: {
      id: 'id',
      user_id: 'text',
      action: 'word',
      resource_type: 'word',
      resource_id: 'text',
      ip_address: 'text',
      status: 'text',
      timestamp: 'time',
      details: 'text',
    },
    optional: { request_id: 'text', user_agent: 'text' },
    required: ['timestamp'],
    made: () => ({ status: `case when lower(${asText('status')}) = 'success' then 'success' else 'failure' end` }),
  },
  encryption_key_rotations: {
    core: {
      id: 'id',
      old_key_version: 'text',
      new_key_version: 'text',
      timestamp: 'time',
      rotation_status: 'text',
      total_records: 'count',
      rotated_records: 'count',
      failed_records: 'count',
      error_details: 'text',
    },
    optional: { notes: 'text', initiated_by: 'text', completed_at: 'time', updated_at: 'time' },
    required: ['timestamp'],
    made: (dialect, columns) => {
      const began = asTime(dialect, columns, 'timestamp');
      return {
        ...endedRotation(),
        initiated_by: columns.has('initiated_by') ? `coalesce(${asText('initiated_by')}, 'unknown')` : `'unknown'`,
        updated_at: columns.has('updated_at') ? `coalesce(${asTime(dialect, columns, 'updated_at')}, ${began})` : began,
      };
    },
  },
};

/** Nothing of ours can go on with a rotation of the Python original: its new key is not in our ring. */
function endedRotation(): { rotation_status: string; error_details: string } {
  const status = `lower(${asText('rotation_status')})`;
  const details = asText('error_details');
  const ended = `${status} in ('completed', 'completed_with_failures', 'failed', 'cancelled')`;
  return {
    rotation_status: `case when ${ended} then ${status} else 'failed' end`,
    error_details: `case
      when ${ended} then ${details}
      when ${status} in ('pending', 'in_progress', 'paused', 'stalled')
        then 'unfinished when it was taken over' || coalesce('; ' || ${details}, '')
      else coalesce(${details}, 'had an unknown status when it was taken over') end`,
  };
}

/** The SQL that reads the original's `column` as our table holds it; NULL where it cannot be read. */
export function columnSql(dialect: Dialect, columns: Columns, column: string, kind: ColumnKind): string {
  switch (kind) {
    case 'id':
      return `"${column}"`;
    case 'text':
      return asText(column);
    case 'word':
      return `coalesce(${asText(column)}, '')`;
    case 'time':
      return asTime(dialect, columns, column);
    case 'count':
      return `case when "${column}" > 0 then "${column}" else 0 end`;
    case 'flag':
      return `case when "${column}" then true else false end`;
  }
}

/** Whether a column declared as `type` can be of that kind. On SQLite only the values tell. */
export function suits(dialect: Dialect, kind: ColumnKind, type: string): boolean {
  if (dialect === 'sqlite') return kind !== 'id' || type.toLowerCase() === 'integer';
  switch (kind) {
    case 'id':
    case 'count':
      return /^(smallint|integer|bigint)$/.test(type);
    case 'time':
      return type.startsWith('timestamp');
    case 'flag':
      return type === 'boolean';
    default:
      return type !== 'bytea';
  }
}

/** Numbers and enumerations too. */
function asText(column: string): string {
  return `cast("${column}" as text)`;
}

/** SQLAlchemy's DateTime: `2026-02-26 10:00:00.000000` on SQLite, `timestamp` on PostgreSQL, either way in UTC. */
function asTime(dialect: Dialect, columns: Columns, column: string): string {
  if (dialect === 'sqlite') {
    return `case when typeof("${column}") = 'text' and "${column}" glob '[0-9][0-9][0-9][0-9]-*'
      then strftime('%Y-%m-%dT%H:%M:%fZ', "${column}") end`;
  }
  return columns.get(column)?.endsWith('with time zone') ? `"${column}"` : `"${column}" at time zone 'UTC'`;
}
