/** `scan`: which columns hold tokens, plaintext or both, and which undeclared ones look like personal data. */
import { encryptedString, Field, FieldsealError, isFieldsealError, type KeyringSnapshot, type Model } from 'fieldseal';
import { databaseError } from '../store/database-error.js';
import { openSqlite } from '../store/open-sqlite.js';
import type { StoreSchema } from '../store/schema.js';
import { looksLike, type PersonalDataKind } from '../sweep/personal-data.js';
import { sameName } from '../sweep/sql-tokens.js';
import { type CatalogueTable, readTables } from '../sweep/sqlite-catalogue.js';
import { readSamples } from '../sweep/sqlite-samples.js';
import { PLAINTEXT } from '../sweep/transform.js';
import type { Dependencies } from './dependencies.js';
import { withReadOnlyStore } from './list-runs.js';
import { openServiceKeyring } from './service-keyring.js';
import { givenKeys } from './sweep-tables.js';

const OWN_TABLES: Readonly<Record<keyof StoreSchema, true>> = {
  audit_logs: true,
  encryption_key_rotations: true,
  encryption_keys: true,
  fieldseal_migrations: true,
  keyring_readers: true,
  keyring_state: true,
  sweep_failures: true,
  sweep_ranges: true,
};

/** What was seen in one column. */
export interface ColumnScan {
  readonly table: string;
  readonly column: string;
  readonly declared: boolean;
  readonly sampled: number;
  /** Key version, `plaintext` or `unreadable` (a token that no key opens) → how many of the samples. */
  readonly held: Readonly<Record<string, number>>;
  readonly looksLike: PersonalDataKind | null;
}

/** What a scan found. */
export interface ScanReport {
  readonly columns: readonly ColumnScan[];
  /** Declared tables and columns that the database does not have, as `table.column`. */
  readonly absent: readonly string[];
  /** A `fieldseal.config.ts` for what is not declared yet; null when there is nothing to add. */
  readonly declaration: string | null;
}

function scanColumn(
  samples: readonly string[],
  table: CatalogueTable,
  column: string,
  isDeclared: boolean,
  ring: KeyringSnapshot | null,
): ColumnScan {
  const field = new Field(table.name, column, encryptedString());
  const held: Record<string, number> = {};
  const plain: string[] = [];
  for (const value of samples) {
    const opened = ring ? field.examine(ring, value) : null;
    const holds = opened?.scheme === 'unreadable' ? 'unreadable' : (opened?.keyVersion ?? PLAINTEXT);
    held[holds] = (held[holds] ?? 0) + 1;
    if (holds === PLAINTEXT) plain.push(value);
  }
  return {
    table: table.name,
    column,
    declared: isDeclared,
    sampled: samples.length,
    held,
    looksLike: looksLike(column, plain),
  };
}

function declarationFor(columns: readonly ColumnScan[], tables: readonly CatalogueTable[]): string | null {
  const wanted = columns.filter(({ declared, looksLike: kind, held }) => !declared && (kind || hasTokens(held)));
  if (wanted.length === 0) return null;
  const lines = [...new Set(wanted.map(({ table }) => table))].flatMap((name) => {
    const keys = (tables.find((table) => table.name === name)?.columns ?? []).filter(({ keyPlace }) => keyPlace > 0);
    const key = keys.sort((a, b) => a.keyPlace - b.keyPlace).map((column) => JSON.stringify(column.name));
    const own = wanted.filter(({ table }) => table === name);
    return [
      `    ${JSON.stringify(name)}: {`,
      `      primaryKey: ${key.length === 1 ? key[0] : `[${key.join(', ')}]`},`,
      '      columns: {',
      ...own.map(({ column }) => `        ${JSON.stringify(column)}: encryptedString({ alsoReads: ['plaintext'] }),`),
      '      },',
      '    },',
    ];
  });
  return [
    "import { defineConfig, defineModel, encryptedString } from 'fieldseal';",
    '',
    'export default defineConfig({',
    "  keys: 'stored', // or 'env', while a process knows only ENCRYPTION_KEY",
    '  model: defineModel({',
    ...lines,
    '  }),',
    '});',
    '',
  ].join('\n');
}

/** Tokens, of whatever key, make a column one that should be declared. */
function hasTokens(held: Readonly<Record<string, number>>): boolean {
  return Object.keys(held).some((holds) => holds !== PLAINTEXT);
}

async function openRing(deps: Dependencies): Promise<KeyringSnapshot | null> {
  if (!deps.keys.current && !deps.keys.root) return null;
  return withReadOnlyStore(deps, async (store) => (await openServiceKeyring(store, givenKeys(deps), false)).ring);
}

async function loadModel(deps: Dependencies): Promise<Model | null> {
  try {
    return (await deps.loadConfig()).model;
  } catch (error) {
    if (isFieldsealError(error) && error.code === 'ERR_CONFIG_NOT_FOUND') return null;
    throw error;
  }
}

/**
 * Samples every text column; writes nothing. Without a key, tokens cannot be told from text and count as plaintext.
 * @throws FieldsealError of the database, the keyring and the configuration (which may be absent)
 */
export async function scanDatabase(deps: Dependencies): Promise<ScanReport> {
  const { target } = deps;
  if (target.dialect !== 'sqlite') {
    throw new FieldsealError(
      'ERR_DATABASE_URL',
      'Scans run on SQLite so far; DATABASE_URL names a PostgreSQL database.',
    );
  }
  const model = await loadModel(deps);
  const declared = Object.entries(model?.tables ?? {}).flatMap(([table, { columns }]) =>
    Object.keys(columns).map((column) => ({ table, column })),
  );
  const db = openSqlite(target.file, { readOnly: true });
  try {
    const ring = await openRing(deps);
    const tables = readTables(db).filter(({ name }) => !Object.hasOwn(OWN_TABLES, name));
    const columns = tables.flatMap((table) =>
      table.columns.map(({ name }) => {
        const isDeclared = declared.some((d) => sameName(d.table, table.name) && sameName(d.column, name));
        return scanColumn(readSamples(db, table, name), table, name, isDeclared, ring);
      }),
    );
    const absent = declared.filter(
      (d) => !columns.some(({ table, column }) => sameName(d.table, table) && sameName(d.column, column)),
    );
    return {
      columns: columns.filter(
        ({ declared: isDeclared, looksLike: kind, held }) => isDeclared || kind || hasTokens(held),
      ),
      absent: absent.map(({ table, column }) => `${table}.${column}`),
      declaration: declarationFor(columns, tables),
    };
  } catch (error) {
    throw databaseError(error, `The database ${target.file}`);
  } finally {
    db.close();
  }
}
