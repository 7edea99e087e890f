/**
 * The bytes of a leaf: a row of the audit log as it is stored, under a salt of its own (FORMAT.md §12).
 *
 *     LP("fieldseal/audit-leaf/v1", salt 16, name, value, name, value, …)
 *
 * A pair for each column that is not NULL, in the order of the names' bytes; so a column that is added later changes no
 * leaf of the rows before it. Without the salt, whoever holds a leaf's hash cannot try out what the row might say.
 */
import { lengthPrefixed } from 'fieldseal';
import type { ExactRow } from '../store/audit-tree.js';
import { leafHash } from './merkle-tree.js';

export const SALT_BYTES = 16;
const LABEL = 'fieldseal/audit-leaf/v1';

/** The hash of a row's leaf. */
export function auditLeafHash(row: ExactRow, salt: Uint8Array): Buffer {
  const parts: (string | Uint8Array)[] = [LABEL, salt];
  // Our names are ASCII, whose order is that of JavaScript's strings.
  for (const name of Object.keys(row).sort()) {
    const value = row[name];
    if (value === null || value === undefined) continue;
    // SQLite lets bytes stand in a column of text; they must not pass for the text that they spell.
    parts.push(typeof value === 'string' ? name : `${name}:bytes`, value);
  }
  return leafHash(lengthPrefixed(...parts));
}
