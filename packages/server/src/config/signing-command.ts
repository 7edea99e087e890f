/** Signing by a command of the operator's, so that the key can stay in a KMS, an HSM or Vault. */
import { type ExecFileException, execFile } from 'node:child_process';
import { FieldsealError, verifyEd25519 } from 'fieldseal';

const TIMEOUT_MS = 10_000;
const MOST_BYTES = 16 * 1024;
const TOO_MUCH: unknown = 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER';

function failed(what: string): FieldsealError {
  return new FieldsealError('ERR_AUDIT_UNSIGNED', `The command that AUDIT_SIGNING_COMMAND names ${what}.`);
}

/**
 * Runs the file, without a shell and without arguments: it gets the message on its standard input, and writes the Ed25519
 * signature in base64. What it writes to standard error is not repeated, since nobody knows what is in it.
 * @returns the signature, 64 bytes, checked against the public key
 * @throws FieldsealError `ERR_AUDIT_UNSIGNED` when it cannot be run, fails, takes more than 10 seconds, or writes anything else
 */
export async function signByCommand(file: string, publicKey: Uint8Array, message: Uint8Array): Promise<Uint8Array> {
  const output = await outputOf(file, message);
  const signature = Buffer.from(output.trim(), 'base64');
  if (!verifyEd25519(publicKey, message, signature)) {
    throw failed('wrote no signature, in base64, of the key that AUDIT_SIGNING_PUBLIC_KEY is');
  }
  return signature;
}

function outputOf(file: string, input: Uint8Array): Promise<string> {
  const options = { timeout: TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: MOST_BYTES } as const;
  return new Promise((resolve, reject) => {
    const child = execFile(file, [], options, (error, output) => {
      if (error) reject(failed(reasonOf(error)));
      else resolve(output);
    });
    // One that reads nothing tells by its output whether that is a failure.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

function reasonOf({ code, killed, signal }: ExecFileException): string {
  if (killed) return `took longer than ${TIMEOUT_MS / 1000} seconds`;
  if (code === TOO_MUCH) return 'wrote more than a signature';
  return typeof code === 'string' ? `cannot be run (${code})` : `ended with ${code ?? signal}`;
}
