/** The programs of docs/other-languages.md open what the library writes, and nothing else; each in its language. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineModel, encryptedString, Fernet, keyringFromEnv, Table } from 'fieldseal';
import { afterAll, describe, expect, it } from 'vitest';
import { pythonFor } from '../packages/fieldseal/test/python.ts';
import { configText, type Project, withProject } from '../packages/server/test/with-project.ts';
import { type DocumentedProgram, prepareProgram } from './documented-program.ts';

const DOCUMENT = readFileSync(new URL('../docs/other-languages.md', import.meta.url), 'utf8');
const REFUSED = { exitCode: 1, output: '', complaint: 'refused\n' };

const keyOf = (name: string) => createHash('sha256').update(name).digest('base64url').padEnd(44, '=');
// By the current key XAES-256-GCM's K1 is reduced, in bits that are set already, and its id is above 2^31; not so by the
// previous one.
const PREVIOUS = keyOf('previous');
const CURRENT = keyOf('three');
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
  return bytes.toString('base64url').padEnd(token.length, '=');
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
const prepared = new Map<string, Promise<DocumentedProgram>>();

interface SkippableTest {
  skip(note: string): never;
}

/** A path on which `python3` is one that has what the program imports. */
function pathWithPython(context: SkippableTest): string {
  const python = pythonFor('import cryptography.fernet', context);
  return python === 'python3' ? `${process.env['PATH']}` : `/usr/bin:${process.env['PATH']}`;
}

