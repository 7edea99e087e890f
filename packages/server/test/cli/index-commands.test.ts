/** `index` and `plan-index` as they are typed. */
import { describe, expect, it } from 'vitest';
import { type CliContext, runCli } from '../../src/cli/program.js';
import { type Project, withProject } from '../with-project.js';

const column =
  "encrypted(codecs.string(), { scheme: 'xaes', alsoReads: ['plaintext'], distinct: 1_000_000, commonest: 1e-6 })";
const configOf = (
  tables: string,
) => `import { blindIndex, codecs, defineConfig, defineModel, encrypted } from 'fieldseal';
export default defineConfig({ keys: 'stored', model: defineModel({ ${tables} }) });
`;
const CONFIG = configOf(`users: { primaryKey: 'id', rows: 1_000_000,
  columns: { phone: ${column} }, indexes: { phone_index: blindIndex('phone', { bits: 17 }) } }`);
const SQL = `CREATE TABLE users (id INTEGER PRIMARY KEY, phone TEXT, phone_index TEXT);
  INSERT INTO users (id, phone) VALUES (1, '+1-555-0101'), (2, '+1-555-0102'), (3, NULL)`;

const withIndex = (work: (project: Project) => Promise<void>) =>
  withProject({ sql: SQL, config: CONFIG }, async (project) => {
    project.keepSecret('+1-555-0101', '+1-555-0102');
    await work(project);
  });

describe('index', () => {
  it('builds, mends and moves indexes, and says so to people and to programs', () =>
    withIndex(async (project) => {
      const dry = await project.fieldseal('index', '--dry-run');
      expect(dry.stdout).toMatch(/^Dry run, nothing was written: index: completed/);
      expect(dry.stdout).toContain('2 records: 2 indexed, 0 already as wanted, 0 skipped, 0 unreadable.\n');
      expect(project.db((db) => db.prepare('SELECT count(phone_index) FROM users').pluck().get())).toBe(0);

      const made = await project.fieldseal('index');
      expect(made.exitCode).toBe(0);
      expect(made.stdout).toMatch(
        /^Run 1, index: completed \(\d+\.\d s, 2 passes\)\n\ncolumn +records +indexed +already/,
      );
      expect(made.stdout).toMatch(/^users\.phone_index +2 +2 +0 +0 +0 +index v1 2$/m);
      expect(made.stderr).toContain('run 1 (index)\n');

      const moved = await project.fieldseal('index', '--rotate', '--json');
      expect([moved.exitCode, moved.lines[0]]).toEqual([0, { type: 'run', run: 2, kind: 'index', resumed: false }]);
      expect(moved.last).toMatchObject({ oldKeyVersion: 'v1', newKeyVersion: 'v2', counts: { rotated: 2 }, left: 0 });
      expect(moved.stderr).not.toContain('retires');
      // The next run, which finds no value under the old key, retires it.
      expect((await project.fieldseal('index')).exitCode).toBe(0);
      const keys = await project.fieldseal('keyring', 'list', '--json');
      const ofIndexes = keys.last.keys.filter(({ purpose }: { purpose: string }) => purpose === 'blind-index');
      expect(ofIndexes.map((key: Record<string, unknown>) => [key['version'], key['state']])).toEqual([
        ['v1', 'disabled'],
        ['v2', 'primary'],
      ]);
      const audit = await project.fieldseal('audit', 'export');
      for (const action of ['index_started', 'index_completed', 'key_promoted', 'key_disabled']) {
        expect(audit.stdout).toContain(action);
      }

      project.db((db) =>
        db.exec(
          "UPDATE users SET phone_index = 'wrong' WHERE id = 1; UPDATE users SET phone_index = NULL WHERE id = 2",
        ),
      );
      const verified = await project.fieldseal('verify');
      expect(verified.exitCode).toBe(1);
      expect(verified.stdout).toContain(
        'unreadable: users.phone_index, 1 × an index value that is not its value’s; `fieldseal index` mends it\n',
      );
      const status = await project.fieldseal('status', '4');
      expect(status.stdout).toMatch(/^users\.phone_index +\[1\] +wrong_index$/m);
      expect(status.stdout).toMatch(/^users\.phone_index +\[2\] +no_index$/m);
      expect((await project.fieldseal('index', '--json')).last).toMatchObject({
        counts: { rotated: 2 },
        newKeyVersion: null,
      });
    }));

  it('has nothing to do without a declared index', () =>
    withProject(async (project) => {
      const before = await project.databaseFiles();
      const { exitCode, stdout, stderr } = await project.fieldseal('index', '--rotate');
      expect([exitCode, stdout]).toEqual([2, '']);
      expect(stderr).toBe(
        'fieldseal: The configuration declares no blind index; there is nothing to do. [ERR_INDEX_NOT_FOUND]\n',
      );
      expect(await project.databaseFiles()).toEqual(before);
    }));
});

