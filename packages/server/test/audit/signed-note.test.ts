import { describe, expect, it } from 'vitest';
import { parseCheckpoint, signCheckpoint } from '../../src/audit/checkpoint.js';
import { isKeyName, openNote, parseVerifierKey, signNote, verifierKey } from '../../src/audit/signed-note.js';
import { newSigner } from './with-logs.js';

/** The example of golang.org/x/mod/sumdb/note, whose format C2SP signed-note is. */
const KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const TEXT = 'If you think cryptography is the answer to your problem,\nthen you don’t know what your problem is.\n';
const NOTE = `${TEXT.replace('’', "'")}
— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`;

describe('a signed note', () => {
  it('of another implementation opens with its key', () => {
    expect(openNote(NOTE, parseVerifierKey(KEY))).toBe(TEXT.replace('’', "'"));
    expect(verifierKey(parseVerifierKey(KEY))).toBe(KEY);
  });

  it('opens with the key that signed it, whoever else did, and with no other', async () => {
    const [ours, theirs] = [newSigner('ours'), newSigner('theirs')];
    const note = await signNote('a text\nof two lines\n', ours);
    const witness = (await signNote('a text\nof two lines\n', theirs)).split('\n').at(-2);
    expect(openNote(note, ours)).toBe('a text\nof two lines\n');
    expect(openNote(note, theirs)).toBeNull();
    expect(openNote(`${note}${witness}\n`, ours)).toBe('a text\nof two lines\n');
    expect(openNote(`${note}${witness}\n`, theirs)).toBe('a text\nof two lines\n');
    expect(openNote(note, { ...ours, name: 'other' })).toBeNull();
    expect(openNote(note, { ...theirs, name: 'ours' })).toBeNull();
    expect(openNote(note.replace('two', 'six'), ours)).toBeNull();
    expect(openNote(note.replace(/\n\n/, '\n'), ours)).toBeNull();
  });

  it.each([
    ['no key', ''],
    ['another id', KEY.replace('c74f20a3', 'c74f20a4')],
    ['another name', KEY.replace('Peter', 'Petra')],
    ['another algorithm', KEY.replace('ARpc', 'AhpC')],
    ['a short key', KEY.slice(0, -4)],
  ])('has no verifier key with %s', (_what, text) => {
    expect(() => parseVerifierKey(text)).toThrow(
      expect.objectContaining({ code: 'ERR_KEY_MALFORMED', message: expect.stringContaining('verifier key') }),
    );
  });

  it('is signed under a name without spaces and plus signs', () => {
    expect(['fieldseal', 'audit.example.com/production'].every(isKeyName)).toBe(true);
    expect(['', 'a b', 'a+b', 'ä', 'a\n', 'a'.repeat(256)].some(isKeyName)).toBe(false);
  });
});

describe('a checkpoint', () => {
  it('says origin, size and root, as C2SP tlog-checkpoint has it', async () => {
    const signer = newSigner('log.example/1');
    const root = Buffer.alloc(32, 7);
    const note = await signCheckpoint({ size: 20852163, root }, signer);
    const text = openNote(note, signer) ?? '';
    expect(text).toBe(`log.example/1\n20852163\n${root.toString('base64')}\n`);
    expect(parseCheckpoint(text)).toEqual({ origin: 'log.example/1', size: 20852163, root });
    expect(parseCheckpoint(`${text}an extension\n`)).toMatchObject({ size: 20852163 });
  });

  it.each([
    '',
    'o\n1\n',
    'o\n01\nAAAA\n',
    `o\n-1\n${'A'.repeat(43)}=\n`,
    `o\n1\n${'A'.repeat(42)}B=\n`,
    `\n1\n${'A'.repeat(43)}=\n`,
    `o\n99999999999999999\n${'A'.repeat(43)}=\n`,
  ])('is not %j', (text) => {
    expect(parseCheckpoint(text)).toBeNull();
  });
});
