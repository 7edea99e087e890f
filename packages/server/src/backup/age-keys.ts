/** Recipients, identities and passphrases: what an age file is written to and opened with. */
import { Decrypter, Encrypter } from 'age-encryption';
import { FieldsealError } from 'fieldseal';

/** What a new backup is encrypted to. */
export interface EncryptionChoice {
  /** Public keys, `age1…`. Each of their identities opens the backup. */
  readonly recipients: readonly string[];
  /** Instead of recipients: the age format has no file with both. */
  readonly passphrase: string | null;
  /** False (`BACKUP_ENCRYPTION_ENABLED=false`): a plain copy. */
  readonly encrypted: boolean;
}

/** What may open a backup; each that is given is tried. */
export interface BackupKeys {
  /** Secret keys, `AGE-SECRET-KEY-1…`. */
  readonly identities: readonly string[];
  readonly passphrase: string | null;
}

/** Recipients in the text of `BACKUP_RECIPIENTS`: separated by commas or white space. */
export function parseRecipients(text: string): string[] {
  return text.split(/[\s,]+/).filter((part) => part !== '');
}

/** Identities in the text of an identity file as `age-keygen` writes it: one a line, with empty lines and `#` comments. */
export function parseIdentities(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

/**
 * The encrypter of a new backup; null for a plain one. A passphrase is stretched by scrypt with age's work factor of 18:
 * 256 MiB of memory and a second or two, for whoever guesses too.
 * @throws FieldsealError `ERR_CONFIG_INVALID`; its message holds nothing of what was given
 */
export function encrypterFor({ recipients, passphrase, encrypted }: EncryptionChoice): Encrypter | null {
  const hasKey = recipients.length > 0 || passphrase !== null;
  if (!encrypted) {
    if (!hasKey) return null;
    throw refusal(
      'A recipient or passphrase was given while BACKUP_ENCRYPTION_ENABLED=false asks for a plain backup; leave out one of them',
    );
  }
  if (!hasKey) {
    throw refusal(
      'A backup is encrypted, and nothing says to whom: give a recipient (BACKUP_RECIPIENTS) or a passphrase (BACKUP_PASSPHRASE); only BACKUP_ENCRYPTION_ENABLED=false makes a plain one',
    );
  }
  if (recipients.length > 0 && passphrase !== null) {
    throw refusal('A backup is encrypted to recipients or with a passphrase, never both; give one of them');
  }
  const encrypter = new Encrypter();
  if (passphrase !== null) encrypter.setPassphrase(checkedPassphrase(passphrase));
  for (const recipient of recipients) {
    // The library's messages repeat the text, and somebody may have given a secret key here.
    orRefuse(() => encrypter.addRecipient(recipient), 'A recipient is not an age public key (age1…)');
  }
  return encrypter;
}

/**
 * The decrypter for what was given; null when nothing was.
 * @throws FieldsealError `ERR_CONFIG_INVALID`; its message holds nothing of what was given
 */
export function decrypterFor({ identities, passphrase }: BackupKeys): Decrypter | null {
  if (identities.length === 0 && passphrase === null) return null;
  const decrypter = new Decrypter();
  if (passphrase !== null) decrypter.addPassphrase(checkedPassphrase(passphrase));
  for (const identity of identities) {
    orRefuse(() => decrypter.addIdentity(identity), 'An identity is not an age secret key (AGE-SECRET-KEY-1…)');
  }
  return decrypter;
}

function checkedPassphrase(passphrase: string): string {
  if (passphrase === '') throw refusal('The passphrase is empty');
  return passphrase;
}

function orRefuse(work: () => void, sentence: string): void {
  try {
    work();
  } catch {
    throw refusal(sentence);
  }
}

function refusal(sentence: string): FieldsealError {
  return new FieldsealError('ERR_CONFIG_INVALID', `${sentence}.`);
}