it('a configuration with several mistakes is refused with all of them', () =>
  withProject(
    {
      sql: SQL,
      config: configOf(`
        users: { primaryKey: 'id', columns: { phone: ${column}, id: ${column} }, indexes: { phone_index: blindIndex('fax', { bits: 17 }) } },
        plans: { primaryKey: 'id', columns: { name: encrypted(codecs.string(), { scheme: 'rot13' }) } }`),
    },
    async (project) => {
      const before = await project.databaseFiles();
      const { exitCode, last } = await project.fieldseal('encrypt', '--json');
      expect([exitCode, last.code]).toEqual([2, 'ERR_MODEL_INVALID']);
      for (const text of [
        'users.id: ',
        'users.phone_index: the index is made of fax, which is not declared',
        'plans.name: scheme names none',
      ]) {
        expect(last.message).toContain(text);
      }
      expect(await project.databaseFiles()).toEqual(before);
    },
  ));

it('an index that would tell too much is refused with the size to take', () =>
  withProject({ sql: SQL, config: CONFIG.replace('bits: 17', 'bits: 24') }, async (project) => {
    const { exitCode, last } = await project.fieldseal('index', '--json');
    expect([exitCode, last.code]).toEqual([2, 'ERR_INDEX_UNSAFE']);
    expect(last.message).toContain('users.phone_index: An index of 24 bits would tell too much');
    expect(last.message).toContain('take 17');
  }));

/** Runs a command line that reads neither the environment nor a database, in this process. */
async function cli(...argv: string[]) {
  let [out, err] = ['', ''];
  const context = {
    ...{ version: '1.2.3', env: {}, stdinLines: async () => [] },
    terminal: {
      out: (text: string) => {
        out += text;
      },
      err: (text: string) => {
        err += text;
      },
      isInteractive: false,
    },
    dependencies: () => {
      throw new Error('planning needs no database');
    },
  } as unknown as CliContext;
  return { exitCode: await runCli(argv, context), out, err };
}

describe('plan-index', () => {
  const facts = ['--rows', '1000000', '--distinct', '900000', '--commonest', '0.00001'];

  it('says what size to take, to people and to programs', async () => {
    expect(await cli('plan-index', ...facts)).toEqual({
      exitCode: 0,
      out: 'Take 15 bits: blindIndex(…, { bits: 15 }). Safe and useful are 10 to 16.\n',
      err: '',
    });
    const { out } = await cli('plan-index', ...facts, '--json');
    expect(JSON.parse(out)).toEqual({ type: 'result', minBits: 10, maxBits: 16, bits: 15 });
    expect(JSON.parse((await cli('plan-index', ...facts, '--taken', '5', '--json')).out)).toMatchObject({
      maxBits: 11,
      bits: 10,
    });
  });

  it('refuses a column that no index is safe for, with the reason', async () => {
    const { exitCode, out, err } = await cli('plan-index', '--rows', '1000', '--distinct', '3', '--commonest', '0.5');
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toMatch(
      /^fieldseal: No size of the index is safe: 1000 rows, 3 different values, .* \[ERR_INDEX_UNSAFE\]\n$/,
    );
    const taken = await cli('plan-index', ...facts, '--taken', '10', '--json');
    expect([taken.exitCode, JSON.parse(taken.out)]).toMatchObject([2, { type: 'error', code: 'ERR_INDEX_UNSAFE' }]);
  });

  it.each([
    [['--rows', '1000', '--distinct', '10'], 'required option'],
    [['--rows', '0', '--distinct', '10', '--commonest', '0.1'], 'above 0'],
    [['--rows', '1e400', '--distinct', '10', '--commonest', '0.1'], 'above 0'],
    [['--rows', '1.5', '--distinct', '10', '--commonest', '0.1'], 'above 0'],
    [['--rows', '1000', '--distinct', 'many', '--commonest', '0.1'], 'above 0'],
    [['--rows', '1000', '--distinct', '10', '--commonest', '0'], 'at most 1'],
    [['--rows', '1000', '--distinct', '10', '--commonest', '1.5'], 'at most 1'],
    [['--rows', '1000', '--distinct', '10', '--commonest', 'NaN'], 'at most 1'],
    [['--rows', '1000', '--distinct', '10', '--commonest', ''], 'at most 1'],
    [[...facts, '--taken', '-1'], 'above 0'],
    [[...facts, 'more'], 'too many arguments'],
  ])('refuses %j', async (args, text) => {
    const { exitCode, err, out } = await cli('plan-index', ...args);
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toContain(text);
    const json = await cli('plan-index', ...args, '--json');
    expect(JSON.parse(json.out)).toMatchObject({ type: 'error', code: 'ERR_USAGE' });
    expect(json.err).toBe('');
  });

  it('and index have help with their options', async () => {
    for (const [name, options] of [
      ['plan-index', ['--rows <n>', '--distinct <n>', '--commonest <share>', '--taken <bits>']],
      ['index', ['--rotate', '--dry-run', '--max-rows-per-second <n>', '--allow-triggers']],
    ] as const) {
      const { exitCode, out } = await cli(name, '--help');
      expect(exitCode).toBe(0);
      for (const option of [...options, `Example:\n  fieldseal ${name} `]) expect(out).toContain(option);
    }
  });
});
