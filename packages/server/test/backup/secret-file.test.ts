import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseRecipients, readPassphraseFile } from '../../src/usecases/create-backup.js';
import { parseIdentities, readIdentityFile } from '../../src/usecases/verify-backup.js';
import { refusalOf } from '../refusal.js';

function withFile(content: string, work: (file: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'fieldseal-secret-'));
  try {
    const file = join(folder, 'secret');
    writeFileSync(file, content);
    work(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('a passphrase file', () => {
  it.each([
    ['a quiet lighthouse', 'a quiet lighthouse'],
    ['a quiet lighthouse\n', 'a quiet lighthouse'],
    ['a quiet lighthouse\r\nand a note\r\n', 'a quiet lighthouse'],
    ['  spaces count ', '  spaces count '],
  ])('%j holds its first line', (content, passphrase) => {
    withFile(content, (file) => expect(readPassphraseFile(file)).toBe(passphrase));
  });

  it.each(['', '\n', '\r\nsecond line'])('%j is empty', (content) => {
    withFile(content, (file) =>
      expect(refusalOf(() => readPassphraseFile(file))).toEqual({
        code: 'ERR_KEY_FILE',
        message: `The passphrase file ${file} is empty, or its first line is.`,
      }),
    );
  });

  it('that is not there is named', () => {
    expect(refusalOf(() => readPassphraseFile('/nowhere/secret'))).toEqual({
      code: 'ERR_KEY_FILE',
      message: 'The file /nowhere/secret cannot be read (ENOENT).',
    });
  });
});

describe('an identity file', () => {
  it('is as `age-keygen` writes it', () => {
    const content =
      '# created: 2026-02-26T10:00:00Z\n# public key: age1abc\nAGE-SECRET-KEY-1A\n\n  AGE-SECRET-KEY-1B\r\n';
    withFile(content, (file) => expect(readIdentityFile(file)).toEqual(['AGE-SECRET-KEY-1A', 'AGE-SECRET-KEY-1B']));
    expect(parseIdentities('AGE-SECRET-KEY-1A')).toEqual(['AGE-SECRET-KEY-1A']);
  });

  it('without an identity is refused', () => {
    withFile('# nothing\n', (file) =>
      expect(refusalOf(() => readIdentityFile(file))).toEqual({
        code: 'ERR_KEY_FILE',
        message: `The identity file ${file} holds no AGE-SECRET-KEY-1… line.`,
      }),
    );
  });
});

it('recipients stand between commas or white space', () => {
  expect(parseRecipients(' age1a,age1b\nage1c , age1d ')).toEqual(['age1a', 'age1b', 'age1c', 'age1d']);
  expect(parseRecipients('')).toEqual([]);
});
