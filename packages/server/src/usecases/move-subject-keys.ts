/**
 * `subject-keys export` and `import`: an erasure destroys the root that older backups are under; the export of after it is
 * what makes a database that is restored from one readable again, but for those who were erased.
 *
 *     {"format":"fieldseal-subject-keys/1","keyring":…,"generation":…,"root":fingerprint}
 *     {"tenant":…,"subject":…,"wrapped":…,"createdAt":…,"erasedAt":…}      a line a subject, also an erased one
 *     {"mac":keyed hash under the root of the SHA-256 of the lines before, with their ends}
 */
import { FieldsealError, isFieldsealError, Sha256, type SubjectRoot } from 'fieldseal';
import { assertFree, nameOf, placeNew, syncFolderOf, withdraw } from '../backup/place-file.js';
import { readLines, writeLines } from '../backup/subject-key-file.js';
import { withTemporaryFile } from '../backup/temporary-folder.js';
import { openStore } from '../store/open-store.js';
import type { StoreTransaction, SubjectRow } from '../store/store.js';
import type { Dependencies } from './dependencies.js';
import { givenRootFile } from './store-subjects.js';
import { rootInUse, subjectPages } from './subject-pages.js';

const FORMAT = 'fieldseal-subject-keys/1';
const BATCH_ROWS = 500;

/** What an export holds. */
export interface SubjectKeysExport {
  /** As the caller named it. */
  readonly file: string;
  readonly subjects: number;
  readonly erased: number;
  /** The fingerprint of the root that opens it. */
  readonly root: string;
}

/** What an import changed. */
export interface SubjectKeysImport {
  readonly file: string;
  /** Secrets of subjects that were absent. */
  readonly added: number;
  /** Secrets that did not open, and were replaced. */
  readonly replaced: number;
  /** Secrets that open already. */
  readonly kept: number;
  /** Subjects that are erased now because the file says so. */
  readonly erased: number;
  /** Subjects that have a secret in the file, and stay erased. */
  readonly stayErased: number;
  /** Secrets in the database that still do not open, of subjects that the file does not have. */
  readonly unreadable: number;
  readonly root: string;
}

/**
 * Writes every wrapped secret into a new file. Without the subject root it is of no use to anybody.
 * @throws FieldsealError `ERR_BACKUP_EXISTS`, `ERR_SUBJECT_ROOT`, `ERR_SUBJECT_NOT_FOUND` (there is none), and those of the store
 */
export async function exportSubjectKeys(
  deps: Dependencies,
  { to }: { readonly to: string },
): Promise<SubjectKeysExport> {
  const rootFile = givenRootFile(deps);
  assertFree(to);
  return withTemporaryFile(to, async (draft) => {
    const store = await openStore(deps.target, { schema: deps.schema, mustExist: true });
    let isPlaced = false;
    try {
      // Exclusive: no erasure puts another root into the middle of it.
      const report = await store.exclusiveTransaction(async (tx) => {
        const root = await rootInUse(tx, rootFile);
        const counts = { subjects: 0, erased: 0 };
        await writeLines(draft, exportedLines(tx, root, counts));
        const made = { ...counts, root: root.fingerprint };
        await audit(tx, 'subject_keys_exported', to, made);
        placeNew(draft, to);
        isPlaced = true;
        return { file: to, ...made };
      });
      syncFolderOf(to);
      return report;
    } catch (error) {
      if (isPlaced) withdraw(to);
      throw error;
    } finally {
      await store.close();
    }
  });
}

async function* exportedLines(
  tx: StoreTransaction,
  root: SubjectRoot,
  counts: { subjects: number; erased: number },
): AsyncGenerator<string[]> {
  const digest = new Sha256();
  const hashed = (lines: string[]) => {
    for (const line of lines) digest.update(Buffer.from(`${line}\n`));
    return lines;
  };
  const [state, keyring] = [await tx.subjects.state(), await tx.keyring.load()];
  const header = {
    format: FORMAT,
    keyring: keyring?.id ?? null,
    generation: state?.generation,
    root: root.fingerprint,
  };
  yield hashed([JSON.stringify(header)]);
  for await (const rows of subjectPages(tx)) {
    for (const { wrapped } of rows) counts[wrapped === null ? 'erased' : 'subjects']++;
    yield hashed(rows.map((row) => JSON.stringify(row)));
  }
  yield [JSON.stringify({ mac: root.exportMac().hash(digest.hex()) })];
}

