/** Reading keys out of environment variables, or out of the files that they name. */
import { readFileSync } from 'node:fs';
import { decodeFernetKey } from '../core/fernet.js';
import type { Secret } from '../core/secret.js';
import { FieldsealError, isFieldsealError } from '../errors.js';

/** An environment such as `process.env`. Key variables are deleted from it once read. */
export type Environment = Record<string, string | undefined>;

/** The keys that the environment holds; null or empty where a variable is not set. */
export interface EnvironmentKeys {
  readonly current: Secret | null;
  readonly previous: readonly Secret[];
  readonly root: Secret | null;
}

/** The variable's text, or its file's, trimmed; null when neither is set. Deletes both names from `env`. */
function takeText(env: Environment, name: string): string | null {
  const fileName = `${name}_FILE`;
  const text = env[name]?.trim();
  const file = env[fileName];
  delete env[name];
  delete env[fileName];
  if (text && file) throw new FieldsealError('ERR_CONFIG_INVALID', `Set ${name} or ${fileName}, not both.`);
  if (!file) return text || null;
  try {
    return readFileSync(file, 'utf8').trim() || null;
  } catch {
    throw new FieldsealError('ERR_KEY_FILE', `The file that ${fileName} names cannot be read.`);
  }
}

/**
 * Reads a Fernet key that somebody knows by a name: a variable's, an argument's.
 * @throws FieldsealError `ERR_KEY_MALFORMED`; the message has the name, and never the text
 */
export function decodeNamedKey(name: string, text: string): Secret {
  try {
    // As Python reads it, so that a key which worked there works here.
    return decodeFernetKey(text, 'python');
  } catch (error) {
    if (!isFieldsealError(error)) throw error;
    throw new FieldsealError(
      'ERR_KEY_MALFORMED',
      `${name} is not a Fernet key: 32 bytes in base64url, 44 characters; make one with \`fieldseal keygen\`.`,
    );
  }
}

/**
 * Reads `ENCRYPTION_KEY`, `ENCRYPTION_KEY_PREVIOUS` (comma-separated) and `ROOT_KEY`, each also as `…_FILE`, and
 * deletes them from `env`, so that nothing that prints the environment later shows them.
 * @throws FieldsealError `ERR_KEY_MALFORMED`, `ERR_KEY_FILE`, `ERR_CONFIG_INVALID`, naming the variable, never its value
 */
export function takeEnvironmentKeys(env: Environment): EnvironmentKeys {
  const takeOne = (name: string) => {
    const text = takeText(env, name);
    return text === null ? null : decodeNamedKey(name, text);
  };
  const current = takeOne('ENCRYPTION_KEY');
  const previous: Secret[] = [];
  for (const text of takeText(env, 'ENCRYPTION_KEY_PREVIOUS')?.split(',') ?? []) {
    if (text.trim() === '') continue;
    const secret = decodeNamedKey('ENCRYPTION_KEY_PREVIOUS', text.trim());
    const known = [current, ...previous].some((other) => other?.equals(secret));
    if (!known) previous.push(secret);
  }
  return { current, previous, root: takeOne('ROOT_KEY') };
}
