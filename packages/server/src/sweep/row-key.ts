/**
 * A row's key as the database itself holds it: each part with its storage class, text as its bytes, so that nothing is
 * rounded, reordered or re-encoded on the way through JavaScript. Only the database compares keys.
 */

/** One part: `null` cannot occur in a key that is walked. */
export type KeyPart =
  | { readonly type: 'integer'; readonly value: bigint }
  | { readonly type: 'real'; readonly value: number }
  | { readonly type: 'text' | 'blob'; readonly value: Buffer };

/** The parts in the order of the key's columns. */
export type RowKey = readonly KeyPart[];

/** A key as JSON text, for a cursor: `[["integer","42"],["text","Zm9v"]]` (text and blob as base64). */
export function encodeRowKey(key: RowKey): string {
  return JSON.stringify(
    key.map(({ type, value }) => [type, Buffer.isBuffer(value) ? value.toString('base64') : String(value)]),
  );
}

/** What {@link encodeRowKey} made. */
export function decodeRowKey(json: string): RowKey {
  return (JSON.parse(json) as [KeyPart['type'], string][]).map(([type, text]): KeyPart => {
    if (type === 'integer') return { type, value: BigInt(text) };
    if (type === 'real') return { type, value: Number(text) };
    return { type, value: Buffer.from(text, 'base64') };
  });
}

/** A key for people and reports, as JSON text: `[42]`, `["foo"]`; blobs as hex, integers in full. */
export function describeRowKey(key: RowKey): string {
  const parts = key.map(({ type, value }) => {
    if (type === 'text') return JSON.stringify(value.toString('utf8'));
    return type === 'blob' ? JSON.stringify(value.toString('hex')) : String(value);
  });
  return `[${parts.join(',')}]`;
}
