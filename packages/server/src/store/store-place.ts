/** Where the store's tables live, and how SQL of our own writing names them. */

/** Plain names on SQLite, a schema of their own on PostgreSQL. */
export type StorePlace = { readonly dialect: 'sqlite' } | { readonly dialect: 'postgres'; readonly schema: string };

/** A table's name as SQL: on PostgreSQL with its schema, so that no search path decides which table is meant. */
export function qualify(table: string, place: StorePlace): string {
  return place.dialect === 'sqlite' ? table : `${quoted(place.schema)}.${table}`;
}

/** An identifier of someone else's as SQL. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
