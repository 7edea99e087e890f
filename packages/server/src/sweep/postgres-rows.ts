/**
 * The rows that a PostgreSQL sweep reads. They stay the columns of text that the answer has, so that a batch holds few
 * objects while it waits; a row's key, version and context are made when somebody asks for them.
 */
import type { ContextRow } from 'fieldseal';
import type { KeyPart, RowKey } from './row-key.js';
import type { SweptRow } from './sweep-database.js';
import { contextOf } from './swept-row.js';
import { type PostgresSweptTable, sweptColumns } from './swept-table.js';
import type { StoredValue } from './transform.js';

/** Between the entries of a column that come in one text. An answer in which one of them has it is asked for in rows. */
export const SEPARATOR = '\x1e';
/** What stands there for a NULL. */
export const NULL_MARK = '\x1f';

/** Some rows, column by column. */
interface Columns {
  readonly rows: number;
  readonly keys: readonly (readonly string[])[];
  readonly values: readonly (readonly (StoredValue | null)[])[];
  /** Absent: rows that were read to be guarded by their locks, or by their values. */
  readonly xmins?: readonly string[];
}

/** What rows that were read together have in common. */
interface Read extends Columns {
  readonly table: PostgresSweptTable;
  /** The writer's connection when they were read. */
  readonly connection: number | null;
}

/** One row as it was read. */
export class PostgresReadRow implements SweptRow {
  readonly values: readonly (StoredValue | null)[];
  readonly #read: Read;
  readonly #place: number;
  #context: ContextRow | null = null;

  constructor(read: Read, place: number) {
    this.#read = read;
    this.#place = place;
    this.values = read.values.map((column) => column[place] as StoredValue | null);
  }

  get key(): RowKey {
    return keyIn(this.#read.table, (part) => this.keyText(part));
  }

  /** A part of the key as the database's own text. */
  keyText(part: number): string {
    return this.#read.keys[part]?.[this.#place] as string;
  }

  /** What values may be bound to. */
  get context(): ContextRow {
    const { table } = this.#read;
    this.#context ??= contextOf(table, 'key', contextKey(table, this.key), this.values);
    return this.#context;
  }

  /** PostgreSQL's name for this version of the row; null: it was not asked for it. */
  get xmin(): string | null {
    return this.#read.xmins?.[this.#place] ?? null;
  }

  /** The writer's connection when the row was read, for which alone {@link xmin} is unique. */
  get connection(): number | null {
    return this.#read.connection;
  }
}

/** A `bytea` key travels as its text; values are bound to its bytes. */
function contextKey({ keys }: PostgresSweptTable, key: RowKey): RowKey {
  return key.map((part, i) => {
    if (keys[i]?.castType !== 'bytea' || part.type !== 'text') return part;
    return { type: 'blob', value: bytesOf(part.value.toString('utf8')) };
  });
}

function keyIn({ keys }: PostgresSweptTable, textOf: (part: number) => string): RowKey {
  return keys.map(({ isInteger }, part): KeyPart => {
    const text = textOf(part);
    return isInteger ? { type: 'integer', value: BigInt(text) } : { type: 'text', value: Buffer.from(text, 'utf8') };
  });
}

/** The key in the columns `k0`, `k1`… of a row. */
export function keyOf(table: PostgresSweptTable, row: Record<string, unknown>): RowKey {
  return keyIn(table, (part) => String(row[`k${part}`]));
}

/** One row each. @param connection the writer's, before they were read */
export function rowsOf(table: PostgresSweptTable, columns: Columns, connection: number | null): PostgresReadRow[] {
  const read: Read = { ...columns, table, connection };
  return Array.from({ length: columns.rows }, (_, place) => new PostgresReadRow(read, place));
}

/** The answer to `selectNext`; null: it has to be asked for as `selectNextRows`. */
export function columnsInOne(table: PostgresSweptTable, answer: Record<string, unknown>): Columns | null {
  if (answer['long'] === true) return null;
  const rows = answer['rows'] as number;
  const entries = (name: string) => {
    const text = answer[name] as string | null;
    return text === null ? [] : text.split(SEPARATOR);
  };
  const keys = table.keys.map((_, i) => entries(`k${i}`));
  const xmins = entries('x');
  const texts = sweptColumns(table).map((_, i) => entries(`v${i}`));
  if ([...keys, xmins, ...texts].some(({ length }) => length !== rows)) return null;
  const values: (StoredValue | null)[][] = [];
  for (const [i, column] of texts.entries()) {
    const nulls = rows - (answer[`n${i}`] as number);
    const shown = nulls === 0 ? column : column.map((text) => (text === NULL_MARK ? null : text));
    if (nulls > 0 && shown.filter((text) => text === null).length !== nulls) return null;
    values.push(storedOf(table, i, shown));
  }
  return { rows, keys, values, xmins };
}

/** Rows with the columns `k0`…, `v0`… and, where it is asked for, `x`. */
export function columnsOf(table: PostgresSweptTable, answer: readonly Record<string, unknown>[]): Columns {
  const column = (name: string) => answer.map((row) => row[name]);
  return {
    rows: answer.length,
    keys: table.keys.map((_, i) => column(`k${i}`).map(String)),
    values: sweptColumns(table).map((_, i) => storedOf(table, i, column(`v${i}`) as (string | null)[])),
    ...(answer[0] && 'x' in answer[0] ? { xmins: column('x') as string[] } : {}),
  };
}

/** A column's values from their texts. */
function storedOf(
  { fields }: PostgresSweptTable,
  columnIndex: number,
  texts: (string | null)[],
): (StoredValue | null)[] {
  if (fields[columnIndex]?.storage !== 'bytes') return texts;
  return texts.map((text) => (text === null ? null : bytesOf(text)));
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.slice(2), 'hex');
}
