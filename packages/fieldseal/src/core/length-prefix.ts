/**
 * LP, the injective encoding of a list of byte strings that every MAC and every associated data here is made of.
 *
 *     u32be count ‖ (u32be length ‖ bytes) × count        part 0 is a label with a version
 */

/** Encodes `parts`; two different lists never give the same bytes. Text is taken as UTF-8. */
export function lengthPrefixed(...parts: readonly (string | Uint8Array)[]): Buffer {
  let length = 4;
  for (const part of parts) length += 4 + (typeof part === 'string' ? Buffer.byteLength(part) : part.length);
  const out = Buffer.allocUnsafe(length);
  let offset = out.writeUInt32BE(parts.length, 0);
  for (const part of parts) {
    const start = offset + 4;
    let bytes: number;
    if (typeof part === 'string') bytes = out.write(part, start);
    else {
      out.set(part, start);
      bytes = part.length;
    }
    out.writeUInt32BE(bytes, offset);
    offset = start + bytes;
  }
  return out;
}
