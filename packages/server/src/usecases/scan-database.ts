/** `scan`: which columns hold tokens, plaintext or both, and which undeclared ones look like personal data. */
import { encryptedString, Field, type KeyringSnapshot, type Model, readXaesHeader, type Stored } from 'fieldseal';
import { databaseName } from '../store/database-url.js';
import { openSqlite } from '../store/open-sqlite.js';
import { looksLike, type PersonalDataKind } from '../sweep/personal-data.js';
import { PostgresSession } from '../sweep/postgres-session.js';
import { postgresScanSource, type ScannedTable, type ScanSource, sqliteScanSource } from '../sweep/scan-source.js';
import { PLAINTEXT } from '../sweep/transform.js';
import type { Dependencies } from './dependencies.js';
import { withReadOnlyStore } from './list-runs.js';
import { keysToOpen } from './service.js';
import { openServiceKeyring } from './service-keyring.js';

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

/** What a value is kept under. A sample comes without its row, so that a token bound to it is known by its head alone. */
function heldUnder(ring: KeyringSnapshot, field: Field<unknown>, value: Stored): string {
  const header = readXaesHeader(value);
  if (header && ring.knowsId(header.keyId)) {
    const version = ring.findReadable(header.keyId)?.version;
    return version === undefined ? 'unreadable' : `${header.scheme} ${version}`;
  }
  const opened = field.examine(ring, value);
  return opened.scheme === 'unreadable' ? 'unreadable' : (opened.keyVersion ?? PLAINTEXT);
}

function scanColumn(
  samples: readonly Stored[],
  table: ScannedTable,
  column: string,
  isDeclared: boolean,
  ring: KeyringSnapshot | null,
): ColumnScan {
  const field = new Field(table.name, column, encryptedString());
  const held: Record<string, number> = {};
  const plain: string[] = [];
  for (const value of samples) {
    const holds = ring ? heldUnder(ring, field, value) : PLAINTEXT;
    held[holds] = (held[holds] ?? 0) + 1;
    if (holds === PLAINTEXT && typeof value === 'string') plain.push(value);
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

function declarationFor(columns: readonly ColumnScan[], tables: readonly ScannedTable[]): string | null {
  const wanted = columns.filter(({ declared, looksLike: kind, held }) => !declared && (kind || hasTokens(held)));
  if (wanted.length === 0) return null;
  const lines = [...new Set(wanted.map(({ table }) => table))].flatMap((name) => {
    const key = (tables.find((table) => table.name === name)?.key ?? []).map((column) => JSON.stringify(column));
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
  return withReadOnlyStore(deps, async (store) => (await openServiceKeyring(store, keysToOpen(deps.keys), false)).ring);
}

/** Opens the database for reading only. */
async function withScanSource<T>(
  { target, schema }: Dependencies,
  work: (source: ScanSource) => Promise<T>,
): Promise<T> {
  const name = databaseName(target);
  if (target.dialect === 'sqlite') {
    const db = openSqlite(target.file, { readOnly: true });
    try {
      return await work(sqliteScanSource(db, name));
    } finally {
      db.close();
    }
  }
  const session = await PostgresSession.open({ connectionString: target.connectionString, name, readOnly: true });
  try {
    return await work(postgresScanSource(session, schema));
  } finally {
    await session.close();
  }
}

/** The declared columns, each with the table that its name means (null: there is none). */
async function declaredColumns(source: ScanSource, tables: readonly ScannedTable[], model: Model | null) {
  const declared: { name: string; column: string; table: ScannedTable | null }[] = [];
  for (const [name, { columns }] of Object.entries(model?.tables ?? {})) {
    const table = await source.find(tables, name);
    declared.push(...Object.keys(columns).map((column) => ({ name, column, table })));
  }
  return declared;
}

/**
 * Samples every text column; writes nothing. Without a key, tokens cannot be told from text and count as plaintext.
 * @throws FieldsealError of the database, the keyring and the configuration (which may be absent)
 */
export async function scanDatabase(deps: Dependencies): Promise<ScanReport> {
  const model = (await deps.loadConfig())?.model ?? null;
  return withScanSource(deps, async (source) => {
    const ring = await openRing(deps);
    const tables = await source.tables();
    const declared = await declaredColumns(source, tables, model);
    const columns: ColumnScan[] = [];
    for (const table of tables) {
      for (const column of table.columns) {
        const isDeclared = declared.some((d) => d.table === table && source.isSameColumn(d.column, column));
        columns.push(scanColumn(await source.samples(table, column), table, column, isDeclared, ring));
      }
    }
    const absent = declared.filter((d) => !d.table?.allColumns.some((column) => source.isSameColumn(d.column, column)));
    return {
      columns: columns.filter(
        ({ declared: isDeclared, looksLike: kind, held }) => isDeclared || kind || hasTokens(held),
      ),
      absent: absent.map(({ name, column }) => `${name}.${column}`),
      declaration: declarationFor(columns, tables),
    };
  });
}
