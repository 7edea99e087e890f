/** Bytes copied out of memory that others use too. */

/** A copy in memory of its own, never in the 8 KiB that Node shares among buffers: it can be kept, and erased as a whole. */
export function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
