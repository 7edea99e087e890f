/**
 * LP, the injective encoding of a list of byte strings that every MAC and every associated data here is made of.
 *
 *     u32be count ‖ (u32be length ‖ bytes) × count        part 0 is a label with a version
 */

/** Encodes `parts`; two different lists never give the same bytes. Text is taken as UTF-8. */
export function lengthPrefixed(...parts: readonly (string | Uint8Array)[]): Buffer {
  const buffers = parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part));
  const out = Buffer.alloc(4 + buffers.reduce((sum, part) => sum + 4 + part.length, 0));
  let offset = out.writeUInt32BE(buffers.length, 0);
  for (const part of buffers) {
    offset = out.writeUInt32BE(part.length, offset);
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
