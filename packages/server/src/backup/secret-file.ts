/** Files that hold what opens a backup. A secret given as an argument would stand in the process list. */
import { readFileSync } from 'node:fs';
import { FieldsealError } from 'fieldseal';
import { parseIdentities } from './age-keys.js';

/** The first line of a file, without its line end. @throws FieldsealError `ERR_KEY_FILE` */
export function readPassphraseFile(file: string): string {
  const passphrase = read(file).split(/\r?\n/)[0] ?? '';
  if (passphrase !== '') return passphrase;
  throw new FieldsealError('ERR_KEY_FILE', `The passphrase file ${file} is empty, or its first line is.`);
}

/** The identities of a file such as `age-keygen` writes. @throws FieldsealError `ERR_KEY_FILE` */
export function readIdentityFile(file: string): string[] {
  const identities = parseIdentities(read(file));
  if (identities.length > 0) return identities;
  throw new FieldsealError('ERR_KEY_FILE', `The identity file ${file} holds no AGE-SECRET-KEY-1… line.`);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new FieldsealError('ERR_KEY_FILE', `The file ${file} cannot be read (${code}).`);
  }
}
