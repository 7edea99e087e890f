import { chmod, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { isOpenToOthers } from '../open-to-others.ts';
import {
  type CommandOptions,
  configText,
  type Project,
  type ProjectOptions,
  USERS_CONFIG,
  withProject,
} from '../with-project.js';

const PLAINTEXTS = ['+1-555-0101', '+1-555-0102'];

interface Refused {
  readonly exitCode?: number;
  readonly code: string;
  readonly message: string | RegExp;
}

/** Runs a command that must be refused with one line, and leave the database's files as they are, byte for byte. */
async function expectRefusal(project: Project, args: string[], refused: Refused, options: CommandOptions = {}) {
  project.keepSecret(...PLAINTEXTS);
  const before = await project.databaseFiles();
  const { exitCode, stdout, stderr } = await project.fieldseal(...args, options);
  const [line = '', ...rest] = stderr
    .split('\n')
    .filter((text) => text !== '' && !text.startsWith('Readers that know only'));
  const [, message, code] = /^fieldseal: (.*) \[(ERR_[A-Z_]+)\]$/.exec(line) ?? [];
  expect({ exitCode, code, stdout, rest }).toEqual({
    exitCode: refused.exitCode ?? 2,
    code: refused.code,
    stdout: '',
    rest: [],
  });
  if (typeof refused.message === 'string') expect(message).toBe(refused.message);
  else expect(message).toMatch(refused.message);
  expect(await project.databaseFiles()).toEqual(before);
}

// As it stands in the Python original's guide: 60 characters, which no Fernet key has.
const MALFORMED = 'lKhZdE6G-6Q8vX2J_p9L_8mK_5nP_7qR_3sT_1uV_9wX_0yZ_2aB_4cD_6eF';

describe('keys', () => {
  it('have to be there, and be keys', async () => {
    await withProject(async (project) => {
      project.keepSecret(MALFORMED);
      const refuse = (env: CommandOptions['env'], refused: Refused, args = ['encrypt']) =>
        expectRefusal(project, args, refused, { env: { ENCRYPTION_KEY: undefined, ...env } });

      const missing = {
        code: 'ERR_KEY_MISSING',
        message: 'ENCRYPTION_KEY is not set; make one with `fieldseal keygen`.',
      };
      await refuse({}, missing);
      await refuse({ ENCRYPTION_KEY: '  ' }, missing, ['rotate']);
      await refuse({ ROOT_KEY: Fernet.generateKey() }, missing);
      const malformed = (name: string) => ({
        code: 'ERR_KEY_MALFORMED',
        message: `${name} is not a Fernet key: 32 bytes in base64url, 44 characters; make one with \`fieldseal keygen\`.`,
      });
      await refuse({ ENCRYPTION_KEY: MALFORMED }, malformed('ENCRYPTION_KEY'));
      await refuse(
        { ENCRYPTION_KEY: project.key, ENCRYPTION_KEY_PREVIOUS: `${project.key},${MALFORMED}` },
        malformed('ENCRYPTION_KEY_PREVIOUS'),
      );
      await refuse({ ENCRYPTION_KEY: project.key, ROOT_KEY: MALFORMED }, malformed('ROOT_KEY'), ['scan']);
      await refuse(
        { ENCRYPTION_KEY_FILE: 'none.key' },
        { code: 'ERR_KEY_FILE', message: 'The file that ENCRYPTION_KEY_FILE names cannot be read.' },
      );
      const both = { ENCRYPTION_KEY: project.key, ENCRYPTION_KEY_FILE: 'none.key' };
      await refuse(
        both,
        { code: 'ERR_CONFIG_INVALID', message: 'Set ENCRYPTION_KEY or ENCRYPTION_KEY_FILE, not both.' },
        ['status'],
      );
      await refuse({ ENCRYPTION_KEY: project.key, A: MALFORMED }, malformed('NEW'), [
        'rotate',
        'env:ENCRYPTION_KEY',
        'env:A',
      ]);
      await refuse(
        { ENCRYPTION_KEY: project.key },
        { code: 'ERR_KEY_MISSING', message: 'The environment has no variable NONE for OLD.' },
        ['rotate', 'env:NONE', '-'],
      );
    });
  });

  it('may come from a file, and from a .env file', async () => {
    await withProject(async (project) => {
      await project.write('key', `${project.key}\n`);
      const fromFile = { env: { ENCRYPTION_KEY: undefined, ENCRYPTION_KEY_FILE: 'key' } };
      expect((await project.fieldseal('encrypt', '--dry-run', fromFile)).exitCode).toBe(0);
      await project.write('.env', `# a comment\nENCRYPTION_KEY="${project.key}"\n`);
      expect((await project.fieldseal('encrypt', '--dry-run', { env: { ENCRYPTION_KEY: undefined } })).exitCode).toBe(
        0,
      );
    });
  });

  it('have to be those of the stored keyring', async () => {
    await withProject(async (project) => {
      expect((await project.fieldseal('encrypt')).exitCode).toBe(0);
      const other = { env: { ENCRYPTION_KEY: project.keepSecret(Fernet.generateKey()) } };
      const root = {
        code: 'ERR_KEYRING_ROOT',
        message: /^The stored keyring is wrapped under another root key|ENCRYPTION_KEY/,
      };
      for (const args of [
        ['encrypt'],
        ['rotate'],
        ['verify'],
        ['decrypt', '--dry-run'],
        ['scan'],
        ['keyring', 'list'],
      ]) {
        await expectRefusal(project, args, root, other);
      }
      await expectRefusal(
        project,
        ['decrypt'],
        { code: 'ERR_KEY_MISSING', message: /^ENCRYPTION_KEY \(or ROOT_KEY\) is not set/ },
        { env: { ENCRYPTION_KEY: undefined } },
      );
      await expectRefusal(
        project,
        ['keyring', 'list'],
        { code: 'ERR_KEY_MISSING', message: /^ENCRYPTION_KEY is not set/ },
        { env: { ENCRYPTION_KEY: undefined } },
      );
    });
  });

  it('that only the environment knows are not rotated to a random one', async () => {
    await withProject({ config: USERS_CONFIG.replace("'stored'", "'env'") }, async (project) => {
      const refused = {
        code: 'ERR_ROTATE_ENV_KEYS',
        message: /^The configuration says keys: 'env': .* Use `fieldseal rotate OLD NEW`/,
      };
      await expectRefusal(project, ['rotate'], refused);
      await expectRefusal(project, ['rotate', '--dry-run'], refused);
    });
  });
});

describe('a configuration', () => {
  const withConfig = (config: string | null, refused: Refused, args = ['encrypt']) =>
    withProject({ config }, (project) => expectRefusal(project, args, refused));

  it('has to be there', async () => {
    await withConfig(null, {
      code: 'ERR_CONFIG_NOT_FOUND',
      message:
        /^There is no fieldseal\.config\.ts \(or \.js\) in the current folder; `fieldseal scan` prints one to start from\.$/,
    });
    for (const command of ['verify', 'scan']) {
      const args = ['--config', 'other.ts', command];
      await withConfig(USERS_CONFIG, { code: 'ERR_CONFIG_NOT_FOUND', message: /other\.ts\.$/ }, args);
    }
  });

  it('has to be well formed', async () => {
    await withConfig('export default {', {
      code: 'ERR_CONFIG_INVALID',
      message: /fieldseal\.config\.mjs cannot be loaded: /,
    });
    await withConfig(USERS_CONFIG.replace("keys: 'stored', ", ''), {
      code: 'ERR_CONFIG_INVALID',
      message: /fieldseal\.config\.mjs: keys must say where/,
    });
    await withConfig("export default { keys: 'env', model: {} }", {
      code: 'ERR_MODEL_INVALID',
      message: 'The model is not one that defineModel(…) returned.',
    });
    await withConfig('export default {', { code: 'ERR_CONFIG_INVALID', message: /cannot be loaded: / }, ['scan']);
  });

  it('has to fit the database', async () => {
    const table = (name: string, column: string, key = 'id') =>
      configText(`${name}: { primaryKey: '${key}', columns: { ${column}: encryptedString() } }`);
    await withConfig(table('people', 'phone'), {
      code: 'ERR_TABLE_NOT_FOUND',
      message: 'The declaration does not fit: the table people is not in the database.',
    });
    await withConfig(
      table('users', 'fax'),
      { code: 'ERR_COLUMN_NOT_FOUND', message: 'The declaration does not fit: users.fax is not in the database.' },
      ['verify'],
    );
    await withConfig(
      table('users', 'phone', 'name'),
      { code: 'ERR_TABLE_NO_KEY', message: /primaryKey is declared as name, but it is id\.$/ },
      ['rotate'],
    );
    const sql = 'CREATE TABLE users (id INTEGER, phone TEXT)';
    await withProject({ sql, config: table('users', 'phone') }, (project) =>
      expectRefusal(project, ['encrypt'], { code: 'ERR_TABLE_NO_KEY', message: /users has no primary key/ }),
    );
    const unique: ProjectOptions = { sql: 'CREATE TABLE users (id INTEGER PRIMARY KEY, phone TEXT UNIQUE)' };
    await withProject(unique, (project) =>
      expectRefusal(project, ['encrypt'], {
        code: 'ERR_COLUMN_UNSUITABLE',
        message: /users\.phone stands in a UNIQUE key\.$/,
      }),
    );
  });
});

describe('a database', () => {
  it('has to be there: none is made', async () => {
    await withProject({ sql: null }, async (project) => {
      const refused = {
        code: 'ERR_DATABASE_NOT_FOUND',
        message: 'The database app.db does not exist or cannot be opened; check the path in DATABASE_URL.',
      };
      for (const args of [
        ['encrypt'],
        ['rotate', '--dry-run'],
        ['status'],
        ['scan'],
        ['cancel', '1'],
        ['keyring', 'list'],
      ]) {
        await expectRefusal(project, args, refused);
      }
    });
  });

  it('has to be one of SQLite', async () => {
    await withProject({ sql: null }, async (project) => {
      await writeFile(
        project.file,
        'This file is somebody’s letter, and long enough to have the length of a header.\n'.repeat(20),
      );
      const refused = {
        code: 'ERR_DATABASE_FOREIGN',
        message: 'The database app.db is not a SQLite database; check the path in DATABASE_URL.',
      };
      for (const args of [['encrypt'], ['verify'], ['scan'], ['status'], ['pause', '1']]) {
        await expectRefusal(project, args, refused);
      }
    });
  });

  it('is not changed by a command that finds no run in it', async () => {
    await withProject(async (project) => {
      const refused = (id: number) => ({
        code: 'ERR_RUN_NOT_FOUND',
        message: new RegExp(`^There is no (unfinished )?run ${id}; `),
      });
      for (const command of ['status', 'pause', 'cancel', 'resume'])
        await expectRefusal(project, [command, '7'], refused(7));
      await expectRefusal(project, ['keyring', 'list'], {
        code: 'ERR_KEYRING_NOT_FOUND',
        message: 'The database holds no keyring yet; `fieldseal encrypt` makes one.',
      });
    });
  });

  it('of PostgreSQL that cannot be reached is named without its user and password', async () => {
    await withProject(async (project) => {
      project.keepSecret('hunter2', 'reader');
      const url = (text: string) => ({ env: { DATABASE_URL: text } });
      const postgres = url('postgres://reader:hunter2@127.0.0.1:1/app');
      for (const args of [['encrypt'], ['rotate', '--dry-run'], ['scan'], ['status']]) {
        const message = /^The database app on 127\.0\.0\.1:1 cannot be reached/;
        await expectRefusal(project, args, { code: 'ERR_DATABASE_NOT_FOUND', message }, postgres);
      }
      const wrong = { code: 'ERR_DATABASE_URL', message: /^DATABASE_URL is not understood: / };
      for (const text of ['mysql://reader:hunter2@127.0.0.1/app', 'postgres://reader:hunter2@host name/app']) {
        await expectRefusal(project, ['encrypt'], wrong, url(text));
      }
      await expectRefusal(project, ['encrypt'], wrong, url('sqlite:app.db?password=hunter2'));
    });
  });

  const NOBODY = 65534;
  const isRoot = process.getuid?.() === 0;

  it('that may not be written is refused, and can still be looked at', async (context) => {
    // A file’s mode does not stop root, and nobody else gets at a checkout that only root may enter.
    if (isRoot && !isOpenToOthers(fileURLToPath(import.meta.url))) context.skip('only root may enter this checkout');
    await withProject(async (project) => {
      const options: CommandOptions = isRoot ? { uid: NOBODY } : {};
      await chmod(project.folder, 0o555);
      await chmod(project.file, 0o444);
      try {
        const refused = {
          code: 'ERR_DATABASE_READ_ONLY',
          message:
            /^The database app\.db cannot be written \(SQLITE_READONLY.*\); check the rights to the file and its folder\.$/,
        };
        for (const args of [['encrypt'], ['rotate'], ['verify']]) await expectRefusal(project, args, refused, options);
        for (const args of [['encrypt', '--dry-run'], ['scan'], ['status']]) {
          expect((await project.fieldseal(...args, options)).exitCode).toBe(0);
        }
      } finally {
        await chmod(project.folder, 0o755);
      }
    });
  });
});
