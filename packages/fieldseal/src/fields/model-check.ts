/** Checks a declaration that may come from anywhere, and lists every mistake at once. */
import { type ErrorCode, FieldsealError, isFieldsealError, type Mistake } from '../errors.js';
import type { Model, TableDeclaration } from './model.js';
import { assertNormalisers } from './normaliser.js';
import { splitContextId } from './place.js';
import { assertIndexBits, columnBudgetBits } from './plan-index.js';
import type { SchemeName } from './scheme.js';
import { SCHEME_NAMES } from './schemes.js';

/** A column's or an index's declaration as somebody without types may have written it. */
type Loose = Readonly<Record<string, unknown>>;

/** With the longest tenant it fits into the `info` of HKDF, which node:crypto limits to 1024 bytes. */
const INDEX_ID_BYTES = 500;

/** Names that every table may have in SQLite and PostgreSQL; the quoting is ours. */
function isName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && !name.includes('\0') && name.isWellFormed();
}

function isObject(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null;
}

function isShare(value: unknown): boolean {
  return value === undefined || (typeof value === 'number' && value > 0 && value <= 1);
}

function isCount(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= 1);
}

function isContextId(value: unknown): boolean {
  if (value === undefined) return true;
  if (!isName(value)) return false;
  const { table, column } = splitContextId(value);
  return value.includes('.') && table !== '' && column !== '';
}

function normalisersMistake(steps: unknown): string | null {
  try {
    assertNormalisers(steps);
    return null;
  } catch (error) {
    return (error as TypeError).message;
  }
}

/** Collects the mistakes of one table. */
class TableCheck {
  readonly mistakes: Mistake[] = [];
  readonly #table: string;
  readonly #declared: Partial<TableDeclaration> | undefined;
  readonly #keys: readonly unknown[];
  readonly #columns: readonly [string, Loose | null | undefined][];
  readonly #indexes: readonly [string, Loose | null | undefined][];

  constructor(table: string, declared: TableDeclaration | undefined) {
    this.#table = table;
    this.#declared = declared;
    this.#keys = [declared?.primaryKey ?? []].flat();
    this.#columns = Object.entries((declared?.columns ?? {}) as unknown as Record<string, Loose>);
    this.#indexes = Object.entries((declared?.indexes ?? {}) as unknown as Record<string, Loose>);
  }

