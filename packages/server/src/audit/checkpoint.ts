/**
 * Checkpoints (C2SP tlog-checkpoint): the size and the root of the audit log's tree, in a signed note.
 *
 *     origin \n  size in decimal \n  base64(root 32) \n  and lines that we write none of and pass over
 */
import { HASH_BYTES } from './merkle-tree.js';
import { type NoteSigner, signNote } from './signed-note.js';

/** What a checkpoint says. */
export interface Checkpoint {
  /** Which log it is of. */
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

/** The signed checkpoint; its origin is the signer's name. */
export function signCheckpoint({ size, root }: Omit<Checkpoint, 'origin'>, signer: NoteSigner): Promise<string> {
  return signNote(`${signer.name}\n${size}\n${root.toString('base64')}\n`, signer);
}

/** Reads the text of a note; null when it is no checkpoint. */
export function parseCheckpoint(text: string): Checkpoint | null {
  const [origin = '', digits = '', base64 = ''] = text.split('\n');
  const root = Buffer.from(base64, 'base64');
  const size = Number(digits);
  const isOne =
    origin !== '' && /^(0|[1-9]\d*)$/.test(digits) && Number.isSafeInteger(size) && root.length === HASH_BYTES;
  return isOne && root.toString('base64') === base64 ? { origin, size, root } : null;
}
