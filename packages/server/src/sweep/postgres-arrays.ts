/**
 * Arrays in PostgreSQL's binary form, which it takes in several times faster than their text:
 *
 *     dimensions u32 = 1 ‖ has NULLs u32 ‖ element type u32 ‖ elements u32 ‖ first index u32 = 1 ‖ elements
 *     an element: bytes u32 (2^32 − 1: NULL) ‖ the bytes in its type's binary form, integers big-endian
 *
 * `array_recv` in PostgreSQL's `arrayfuncs.c`.
 */

const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const NULL_LENGTH = 0xff_ff_ff_ff;
const TEXT_OID = 25;
const XID_OID = 28;

/** The integer types by the names that `format_type` gives them. */
const INTEGERS = {
  smallint: { oid: 21, bytes: 2 },
  integer: { oid: 23, bytes: 4 },
  bigint: { oid: 20, bytes: 8 },
} as const;
export type IntegerType = keyof typeof INTEGERS;

function begun(count: number, elementOid: number, elementBytes: number, hasNull = false): Buffer {
  const array = Buffer.allocUnsafe(HEADER_BYTES + count * LENGTH_BYTES + elementBytes);
  for (const [i, word] of [1, Number(hasNull), elementOid, count, 1].entries()) array.writeUInt32BE(word, i * 4);
  return array;
}

/** A `text[]`. */
export function textArray(values: readonly (string | null)[]): Buffer {
  // A UTF-16 unit takes at most 3 bytes.
  const mostBytes = values.reduce((sum, value) => sum + (value === null ? 0 : value.length * 3), 0);
  const array = begun(values.length, TEXT_OID, mostBytes, values.includes(null));
  let at = HEADER_BYTES;
  for (const value of values) {
    const bytes = value === null ? 0 : array.write(value, at + LENGTH_BYTES);
    array.writeUInt32BE(value === null ? NULL_LENGTH : bytes, at);
    at += LENGTH_BYTES + bytes;
  }
  return array.subarray(0, at);
}

/** An array of integers of that type. */
export function integerArray(type: IntegerType, values: readonly bigint[]): Buffer {
  const { oid, bytes } = INTEGERS[type];
  const array = begun(values.length, oid, values.length * bytes);
  let at = HEADER_BYTES;
  for (const value of values) {
    array.writeUInt32BE(bytes, at);
    if (bytes === 8) array.writeBigInt64BE(value, at + LENGTH_BYTES);
    else array.writeIntBE(Number(value), at + LENGTH_BYTES, bytes);
    at += LENGTH_BYTES + bytes;
  }
  return array;
}

/** An `xid[]` of what the texts say. */
export function xidArray(values: readonly string[]): Buffer {
  const array = begun(values.length, XID_OID, values.length * 4);
  let at = HEADER_BYTES;
  for (const value of values) {
    array.writeUInt32BE(4, at);
    array.writeUInt32BE(Number(value), at + LENGTH_BYTES);
    at += LENGTH_BYTES + 4;
  }
  return array;
}
