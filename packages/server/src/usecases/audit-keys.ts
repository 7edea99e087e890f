/** `audit keygen`: a new key to sign checkpoints with. */
import { Ed25519Key } from 'fieldseal';
import { verifierKey } from '../audit/signed-note.js';

/** A new key: the seed that is to be kept secret, in base64, and the verifier key to hand on. */
export function generateAuditKey(logName: string): { readonly privateKey: string; readonly publicKey: string } {
  const seed = Ed25519Key.generateSeed();
  const { publicKey } = Ed25519Key.fromSeed(seed);
  const privateKey = seed.reveal().toString('base64');
  seed.dispose();
  return { privateKey, publicKey: verifierKey({ name: logName, publicKey }) };
}
