/** The programs of docs/other-languages.md open what the library writes, and nothing else; each in its language. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineModel, encryptedString, Fernet, keyringFromEnv, Table } from 'fieldseal';
import { afterAll, describe, expect, it } from 'vitest';
import { pythonFor } from '../packages/fieldseal/test/python.ts';
import { withCodeBlockFolder } from './code-blocks.ts';
import { type DocumentedProgram, prepareProgram, programFilesOf } from './documented-program.ts';

const DOCUMENT = readFileSync(new URL('../docs/other-languages.md', import.meta.url), 'utf8');
const REFUSED = { exitCode: 1, output: '', complaint: 'refused\n' };

const keyOf = (name: string) => createHash('sha256').update(name).digest('base64url').padEnd(44, '=');
// XAES-256-GCM branches on a bit that the key makes, and key ids may look negative: the second key has both, the first none.
const PREVIOUS = keyOf('previous');
const CURRENT = keyOf('second');
const KEYS = { ENCRYPTION_KEY: CURRENT, ENCRYPTION_KEY_PREVIOUS: PREVIOUS };
const OTHER_KEYS = { ENCRYPTION_KEY: keyOf('other') };

const bound = encryptedString({ scheme: 'xaes', boundTo: 'row' });
const model = defineModel({
  notes: { primaryKey: 'id', columns: { text: encryptedString({ scheme: 'xaes' }) } },
  users: { primaryKey: 'id', columns: { email: bound } },
  members: {
    primaryKey: ['shard', 'id', 'tag'],
    tenant: 'org',
    columns: { name: encryptedString({ scheme: 'xaes', contextId: 'people.full_name' }), email: bound, phone: bound },
  },
});
const tableUnder = (name: keyof typeof model.tables, key: string) =>
  new Table(model, name, keyringFromEnv({ ENCRYPTION_KEY: key }));

const MEMBER = { org: 'Zürich', shard: -3, id: 'AB0E8400-E29B-41D4-A716-446655440000', tag: Buffer.from([0, 255]) };
const MEMBER_KEY = ['t:-3', 't:ab0e8400-e29b-41d4-a716-446655440000', 'b:00ff'];
const TEXTS = ['sensitive@data.com', '', 'long '.repeat(20_000), '한글 👩‍👩‍👧‍👦 é'];

const note = (text: string, key = CURRENT) => String(tableUnder('notes', key).encryptRow({ text }).text);
const member = (key = CURRENT) =>
  tableUnder('members', key).encryptRow({ ...MEMBER, name: 'Ada', email: 'ada@example.com', phone: '+41 44 1' });

/** The token with one bit of its byte `at` changed; from the end when negative. */
function altered(token: string, at: number): string {
  const bytes = Buffer.from(token, 'base64url');
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] as number) ^ 1;
  return bytes.toString('base64url') + '='.repeat(token.endsWith('=') ? (-bytes.length % 3) + 3 : 0);
}

interface Language {
  readonly name: string;
  readonly file: string;
  /** A command that succeeds where the program can run; Python has `pythonFor`. */
  readonly isHere: string;
}

const LANGUAGES: readonly Language[] = [
  { name: 'Python', file: 'open_field.py', isHere: 'true' },
  {
    name: 'Go',
    file: 'open_field.go',
    isHere: 'go version && test -d /usr/share/gocode/src/golang.org/x/crypto/hkdf',
  },
  { name: 'Ruby', file: 'open_field.rb', isHere: 'ruby -ropenssl -e 0' },
  { name: 'Java', file: 'OpenField.java', isHere: 'javac -version && test -f /usr/share/java/bcprov.jar' },
  { name: 'PHP', file: 'open_field.php', isHere: `php -r 'exit(extension_loaded("openssl") ? 0 : 1);'` },
];

