/**
 * What permits rows of the audit log to be gone: a signed note in the details of a sealed row.
 *
 *     fieldseal/audit-prune/v1 \n  log \n  up to this id, in decimal \n
 */
import { type NoteSigner, type NoteVerifier, noteText, openNote, signNote } from './signed-note.js';

/** The action of the row that says so. */
export const PRUNE_ACTION = 'audit_pruned';
const LABEL = 'fieldseal/audit-prune/v1';

/** The note that rows up to `upToId` are deleted. */
export function signPrune(upToId: number, signer: NoteSigner): Promise<string> {
  return signNote(`${LABEL}\n${signer.name}\n${upToId}\n`, signer);
}

/**
 * The id that a row's details name; null: they permit nothing.
 * @param verifier null: whatever the row says is believed
 */
export function readPrune(details: unknown, verifier: NoteVerifier | null): number | null {
  let note: unknown;
  try {
    note = (JSON.parse(String(details)) as { note?: unknown }).note;
  } catch {
    return null;
  }
  if (typeof note !== 'string') return null;
  const text = verifier ? openNote(note, verifier) : noteText(note);
  const [label, log, digits = ''] = text?.split('\n') ?? [];
  const isOne = label === LABEL && /^[1-9]\d{0,15}$/.test(digits) && (verifier === null || log === verifier.name);
  return isOne ? Number(digits) : null;
}
