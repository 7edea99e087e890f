/** What a run of each kind takes from the declaration of a table. */
import { type BlindIndex, type Field, type Model, tableFields, tableIndexes } from 'fieldseal';
import type { RunKind } from '../store/store.js';

/** One declared table, as a run of some kind sweeps it. */
export interface DeclaredTable {
  readonly name: string;
  /** The columns of the primary key, in the declaration's order. */
  readonly key: readonly string[];
  readonly fields: readonly Field<unknown>[];
  readonly indexes: readonly BlindIndex[];
  readonly indexesOnly: boolean;
  /** Tenant and subject, where fields or indexes are bound to them; they may be in the key as well. */
  readonly context: readonly string[];
  /** Some field is bound to the whole key. */
  readonly bindsKey: boolean;
}

/** Which kinds of run look after blind indexes: keys of fields and of indexes rotate apart. */
function sweepsIndexes(kind: RunKind): boolean {
  return kind === 'encrypt' || kind === 'verify' || kind === 'index';
}

/** The tables of a model that a run of that kind has something to do in. */
export function declaredTables(model: Model, kind: RunKind): DeclaredTable[] {
  return Object.entries(model.tables).flatMap(([name, declared]) => {
    const all = tableFields(name, declared);
    const indexes = sweepsIndexes(kind) ? tableIndexes(name, declared, all) : [];
    const indexesOnly = kind === 'index';
    const fields = indexesOnly ? all.filter((field) => indexes.some((index) => index.fields.includes(field))) : all;
    if (fields.length === 0) return [];
    const key = [declared.primaryKey].flat();
    const isBound = indexes.length > 0 || fields.some((field) => field.needsRow);
    const wanted = [
      isBound ? declared.tenant : undefined,
      fields.some((field) => field.needsSubject) ? declared.subject : undefined,
    ].filter((column) => column !== undefined);
    const context = [...new Set(wanted)];
    const bindsKey = fields.some(({ declaration }) => declaration.boundTo === 'row');
    return [{ name, key, fields, indexes, indexesOnly, context, bindsKey }];
  });
}

/** The columns that the run may write. */
export function writtenColumns({ fields, indexes }: Pick<DeclaredTable, 'fields' | 'indexes'>): string[] {
  return [...fields, ...indexes].map(({ column }) => column);
}