  run(): readonly Mistake[] {
    if (!isName(this.#table)) this.#add(null, 'a table needs a name');
    if (this.#keys.length === 0 || !this.#keys.every(isName)) this.#add(null, 'primaryKey is missing');
    if (new Set(this.#keys).size !== this.#keys.length) this.#add(null, 'primaryKey names a column twice');
    if (this.#columns.length === 0) this.#add(null, 'columns is empty');
    this.#context('tenant');
    this.#context('subject');
    for (const [column, declared] of this.#columns) this.#column(column, declared);
    for (const [column, declared] of this.#indexes) this.#index(column, declared);
    if (this.mistakes.length === 0) this.#budgets();
    return this.mistakes;
  }

  #add(column: string | null, text: string, code: ErrorCode = 'ERR_MODEL_INVALID'): void {
    this.mistakes.push({ code, table: this.#table, column, text });
  }

  /** An encrypted value differs at each writing: nothing can be bound to it. */
  #context(kind: 'tenant' | 'subject'): void {
    const name = this.#declared?.[kind] as unknown;
    if (name === undefined) return;
    if (!isName(name)) this.#add(null, `${kind} is not the name of a column`);
    else if (this.#isEncrypted(name)) {
      this.#add(name, `the ${kind} is context, and cannot be encrypted`, 'ERR_CONTEXT_ENCRYPTED');
    }
  }

  #isEncrypted(name: string): boolean {
    return [...this.#columns, ...this.#indexes].some(([column]) => column === name);
  }

  #column(column: string, declared: Loose | null | undefined): void {
    const mistake = (text: string, code?: ErrorCode) => this.#add(column, text, code);
    if (!isName(column)) {
      this.#add(null, 'a column needs a name');
      return;
    }
    if (this.#keys.includes(column)) {
      mistake('a column of the primary key cannot be encrypted', 'ERR_CONTEXT_ENCRYPTED');
    }
    const codec = declared?.['codec'];
    const isDeclared =
      isObject(codec) && typeof codec['encode'] === 'function' && typeof codec['decode'] === 'function';
    const { scheme, alsoReads, boundTo, storage, contextId } = declared ?? {};
    if (!isDeclared || typeof scheme !== 'string' || !Array.isArray(alsoReads)) {
      mistake('declare it with encrypted(…) or encryptedString(…)');
      return;
    }
    const isKnown = (name: unknown) => SCHEME_NAMES.includes(name as SchemeName);
    if (!isKnown(scheme) || scheme === 'plaintext') {
      mistake(`scheme names none that writes (there are fernet, xaes, xaes-subject)`, 'ERR_SCHEME_UNKNOWN');
    }
    if (!alsoReads.every(isKnown)) {
      mistake(
        `alsoReads names a scheme that does not exist (there are ${SCHEME_NAMES.join(', ')})`,
        'ERR_SCHEME_UNKNOWN',
      );
    }
    const schemes: unknown[] = [scheme, ...alsoReads];
    if (boundTo !== 'column' && boundTo !== 'row') mistake("boundTo is 'column' or 'row'");
    if (boundTo === 'row' && !schemes.includes('xaes') && !schemes.includes('xaes-subject')) {
      mistake("boundTo: 'row' needs the scheme xaes: a Fernet token is bound to no place");
    }
    if (schemes.includes('xaes-subject') && this.#declared?.subject === undefined) {
      mistake('the scheme xaes-subject needs the subject of the table');
    }
    if (storage !== 'text' && storage !== 'bytes') mistake("storage is 'text' or 'bytes'");
    if (!isContextId(contextId)) mistake("contextId is a name such as 'table.column'");
    if (declared?.['mask'] !== undefined && typeof declared['mask'] !== 'function') mistake('mask is not a function');
    this.#facts(column, declared as Loose);
  }

  #facts(column: string, { distinct, commonest }: Loose): void {
    if (!isCount(distinct)) this.#add(column, 'distinct is a whole number of values above 0');
    if (!isShare(commonest)) this.#add(column, 'commonest is a share above 0 and at most 1');
  }

  #index(column: string, declared: Loose | null | undefined): void {
    const mistake = (text: string, code?: ErrorCode) => this.#add(column, text, code);
    if (!isName(column)) {
      this.#add(null, 'an index needs the name of its column');
      return;
    }
    const { on, normalise, bits, contextId } = declared ?? {};
    if (!Array.isArray(on) || !isObject(normalise) || typeof bits !== 'number') {
      mistake('declare the index with blindIndex(…)');
      return;
    }
    if (this.#keys.includes(column)) mistake('a column of the primary key cannot be an index', 'ERR_CONTEXT_ENCRYPTED');
    if (this.#columns.some(([name]) => name === column)) mistake('an encrypted column cannot hold its own index');
    if (on.length === 0 || new Set(on).size !== on.length)
      mistake('an index is made of one column or several, each once');
    for (const name of on) {
      if (!this.#columns.some(([known]) => known === name))
        mistake(`the index is made of ${name}, which is not declared`);
    }
    for (const [name, steps] of Object.entries(normalise)) {
      if (!on.includes(name)) mistake(`normalise names ${name}, which the index is not made of`);
      const codec = this.#columns.find(([known]) => known === name)?.[1]?.['codec'];
      const isString = isObject(codec) && codec['name'] === 'string';
      const text = normalisersMistake(steps);
      if (text !== null) mistake(`${name}: ${text}`);
      else if ((steps as unknown[]).length > 0 && !isString)
        mistake(`only text is normalised, and ${name} is not text`);
    }
    if (!isContextId(contextId)) mistake("contextId is a name such as 'table.column'");
    else if (Buffer.byteLength(String(contextId ?? `${this.#table}.${column}`)) > INDEX_ID_BYTES) {
      mistake(`the contextId of an index has at most ${INDEX_ID_BYTES} bytes`);
    }
    this.#facts(column, declared as Loose);
    const { rows } = this.#declared ?? {};
    if (rows === undefined || !isCount(rows)) mistake('the index needs rows, how many rows the table will have');
    for (const name of on as string[]) {
      const facts = this.#columns.find(([known]) => known === name)?.[1];
      const known = facts?.['distinct'] ?? (facts?.['codec'] as Loose | undefined)?.['domain'];
      if (facts && (known === undefined || facts['commonest'] === undefined)) {
        this.#add(
          name,
          'its index needs to know how many different values it has (distinct) and what share of rows has the most frequent one (commonest)',
        );
      }
    }
  }

  /** The size of each index, and of all indexes of a column together; asked once everything else is well. */
  #budgets(): void {
    const rows = this.#declared?.rows as number;
    const taken = new Map<string, number>();
    for (const [column, declared] of this.#indexes) {
      const on = declared?.['on'] as string[];
      const bits = declared?.['bits'] as number;
      const facts = on.map((name) => this.#factsOf(name));
      // A combination has at least as many values as its richest column, and no value more frequent than its rarest's.
      const distinct =
        (declared?.['distinct'] as number | undefined) ?? Math.max(...facts.map((fact) => fact.distinct));
      const commonest =
        (declared?.['commonest'] as number | undefined) ?? Math.min(...facts.map((fact) => fact.commonest));
      try {
        assertIndexBits(bits, { rows, distinct, commonest });
      } catch (error) {
        if (!isFieldsealError(error) && !(error instanceof RangeError)) throw error;
        this.#add(column, error.message.replace(/\.$/, ''), isFieldsealError(error) ? error.code : 'ERR_MODEL_INVALID');
      }
      for (const name of on) taken.set(name, (taken.get(name) ?? 0) + bits);
    }
    for (const [column, bits] of taken) {
      const budget = columnBudgetBits({ rows, ...this.#factsOf(column) });
      if (bits > budget) {
        const text = `its indexes take ${bits} bits together, and ${budget} would be safe; leave one out or make them shorter`;
        this.#add(column, text, 'ERR_INDEX_UNSAFE');
      }
    }
  }

  #factsOf(name: string): { distinct: number; commonest: number } {
    const declared = this.#columns.find(([column]) => column === name)?.[1] as Loose;
    const domain = ((declared['codec'] as Loose)['domain'] as number | undefined) ?? Number.POSITIVE_INFINITY;
    const distinct = Math.min((declared['distinct'] as number | undefined) ?? Number.POSITIVE_INFINITY, domain);
    return { distinct, commonest: declared['commonest'] as number };
  }
}

/** Two places under one id would let a value of one open in the other. */
function sharedContexts(tables: readonly (readonly [string, TableDeclaration | undefined])[]): Mistake[] {
  const seen = new Map<string, string>();
  const mistakes: Mistake[] = [];
  for (const [table, declared] of tables) {
    for (const kind of ['columns', 'indexes'] as const) {
      for (const [column, declaration] of Object.entries(
        (declared?.[kind] ?? {}) as unknown as Record<string, Loose>,
      )) {
        const contextId = String(declaration?.['contextId'] ?? `${table}.${column}`);
        const place = `${table}.${column}`;
        const other = seen.get(`${kind} ${contextId}`);
        if (other !== undefined) {
          const text = `its contextId ${contextId} is that of ${other} too`;
          mistakes.push({ code: 'ERR_MODEL_INVALID', table, column, text });
        }
        seen.set(`${kind} ${contextId}`, place);
      }
    }
  }
  return mistakes;
}

function describe({ table, column, text }: Mistake): string {
  if (!isName(table)) return text;
  return column === null ? `${table}: ${text}` : `${table}.${column}: ${text}`;
}

/**
 * Checks a model.
 * @throws FieldsealError `ERR_MODEL_INVALID`, or the one code that all its mistakes have; the message lists every mistake,
 * and so does `mistakes`
 */
export function assertModel(model: unknown): asserts model is Model {
  const tables = (model as Model | undefined)?.tables;
  if (typeof tables !== 'object' || tables === null) {
    throw new FieldsealError('ERR_MODEL_INVALID', 'The model is not one that defineModel(…) returned.');
  }
  const entries = Object.entries(tables);
  const own = entries.flatMap(([table, declared]) => new TableCheck(table, declared).run());
  const mistakes = own.length > 0 ? own : sharedContexts(entries);
  const [first] = mistakes;
  if (!first) return;
  const code = mistakes.every((mistake) => mistake.code === first.code) ? first.code : 'ERR_MODEL_INVALID';
  throw new FieldsealError(code, `The model has ${mistakes.length} mistake(s): ${mistakes.map(describe).join('; ')}.`, {
    mistakes,
  });
}