export interface ImportSubjectKeysOptions {
  readonly from: string;
  /** The database was restored from a backup under a root that is gone: what does not open is replaced, and the root too. */
  readonly restored: boolean;
}

/**
 * Puts secrets of an export where they are missing or do not open, and erases whom it says to be erased. Nobody who is
 * erased in the database comes back. All or nothing.
 * @throws FieldsealError `ERR_BACKUP_INVALID`, `ERR_SUBJECT_ROOT` (the export, or without `restored` the database, is under a
 * root that the file does not hold), and those of the store
 */
export async function importSubjectKeys(
  deps: Dependencies,
  options: ImportSubjectKeysOptions,
): Promise<SubjectKeysImport> {
  const { from } = options;
  const roots = givenRootFile(deps).read();
  const store = await openStore(deps.target, { schema: deps.schema, mustExist: true });
  const lines = readLines(from, deps.stop);
  try {
    return await store.exclusiveTransaction(async (tx) => {
      const source = new ExportReader(lines, from, roots);
      const header = await source.header();
      await assertSameDatabase(tx, header.keyring, from);
      const target = await chooseRoot(tx, roots, header, source.root, options);
      const counts = { added: 0, replaced: 0, kept: 0, erased: 0, stayErased: 0 };
      for await (const rows of source.rows()) await take(tx, rows, source.root, target, counts);
      const report = { ...counts, unreadable: await countUnreadable(tx, target), root: target.fingerprint };
      await audit(tx, 'subject_keys_imported', from, report);
      return { file: from, ...report };
    });
  } finally {
    // Closes the file, which is not read to its end when something is refused.
    await lines.return(undefined);
    await store.close();
  }
}

interface Header {
  readonly keyring: string | null;
  readonly generation: number;
}

