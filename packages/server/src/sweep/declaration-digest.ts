/** What a run sweeps and how, as one short text: a run that goes on under another declaration has to begin anew. */
import { Sha256 } from 'fieldseal';
import type { SweptTable } from './swept-table.js';

/** Hex of SHA-256. Normalisers that are functions go in by their source; codecs by their names and limits. */
export function declarationDigest(tables: readonly SweptTable[]): string {
  const parts = tables.map(({ name, keyColumns, fields, indexes = [], context = [], indexesOnly = false }) => [
    name,
    keyColumns,
    context,
    indexesOnly,
    fields.map((field) => {
      const { codec, scheme, alsoReads, boundTo, storage, contextId } = field.declaration;
      return [field.column, codec.name, codec.maxBytes ?? null, scheme, alsoReads, boundTo, storage, contextId ?? null];
    }),
    indexes.map((index) => [index.column, index.recipe]),
  ]);
  return new Sha256().update(Buffer.from(JSON.stringify(parts))).hex();
}
