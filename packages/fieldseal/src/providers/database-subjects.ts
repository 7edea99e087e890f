/** The keys of subjects out of the database where the service keeps them. The application hands over a query function. */
import type { SubjectName } from '../keys/subject-name.js';
import type { StoredSubject, StoredSubjects, SubjectProvider, SubjectRootSource } from '../keys/subject-provider.js';
import type { QueryFunction } from './database.js';

/** What `databaseSubjects` needs. */
export interface DatabaseSubjectsOptions {
  readonly dialect: 'sqlite' | 'postgres';
  readonly query: QueryFunction;
  /** PostgreSQL only: the schema of the service's tables (`fieldseal` when left out). */
  readonly schema?: string;
  /** Where the subject root is: `subjectRootFile(path)`, or a source of your own. */
  readonly root: SubjectRootSource;
}

/** `(?, ?), (?, ?)`, or `($2, $3), ($4, $5)` where `from` is 2. */
function tuples(dialect: 'sqlite' | 'postgres', rows: number, columns: number, from: number): string {
  const mark = (position: number) => (dialect === 'postgres' ? `$${from + position}` : '?');
  return Array.from({ length: rows }, (_, row) => {
    const marks = Array.from({ length: columns }, (_column, column) => mark(row * columns + column));
    return `(${marks.join(', ')})`;
  }).join(', ');
}

/**
 * Reads and makes the stored keys of subjects. The role behind `query` needs SELECT and INSERT on `subject_keys` and on
 * `subject_state`, and on PostgreSQL also `UPDATE (singleton)` on `subject_state`, which it only ever locks.
 *
 * @example
 * const subjects = await openSubjectKeys(databaseSubjects({ dialect: 'postgres', query, root: subjectRootFile(path) }));
 */
export function databaseSubjects({ dialect, query, schema, root }: DatabaseSubjectsOptions): SubjectProvider {
  const prefix = dialect === 'postgres' ? `"${(schema ?? 'fieldseal').replaceAll('"', '""')}".` : '';
  const one = dialect === 'postgres' ? '$1' : '?';
  // PostgreSQL: waits for an erasure under way and then sees its root, and keeps the next one waiting. SQLite has one
  // writer at a time.
  const lock = dialect === 'postgres' ? ' FOR SHARE' : '';

  return {
    root,
    async load(names): Promise<StoredSubjects | null> {
      // One statement, so that secrets and state are of one moment.
      const wanted =
        names.length === 0 ? '1 = 0' : `(k.tenant, k.subject) IN (VALUES ${tuples(dialect, names.length, 2, 1)})`;
      const rows = await query(
        `SELECT s.generation, s.root_fingerprint, k.tenant, k.subject, k.wrapped ` +
          `FROM ${prefix}subject_state s LEFT JOIN ${prefix}subject_keys k ON ${wanted}`,
        names.flatMap(({ tenant, subject }: SubjectName) => [tenant, subject]),
      );
      const [state] = rows;
      if (!state) return null;
      const subjects = rows
        .filter((row) => row['subject'] !== null)
        .map(
          (row): StoredSubject => ({
            tenant: String(row['tenant']),
            subject: String(row['subject']),
            wrapped: row['wrapped'] === null ? null : String(row['wrapped']),
          }),
        );
      return {
        generation: Number(state['generation']),
        rootFingerprint: String(state['root_fingerprint']),
        subjects,
      };
    },

    async insert(subjects, rootFingerprint) {
      // RETURNING, so that drivers which tell reading from writing statements accept it in the same call.
      await query(
        `INSERT INTO ${prefix}subject_state (singleton, generation, root_fingerprint) VALUES (1, 1, ${one}) ` +
          'ON CONFLICT (singleton) DO NOTHING RETURNING generation',
        [rootFingerprint],
      );
      if (subjects.length === 0) return;
      await query(
        `WITH s AS (SELECT singleton FROM ${prefix}subject_state WHERE root_fingerprint = ${one}${lock}), ` +
          `n (tenant, subject, wrapped) AS (VALUES ${tuples(dialect, subjects.length, 3, 2)}) ` +
          `INSERT INTO ${prefix}subject_keys (tenant, subject, wrapped) ` +
          'SELECT n.tenant, n.subject, n.wrapped FROM s CROSS JOIN n WHERE true ' +
          'ON CONFLICT (tenant, subject) DO NOTHING RETURNING subject',
        [rootFingerprint, ...subjects.flatMap(({ tenant, subject, wrapped }) => [tenant, subject, wrapped])],
      );
    },
  };
}
