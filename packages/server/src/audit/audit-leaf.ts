/**
 * The bytes of a leaf: where a row of the audit log stands, and the hash of the row as it is stored, under a salt of its
 * own (FORMAT.md §13).
 *
 *     row hash = SHA-256(LP("fieldseal/audit-row/v1", salt 16, name, value, name, value, …))
 *     leaf     = LP("fieldseal/audit-leaf/v1", epoch, id, transaction or "", row hash)
 *
 * A pair for each column that is not NULL, in the order of the names' bytes; so a column that is added later changes no
 * leaf of the rows before it. Without the salt, whoever holds a leaf's hash cannot try out what the row might say. The id
 * stands outside of the row's hash as well: what was pruned can be told from what was deleted when the row is gone.
 */
import { lengthPrefixed, sha256 } from 'fieldseal';
import type { ExactRow, StoredLeaf } from '../store/audit-tree.js';
import { leafHash } from './merkle-tree.js';

export const SALT_BYTES = 16;
const ROW = 'fieldseal/audit-row/v1';
const LEAF = 'fieldseal/audit-leaf/v1';

/** The hash of a row, 32 bytes. */
export function auditRowHash(row: ExactRow, salt: Uint8Array): Buffer {
  const parts: (string | Uint8Array)[] = [ROW, salt];
  // Our names are ASCII, whose order is that of JavaScript's strings.
  for (const name of Object.keys(row).sort()) {
    const value = row[name];
    if (value === null || value === undefined) continue;
    // SQLite lets bytes stand in a column of text; they must not pass for the text that they spell.
    parts.push(typeof value === 'string' ? name : `${name}:bytes`, value);
  }
  return sha256(lengthPrefixed(...parts));
}

/** The hash of the leaf over a row's hash. */
export function auditLeafHash({
  epoch,
  auditId,
  xactId,
  rowHash,
}: Pick<StoredLeaf, 'epoch' | 'auditId' | 'xactId' | 'rowHash'>): Buffer {
  return leafHash(lengthPrefixed(LEAF, String(epoch), String(auditId), xactId === null ? '' : String(xactId), rowHash));
}
