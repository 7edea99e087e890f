/** `audit keygen` and `audit public-key`: the key that signs checkpoints, and the one that verifies them. */
import { Ed25519Key, FieldsealError } from 'fieldseal';
import { type NoteVerifier, verifierKey } from '../audit/signed-note.js';

/** A new key: the seed that is to be kept secret, in base64, and the verifier key to hand on. */
export function generateAuditKey(logName: string): { readonly privateKey: string; readonly publicKey: string } {
  const seed = Ed25519Key.generateSeed();
  const { publicKey } = Ed25519Key.fromSeed(seed);
  const privateKey = seed.reveal().toString('base64');
  seed.dispose();
  return { privateKey, publicKey: verifierKey({ name: logName, publicKey }) };
}

/** The verifier key of whoever signs. @throws FieldsealError `ERR_KEY_MISSING` when nobody does */
export function publicKeyOf(signer: NoteVerifier | null): string {
  if (signer) return verifierKey(signer);
  throw new FieldsealError('ERR_KEY_MISSING', 'No key signs the audit log; set AUDIT_SIGNING_KEY_FILE.');
}