function damaged(file: string): FieldsealError {
  return new FieldsealError(
    'ERR_BACKUP_INVALID',
    `The file ${file} is not an export of subject keys, or it is damaged.`,
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads an export from its beginning to its end; only then is it known that nobody has changed it. */
class ExportReader {
  readonly #lines: AsyncGenerator<string>;
  readonly #file: string;
  readonly #roots: readonly SubjectRoot[];
  readonly #digest = new Sha256();
  #root: SubjectRoot | null = null;

  constructor(lines: AsyncGenerator<string>, file: string, roots: readonly SubjectRoot[]) {
    this.#lines = lines;
    this.#file = file;
    this.#roots = roots;
  }

  /** The root that the export is under; known once the header is read. */
  get root(): SubjectRoot {
    if (!this.#root) throw damaged(this.#file);
    return this.#root;
  }

  async header(): Promise<Header> {
    const { done, value } = await this.#lines.next();
    if (done) throw damaged(this.#file);
    const { format, keyring, generation, root } = this.#parse(value);
    const isKeyring = keyring === null || typeof keyring === 'string';
    if (
      format !== FORMAT ||
      !isKeyring ||
      typeof generation !== 'number' ||
      !Number.isSafeInteger(generation) ||
      generation < 1
    ) {
      throw damaged(this.#file);
    }
    this.#root = this.#roots.find(({ fingerprint }) => fingerprint === root) ?? null;
    if (!this.#root) {
      throw new FieldsealError(
        'ERR_SUBJECT_ROOT',
        `The export ${this.#file} is under a subject root that SUBJECT_ROOT_FILE does not hold; take one that was made after the last erasure.`,
      );
    }
    this.#hash(value);
    return { keyring, generation };
  }

  /** @throws FieldsealError `ERR_BACKUP_INVALID`, also at the end, when the MAC is not that of all lines */
  async *rows(): AsyncGenerator<SubjectRow[]> {
    let rows: SubjectRow[] = [];
    for await (const line of this.#lines) {
      const entry = this.#parse(line);
      if (typeof entry['mac'] === 'string') {
        const isWhole = this.root.exportMac().matches(entry['mac'], this.#digest.hex());
        if (!isWhole || !(await this.#lines.next()).done) throw damaged(this.#file);
        yield rows;
        return;
      }
      this.#hash(line);
      rows.push(this.#row(entry));
      if (rows.length === BATCH_ROWS) {
        yield rows;
        rows = [];
      }
    }
    throw damaged(this.#file);
  }

  #hash(line: string): void {
    this.#digest.update(Buffer.from(`${line}\n`));
  }

  #parse(line: string): Readonly<Record<string, unknown>> {
    try {
      const value: unknown = JSON.parse(line);
      if (isObject(value)) return value;
    } catch {} // Refused below, like JSON of another shape.
    throw damaged(this.#file);
  }

  #row({ tenant, subject, wrapped, createdAt, erasedAt }: Readonly<Record<string, unknown>>): SubjectRow {
    const isErased = wrapped === null && typeof erasedAt === 'string';
    if (typeof tenant !== 'string' || typeof subject !== 'string' || typeof createdAt !== 'string')
      throw damaged(this.#file);
    if (isErased) return { tenant, subject, wrapped, createdAt, erasedAt };
    if (typeof wrapped !== 'string' || erasedAt !== null) throw damaged(this.#file);
    return { tenant, subject, wrapped, createdAt, erasedAt };
  }
}

async function assertSameDatabase(tx: StoreTransaction, keyring: string | null, from: string): Promise<void> {
  const stored = await tx.keyring.load();
  if (keyring === null || !stored || stored.id === keyring) return;
  throw new FieldsealError(
    'ERR_BACKUP_INVALID',
    `The export ${from} is of another database: its keyring is another one.`,
  );
}

/** The root that everything is under from now on. Whoever makes a key waits until the import has ended. */
async function chooseRoot(
  tx: StoreTransaction,
  roots: readonly SubjectRoot[],
  { generation }: Header,
  exported: SubjectRoot,
  { restored }: ImportSubjectKeysOptions,
): Promise<SubjectRoot> {
  await tx.subjects.insert([], exported.fingerprint);
  const stored = (await tx.subjects.state())?.rootFingerprint ?? exported.fingerprint;
  const inUse = roots.find(({ fingerprint }) => fingerprint === stored);
  if (!inUse && !restored) {
    throw new FieldsealError(
      'ERR_SUBJECT_ROOT',
      'The subject keys of the database are under a root that SUBJECT_ROOT_FILE does not hold. If it was restored from a backup ' +
        'older than an erasure, that root is gone: --restored replaces every key that does not open. If not, give the right file.',
    );
  }
  const target = inUse ?? exported;
  await tx.subjects.replaceRoot(stored, target.fingerprint, generation);
  return target;
}

/** Decides about some rows of the export. */
async function take(
  tx: StoreTransaction,
  rows: readonly SubjectRow[],
  from: SubjectRoot,
  target: SubjectRoot,
  counts: { added: number; replaced: number; kept: number; erased: number; stayErased: number },
): Promise<void> {
  if (rows.length === 0) return;
  const nameKey = ({ tenant, subject }: { tenant: string; subject: string }) => JSON.stringify([tenant, subject]);
  const known = new Map((await tx.subjects.load(rows))?.subjects.map((row) => [nameKey(row), row]));
  const changed: SubjectRow[] = [];
  for (const row of rows) {
    const stored = known.get(nameKey(row));
    if (row.wrapped === null) {
      if (stored?.wrapped === null) continue;
      counts.erased++;
      changed.push(row);
    } else if (stored?.wrapped === null) counts.stayErased++;
    else if (stored && opens(target, { ...stored, wrapped: stored.wrapped })) counts.kept++;
    else {
      const secret = from.unwrap(row, row.wrapped);
      changed.push({ ...row, wrapped: target.wrap(row, secret) });
      secret.dispose();
      counts[stored ? 'replaced' : 'added']++;
    }
  }
  await tx.subjects.put(changed);
}

function opens(root: SubjectRoot, row: { tenant: string; subject: string; wrapped: string }): boolean {
  try {
    root.unwrap(row, row.wrapped).dispose();
    return true;
  } catch (error) {
    if (isFieldsealError(error)) return false;
    throw error;
  }
}

async function countUnreadable(tx: StoreTransaction, root: SubjectRoot): Promise<number> {
  let count = 0;
  for await (const rows of subjectPages(tx)) {
    for (const { wrapped, ...name } of rows) if (wrapped !== null && !opens(root, { ...name, wrapped })) count++;
  }
  return count;
}

async function audit(
  tx: StoreTransaction,
  action: 'subject_keys_exported' | 'subject_keys_imported',
  file: string,
  details: Readonly<Record<string, unknown>>,
): Promise<void> {
  await tx.audit.insert({
    action,
    resourceType: 'subject_keys',
    resourceId: nameOf(file),
    status: 'success',
    details: JSON.stringify(details),
  });
}
