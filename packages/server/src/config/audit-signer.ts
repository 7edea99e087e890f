/** The key that signs checkpoints of the audit log: out of a file, out of a variable, or behind a command. */
import { readFileSync } from 'node:fs';
import { Ed25519Key, type Environment, FieldsealError, isFieldsealError } from 'fieldseal';
import { signByCommand } from './signing-command.js';

/** Who signs: what the audit log calls a note signer. */
export interface AuditSigner {
  readonly name: string;
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** The variables that hold or name the key. */
export const AUDIT_KEY_VARIABLES = ['AUDIT_SIGNING_KEY', 'AUDIT_SIGNING_KEY_FILE'];

/** `AUDIT_LOG_NAME`: the log's origin, and its key's name. @throws FieldsealError `ERR_CONFIG_INVALID` */
export function readAuditLogName(env: Environment): string {
  const name = env['AUDIT_LOG_NAME']?.trim() || 'fieldseal';
  if (!/^[!-*,-~]{1,255}$/.test(name)) {
    throw new FieldsealError(
      'ERR_CONFIG_INVALID',
      'AUDIT_LOG_NAME must be printable ASCII without spaces and plus signs: audit.example.com/production.',
    );
  }
  return name;
}

/**
 * Reads `AUDIT_SIGNING_KEY_FILE`, `AUDIT_SIGNING_KEY` or `AUDIT_SIGNING_COMMAND`; null: none is set, and no checkpoint is signed.
 * @throws FieldsealError `ERR_CONFIG_INVALID`, `ERR_KEY_FILE`, `ERR_KEY_MALFORMED`, never with the key
 */
export function readAuditSigner(env: Environment): AuditSigner | null {
  const name = readAuditLogName(env);
  const file = env['AUDIT_SIGNING_KEY_FILE']?.trim();
  const inline = env['AUDIT_SIGNING_KEY']?.trim();
  const command = env['AUDIT_SIGNING_COMMAND']?.trim();
  if ([file, inline, command].filter(Boolean).length > 1) {
    throw new FieldsealError(
      'ERR_CONFIG_INVALID',
      'Set one of AUDIT_SIGNING_KEY, AUDIT_SIGNING_KEY_FILE and AUDIT_SIGNING_COMMAND.',
    );
  }
  if (command) {
    const publicKey = parsed(
      () => Ed25519Key.parsePublic(env['AUDIT_SIGNING_PUBLIC_KEY'] ?? ''),
      'AUDIT_SIGNING_PUBLIC_KEY must be the Ed25519 public key of what AUDIT_SIGNING_COMMAND signs: its 32 bytes in base64, or a PEM.',
    );
    return { name, publicKey, sign: (message) => signByCommand(command, publicKey, message) };
  }
  if (!file && !inline) return null;
  const text = file ? textOf(file) : (inline ?? '');
  const key = parsed(
    () => Ed25519Key.parse(text),
    `${file ? 'AUDIT_SIGNING_KEY_FILE' : 'AUDIT_SIGNING_KEY'} is not an Ed25519 key: give its seed of 32 bytes in base64 (\`fieldseal audit keygen\` prints one), or a PKCS#8 PEM.`,
  );
  return { name, publicKey: key.publicKey, sign: (message) => key.sign(message) };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new FieldsealError('ERR_KEY_FILE', `The file that AUDIT_SIGNING_KEY_FILE names cannot be read (${code}).`);
  }
}

/** What `read` makes of a key's text; what is wrong with it is told by the name of its variable. */
function parsed<Key>(read: () => Key, sentence: string): Key {
  try {
    return read();
  } catch (error) {
    if (!isFieldsealError(error)) throw error;
    throw new FieldsealError('ERR_KEY_MALFORMED', sentence);
  }
}
