import { describe, expect, it } from 'vitest';
import { type CliContext, runCli } from '../../src/cli/program.js';

/** Runs a command line that reads neither the environment nor a database, in this process. */
async function cli(...argv: string[]) {
  let [out, err] = ['', ''];
  const context = {
    version: '1.2.3',
    env: {},
    terminal: {
      out: (text: string) => {
        out += text;
      },
      err: (text: string) => {
        err += text;
      },
      isInteractive: false,
    },
    stdinLines: async () => [],
    dependencies: () => {
      throw new Error('a command line that is wrong needs no database');
    },
  } as unknown as CliContext;
  return { exitCode: await runCli(argv, context), out, err };
}

async function commandNames(): Promise<string[]> {
  const { out } = await cli('--help');
  const [, list = ''] = out.split('Commands:\n');
  return [...(list.split('\n\n')[0] ?? '').matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name as string);
}

describe('help', () => {
  it('names every variable, exit code and command', async () => {
    const { exitCode, out, err } = await cli('--help');
    expect([exitCode, err]).toEqual([0, '']);
    for (const text of ['ENCRYPTION_KEY', 'ROOT_KEY', 'DATABASE_URL', 'Exit codes: 0 done', '--json', '--config']) {
      expect(out).toContain(text);
    }
    expect(await commandNames()).toEqual(
      expect.arrayContaining([
        ...['keygen', 'scan', 'encrypt', 'decrypt', 'verify', 'rotate'],
        ...['status', 'pause', 'cancel', 'resume', 'keyring'],
      ]),
    );
  });

  it('of every command has an example of that command', async () => {
    const names = (await commandNames()).filter((name) => name !== 'help');
    for (const name of names) {
      const { exitCode, out } = await cli(name, '--help');
      expect([name, exitCode]).toEqual([name, 0]);
      expect(out).toMatch(new RegExp(`\\nExample:\\n +.*fieldseal ${name}\\b`));
    }
  });

  it('tells how to keep keys off the command line', async () => {
    const { out } = await cli('rotate', '--help');
    expect(out.replace(/\s+/g, ' ')).toContain('Keys given in full show in the process list; env:NAME takes one');
  });

  it('is not mistaken for the version', async () => {
    expect(await cli('--version')).toEqual({ exitCode: 0, out: '1.2.3\n', err: '' });
  });
});

describe('a wrong command line', () => {
  it.each([
    ['an unknown command', ['encript'], "error: unknown command 'encript'"],
    ['an unknown option', ['encrypt', '--fast'], "error: unknown option '--fast'"],
    ['an option of another command', ['verify', '--dry-run'], "error: unknown option '--dry-run'"],
    ['a missing run', ['pause'], "error: missing required argument 'run'"],
    ['a run that is no number', ['resume', 'x'], 'It must be a whole number above 0.'],
    ['a run below 1', ['status', '0'], 'It must be a whole number above 0.'],
    [
      'a pace that is no whole number',
      ['encrypt', '--max-rows-per-second', '1.5'],
      'It must be a whole number above 0.',
    ],
    ['one argument too many', ['scan', 'x'], "error: too many arguments for 'scan'"],
  ])('with %s ends with 2 and says why', async (_name, argv, message) => {
    const { exitCode, out, err } = await cli(...argv);
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toContain(message);
    const json = await cli('--json', ...argv);
    expect([json.exitCode, json.err]).toEqual([2, '']);
    expect(JSON.parse(json.out)).toMatchObject({
      type: 'error',
      code: 'ERR_USAGE',
      message: expect.stringContaining(message),
    });
  });

  it('without any command shows what there is', async () => {
    const { exitCode, err } = await cli();
    expect(exitCode).toBe(2);
    expect(err).toContain('Commands:');
  });

  it.each([
    [['rotate', 'a'], 'rotate takes no key or two: `fieldseal rotate OLD NEW`.'],
    [['rotate', '--finalize'], '--finalize needs both keys: `fieldseal rotate OLD NEW --finalize`.'],
    [['rotate', 'a', 'b', 'c'], "too many arguments for 'rotate'"],
  ])('that gives %j is refused', async (argv, message) => {
    const { exitCode, err } = await cli(...argv);
    expect(exitCode).toBe(2);
    expect(err).toContain(message);
  });
});

describe('keygen', () => {
  it('prints a Fernet key, another one each time', async () => {
    const [first, second] = [await cli('keygen'), await cli('keygen', '--json')];
    expect(first).toEqual({ exitCode: 0, out: expect.stringMatching(/^[\w-]{43}=\n$/), err: '' });
    expect(JSON.parse(second.out)).toEqual({ type: 'result', key: expect.stringMatching(/^[\w-]{43}=$/) });
    expect(second.out).not.toContain(first.out.trim());
  });
});
