/**
 * Signed notes (C2SP signed-note): a text, an empty line, and a line for each signature.
 *
 *     text, whose last line ends with a line feed too
 *                                                                        ← an empty line
 *     — name base64(key id 4 ‖ Ed25519 signature of the text 64)
 *
 *     key id       = first 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key 32)
 *     verifier key = name + hex(key id) + base64(0x01 ‖ public key), joined by +
 */
import { FieldsealError, sha256, verifyEd25519 } from 'fieldseal';

const ED25519 = 0x01;

/** Who signs notes: an Ed25519 key in a file or a variable, or a service that holds one. */
export interface NoteSigner {
  /** The key's name, which for a log is its origin. Holds no space and no plus sign. */
  readonly name: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The Ed25519 signature, 64 bytes. */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Who may have signed a note. */
export interface NoteVerifier {
  readonly name: string;
  readonly publicKey: Uint8Array;
}

/** Whether a key may be called so: neither white space nor a plus sign, which separate names from what follows. */
export function isKeyName(name: string): boolean {
  return /^[!-*,-~]{1,255}$/.test(name);
}

function keyId({ name, publicKey }: NoteVerifier): Buffer {
  return sha256(Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ED25519), publicKey])).subarray(0, 4);
}

/** The text by which a verifier is handed on: `fieldseal+c74f20a3+ARpc…`. */
export function verifierKey(verifier: NoteVerifier): string {
  const key = Buffer.concat([Buffer.of(ED25519), verifier.publicKey]).toString('base64');
  return `${verifier.name}+${keyId(verifier).toString('hex')}+${key}`;
}

/** @throws FieldsealError `ERR_KEY_MALFORMED` */
export function parseVerifierKey(text: string): NoteVerifier {
  const [, name = '', id, key = ''] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(text.trim()) ?? [];
  const bytes = Buffer.from(key, 'base64');
  const verifier = { name, publicKey: bytes.subarray(1) };
  if (bytes.length !== 33 || bytes[0] !== ED25519 || keyId(verifier).toString('hex') !== id) {
    throw new FieldsealError(
      'ERR_KEY_MALFORMED',
      'The public key is not a verifier key such as fieldseal+c74f20a3+ARpc…; `fieldseal audit keygen` prints one beside each private key.',
    );
  }
  return verifier;
}

/** Signs a text, which must end with a line feed. */
export async function signNote(text: string, signer: NoteSigner): Promise<string> {
  const signature = await signer.sign(Buffer.from(text));
  return `${text}\n— ${signer.name} ${Buffer.concat([keyId(signer), signature]).toString('base64')}\n`;
}

/** The text of a note without a look at who signed it; null when it is none. */
export function noteText(note: string): string | null {
  const end = note.lastIndexOf('\n\n');
  return end === -1 ? null : note.slice(0, end + 1);
}

/**
 * The text of a note that `verifier` signed; null when it is no note, or the signature is missing or wrong. Signatures of
 * others are passed over: witnesses add theirs to the same note.
 */
export function openNote(note: string, verifier: NoteVerifier): string | null {
  const text = noteText(note);
  if (text === null) return null;
  const id = keyId(verifier);
  for (const line of note.slice(text.length + 1).split('\n')) {
    const [, name, base64 = ''] = /^— (\S+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
    const bytes = Buffer.from(base64, 'base64');
    if (name !== verifier.name || !bytes.subarray(0, 4).equals(id)) continue;
    if (verifyEd25519(verifier.publicKey, Buffer.from(text), bytes.subarray(4))) return text;
  }
  return null;
}