/** The compiled program. Where its language is missing the test ends here: skipped, or failed on CI. */
function programIn({ name, file, isHere }: Language, context: SkippableTest): Promise<DocumentedProgram> {
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

// The languages beside one another, since a run mostly waits for its process to start.
describe.concurrent.each(LANGUAGES)('$name', (language) => {
  it('opens Fernet tokens of every text, under each of its keys', async (context) => {
    const { run } = await programIn(language, context);
    for (const key of [CURRENT, PREVIOUS]) {
      for (const text of key === CURRENT ? TEXTS : ['']) {
        const { output, ...ending } = await run(new Fernet(key).encrypt(text), [], KEYS);
        expect({ ...ending, isText: output === text }).toEqual({ exitCode: 0, complaint: '', isText: true });
      }
    }
  });

  it('opens xaes tokens bound to their column, under each of its keys', async (context) => {
    const { run } = await programIn(language, context);
    for (const key of [CURRENT, PREVIOUS]) {
      for (const text of key === CURRENT ? TEXTS : ['']) {
        const { output, ...ending } = await run(note(text, key), ['', 'notes', 'text'], KEYS);
        expect({ ...ending, isText: output === text }).toEqual({ exitCode: 0, complaint: '', isText: true });
      }
    }
    expect((await run(String(member().name), ['Zürich', 'people', 'full_name'], KEYS)).output).toBe('Ada');
  });

  it('opens xaes tokens bound to a row of a tenant, by a key of an integer, a UUID and bytes', async (context) => {
    const { run } = await programIn(language, context);
    for (const key of [CURRENT, PREVIOUS]) {
      const opened = await run(String(member(key).email), ['Zürich', 'members', 'email', ...MEMBER_KEY], KEYS);
      expect(opened).toEqual({ exitCode: 0, output: 'ada@example.com', complaint: '' });
    }
    // A UUID may be written in either case.
    const key = MEMBER_KEY.map((part) => (part.includes('-e29b-') ? `t:${MEMBER.id}` : part));
    expect((await run(String(member().phone), ['Zürich', 'members', 'phone', ...key], KEYS)).output).toBe('+41 44 1');
  });

  it('refuses a token that was altered, and does not say why', async (context) => {
    const { run } = await programIn(language, context);
    // 17 bytes of plaintext: a block and a bit for CBC, and bits of base64 to spare for the tag's end.
    const text = 'seventeen letters';
    const fernet = new Fernet(CURRENT).encrypt(text);
    // Version, ciphertext, MAC.
    for (const at of [0, 25, -1]) expect(await run(altered(fernet, at), [], KEYS)).toEqual(REFUSED);
    const xaes = note(text);
    // Version, key id, nonce, ciphertext, tag.
    const alterations = [0, 4, 28, 29, -1].map((at) => altered(xaes, at));
    const shortened = Buffer.from(xaes, 'base64url').subarray(0, -1).toString('base64url');
    const otherwiseWritten = `${xaes.slice(0, -1)}${String.fromCharCode(xaes.charCodeAt(xaes.length - 1) + 1)}`;
    for (const token of [...alterations, shortened, otherwiseWritten, 'text']) {
      expect(await run(token, ['', 'notes', 'text'], KEYS)).toEqual(REFUSED);
    }
  });

  it('refuses a token in another column, row or tenant', async (context) => {
    const { run } = await programIn(language, context);
    const { email, name } = member();
    const places = [
      ['Zürich', 'members', 'phone', ...MEMBER_KEY],
      ['Zürich', 'users', 'email', ...MEMBER_KEY],
      ['zürich', 'members', 'email', ...MEMBER_KEY],
      ['Zürich', 'members', 'email', 't:3', ...MEMBER_KEY.slice(1)],
      ['Zürich', 'members', 'email'],
    ];
    for (const place of places) expect(await run(String(email), place, KEYS)).toEqual(REFUSED);
    expect(await run(String(name), ['Zürich', 'people', 'full_name', ...MEMBER_KEY], KEYS)).toEqual(REFUSED);
  });

  it('refuses a token of another key, and one of the other scheme', async (context) => {
    const { run } = await programIn(language, context);
    const fernet = new Fernet(CURRENT).encrypt('text');
    const xaes = note('text');
    expect(await run(fernet, [], OTHER_KEYS)).toEqual(REFUSED);
    expect(await run(xaes, ['', 'notes', 'text'], OTHER_KEYS)).toEqual(REFUSED);
    expect(await run(fernet, ['', 'notes', 'text'], KEYS)).toEqual(REFUSED);
    expect(await run(xaes, [], KEYS)).toEqual(REFUSED);
  });
});

describe('Python, with the stored keys', () => {
  const sql = `CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, phone TEXT);
               INSERT INTO users VALUES (7, 'ada@example.com', '+41 44 1')`;
  const config = configText(`users: { primaryKey: 'id', columns: {
    email: encryptedString({ scheme: 'xaes', boundTo: 'row', alsoReads: ['plaintext'] }),
    phone: encryptedString({ alsoReads: ['plaintext'] }) } }`);
  const rowIn = (project: Project) =>
    project.db((db) => db.prepare('SELECT email, phone FROM users').get()) as { email: string; phone: string };

  it('opens values from before and after a rotation, and nothing once the ring was changed', async (context) => {
    const path = pathWithPython(context);
    await withProject({ sql, config }, async (project) => {
      const root = project.keepSecret(Fernet.generateKey());
      const env = { ROOT_KEY: root };
      expect(await project.fieldseal('encrypt', { env })).toMatchObject({ exitCode: 0 });
      const before = rowIn(project);
      expect(await project.fieldseal('rotate', { env })).toMatchObject({ exitCode: 0 });
      const after = rowIn(project);
      const { run } = await prepareProgram(DOCUMENT, 'open_stored.py', project.folder, path);
      const place = ['', 'users', 'email', 't:7'];

      for (const { email, phone } of [before, after]) {
        expect(await run(email, place, env)).toEqual({ exitCode: 0, output: 'ada@example.com', complaint: '' });
        expect(await run(phone, [], env)).toEqual({ exitCode: 0, output: '+41 44 1', complaint: '' });
      }
      expect(await run(altered(after.email, 29), place, env)).toEqual(REFUSED);
      expect(await run(after.email, place.with(3, 't:8'), env)).toEqual(REFUSED);

      const unusable = { exitCode: 1, output: '', complaint: 'the stored keyring is not one of this root key\n' };
      expect(await run(after.email, place, { ROOT_KEY: project.key })).toEqual(unusable);
      project.db((db) => db.exec("UPDATE encryption_keys SET state = 'active' WHERE state = 'primary'"));
      expect(await run(after.email, place, env)).toEqual(unusable);
    });
  });
});