const folder = mkdtempSync(join(tmpdir(), 'fieldseal-languages-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const prepared = new Map<string, DocumentedProgram>();

interface SkippableTest {
  skip(note: string): never;
}

/** A path on which `python3` is one that has what the program imports. */
function pathWithPython(context: SkippableTest): string {
  const python = pythonFor('import cryptography.fernet', context);
  return python === 'python3' ? `${process.env['PATH']}` : `/usr/bin:${process.env['PATH']}`;
}

/** The compiled program. Where its language is missing the test ends here: skipped, or failed on CI. */
function programIn({ name, file, isHere }: Language, context: SkippableTest): DocumentedProgram {
  const known = prepared.get(name);
  if (known) return known;
  const path = name === 'Python' ? pathWithPython(context) : `${process.env['PATH']}`;
  if (spawnSync('bash', ['-c', isHere]).status !== 0) {
    const message = `${name} is not here as docs/other-languages.md installs it`;
    if (process.env['CI'] === 'true') throw new Error(`${message}, and on CI nothing is skipped`);
    return context.skip(message);
  }
  const program = prepareProgram(DOCUMENT, file, join(folder, name), path);
  prepared.set(name, program);
  return program;
}

describe.each(LANGUAGES)('$name', (language) => {
  it('opens Fernet tokens of every text, under each of its keys', (context) => {
    const { run } = programIn(language, context);
    for (const key of [CURRENT, PREVIOUS]) {
      for (const text of key === CURRENT ? TEXTS : ['']) {
        const { output, ...ending } = run(new Fernet(key).encrypt(text), [], KEYS);
        expect({ ...ending, isText: output === text }).toEqual({ exitCode: 0, complaint: '', isText: true });
      }
    }
  });

  it('opens xaes tokens bound to their column, under each of its keys', (context) => {
    const { run } = programIn(language, context);
    for (const key of [CURRENT, PREVIOUS]) {
      for (const text of key === CURRENT ? TEXTS : ['']) {
        const { output, ...ending } = run(note(text, key), ['', 'notes', 'text'], KEYS);
        expect({ ...ending, isText: output === text }).toEqual({ exitCode: 0, complaint: '', isText: true });
      }
    }
    expect(run(String(member().name), ['Zürich', 'people', 'full_name'], KEYS).output).toBe('Ada');
  });

  it('opens xaes tokens bound to a row of a tenant, by a key of an integer, a UUID and bytes', (context) => {
    const { run } = programIn(language, context);
    for (const key of [CURRENT, PREVIOUS]) {
      const opened = run(String(member(key).email), ['Zürich', 'members', 'email', ...MEMBER_KEY], KEYS);
      expect(opened).toEqual({ exitCode: 0, output: 'ada@example.com', complaint: '' });
    }
    // A UUID may be written in either case.
    const key = MEMBER_KEY.map((part) => (part.includes('-e29b-') ? `t:${MEMBER.id}` : part));
    expect(run(String(member().phone), ['Zürich', 'members', 'phone', ...key], KEYS).output).toBe('+41 44 1');
  });

  it('refuses a token that was altered, and does not say why', (context) => {
    const { run } = programIn(language, context);
    // 17 bytes of plaintext: a block and a bit for CBC, and bits of base64 to spare for the tag's end.
    const text = 'seventeen letters';
    const fernet = new Fernet(CURRENT).encrypt(text);
    // Version, seconds, IV, ciphertext, MAC.
    for (const at of [0, 8, 9, 25, 56, -32, -1]) expect(run(altered(fernet, at), [], KEYS)).toEqual(REFUSED);
    const xaes = note(text);
    // Version, key id, both halves of the nonce, ciphertext, tag.
    const alterations = [0, 4, 5, 28, 29, 45, -16, -1].map((at) => altered(xaes, at));
    const shortened = Buffer.from(xaes, 'base64url').subarray(0, -1).toString('base64url');
    const otherwiseWritten = `${xaes.slice(0, -1)}${String.fromCharCode(xaes.charCodeAt(xaes.length - 1) + 1)}`;
    for (const token of [...alterations, shortened, otherwiseWritten, `${xaes}=`, '', 'text']) {
      expect(run(token, ['', 'notes', 'text'], KEYS)).toEqual(REFUSED);
    }
  });

  it('refuses a token in another column, row or tenant', (context) => {
    const { run } = programIn(language, context);
    const { email, name } = member();
    const places = [
      ['Zürich', 'members', 'phone', ...MEMBER_KEY],
      ['Zürich', 'users', 'email', ...MEMBER_KEY],
      ['', 'members', 'email', ...MEMBER_KEY],
      ['zürich', 'members', 'email', ...MEMBER_KEY],
      ['Zürich', 'members', 'email', 't:3', ...MEMBER_KEY.slice(1)],
      ['Zürich', 'members', 'email', ...MEMBER_KEY.toReversed()],
      ['Zürich', 'members', 'email'],
    ];
    for (const place of places) expect(run(String(email), place, KEYS)).toEqual(REFUSED);
    expect(run(String(name), ['Zürich', 'people', 'full_name', ...MEMBER_KEY], KEYS)).toEqual(REFUSED);
  });

  it('refuses a token of another key, and one of the other scheme', (context) => {
    const { run } = programIn(language, context);
    const fernet = new Fernet(CURRENT).encrypt('text');
    const xaes = note('text');
    expect(run(fernet, [], OTHER_KEYS)).toEqual(REFUSED);
    expect(run(xaes, ['', 'notes', 'text'], OTHER_KEYS)).toEqual(REFUSED);
    expect(run(fernet, ['', 'notes', 'text'], KEYS)).toEqual(REFUSED);
    expect(run(xaes, [], KEYS)).toEqual(REFUSED);
  });
});
