/** What the audit log says of commands that are refused, on both databases. */
import Database from 'better-sqlite3';
import { Fernet } from 'fieldseal';
import { describe, expect, test } from 'vitest';
import { CHANGE_NOTHING } from '../../src/cli/refused-commands.ts';
import { withPostgresProject } from '../with-postgres-database.ts';
import {
  type CommandOptions,
  type CommandResult,
  type Project,
  USERS_CONFIG,
  USERS_SQL,
  withProject,
} from '../with-project.ts';

const OPTIONS = { sql: USERS_SQL, config: USERS_CONFIG };

interface Place {
  readonly project: Project;
  fieldseal(...args: string[] | [...string[], CommandOptions]): Promise<CommandResult>;
  /** Runs SQL; `{t}` before a table's name stands for its schema. */
  sql(text: string): Promise<unknown>;
}

const onSqlite = (work: (place: Place) => Promise<void>) =>
  withProject(OPTIONS, (project) =>
    work({
      project,
      fieldseal: (...args) => project.fieldseal(...(args as string[])),
      sql: async (text) => project.db((db) => db.exec(text.replaceAll('{t}', ''))),
    }),
  );

const onPostgres = (work: (place: Place) => Promise<void>) =>
  withPostgresProject(OPTIONS, ({ project, fieldseal, rows }) =>
    work({ project, fieldseal, sql: (text) => rows(text.replaceAll('{t}', 'fieldseal.')) }),
  );

/** How a command ended. */
const outcomeOf = ({ exitCode, last }: CommandResult) => `${exitCode} ${last.code}`;

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
])('on %s', (_name, on) => {
  test(
    'a command that would have changed something leaves a row with its name and the code',
    { timeout: 120_000 },
    () =>
      on(async ({ project, fieldseal, sql }) => {
        const rows = async () => {
          const { stdout } = await fieldseal('audit', 'export', '--action', 'command_refused');
          return stdout
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => JSON.parse(line))
            .reverse();
        };
        await fieldseal('encrypt');
        await sql(`UPDATE {t}encryption_key_rotations SET rotation_status = 'paused', completed_at = NULL`);
        const refused: [string, string[]][] = [
          ['2 ERR_RUN_UNFINISHED', ['rotate']],
          ['2 ERR_RUN_NOT_FOUND', ['pause', '98765']],
          ['2 ERR_KEY_STATE', ['keyring', 'disable', 'v1']],
          ['2 ERR_KEY_NOT_FOUND', ['keyring', 'destroy', 'v98765', '--yes']],
          ['2 ERR_SCHEDULE_NOT_FOUND', ['schedule', 'remove', '98765']],
          ['1 ERR_NOT_FOUND', ['api-keys', 'revoke', '98765', '--reason', 'a stranger had it']],
        ];
        for (const [outcome, args] of refused) {
          expect([args, outcomeOf(await fieldseal(...args, '--json'))]).toEqual([args, outcome]);
        }
        const written = await rows();
        const row = (command: string, code: string) =>
          expect.objectContaining({
            ...{ action: 'command_refused', status: 'failure', resource_type: 'command', resource_id: null },
            ...{ user_id: null, ip_address: null, details: { code, command, via: 'operator' } },
          });
        expect(written).toEqual([
          row('rotate', 'ERR_RUN_UNFINISHED'),
          row('pause', 'ERR_RUN_NOT_FOUND'),
          row('keyring disable', 'ERR_KEY_STATE'),
          row('keyring destroy', 'ERR_KEY_NOT_FOUND'),
          row('schedule remove', 'ERR_SCHEDULE_NOT_FOUND'),
          row('api-keys revoke', 'ERR_NOT_FOUND'),
        ]);
        expect(JSON.stringify(written)).not.toMatch(/98765|stranger|--/);

        await project.write('env.mjs', USERS_CONFIG.replace("keys: 'stored'", "keys: 'env'"));
        const otherKey = { env: { ENCRYPTION_KEY: project.keepSecret(Fernet.generateKey()) } };
        const silent: [string, [...string[], CommandOptions]][] = [
          // What only looks is refused nothing.
          ['2 ERR_RUN_UNFINISHED', ['--config', 'env.mjs', 'rotate', '--dry-run', {}]],
          ['2 ERR_RUN_NOT_FOUND', ['status', '98765', {}]],
          ['1 ERR_NOT_FOUND', ['api-keys', 'show', '98765', {}]],
          // Mistakes on the command line, in the configuration and with keys; a database that is not there.
          ['2 ERR_USAGE', ['keyring', 'destroy', {}]],
          ['2 ERR_INPUT_INVALID', ['schedule', 'add', 'verify', 'sometimes', {}]],
          ['2 ERR_CONFIG_NOT_FOUND', ['--config', 'other.mjs', 'rotate', {}]],
          ['2 ERR_KEYRING_ROOT', ['keyring', 'disable', 'v1', otherKey]],
          ['2 ERR_DATABASE_NOT_FOUND', ['pause', '1', { env: { DATABASE_URL: 'sqlite:absent.db' } }]],
        ];
        for (const [outcome, args] of silent) {
          expect([args, outcomeOf(await fieldseal('--json', ...args))]).toEqual([args, outcome]);
        }
        expect(await rows()).toEqual(written);
      }),
  );

  test(
    'a key that is still needed is not destroyed, and the log says that it was asked for',
    { timeout: 120_000 },
    () =>
      on(async ({ fieldseal }) => {
        for (const args of [['encrypt'], ['rotate'], ['verify'], ['keyring', 'disable', 'v1', '--no-process-has-it']]) {
          expect([args, (await fieldseal(...args)).exitCode]).toEqual([args, 0]);
        }
        expect(outcomeOf(await fieldseal('keyring', 'destroy', 'v1', '--json'))).toBe('2 ERR_KEY_NEEDED');
        const { stdout } = await fieldseal('audit', 'export');
        const [newest = ''] = stdout.split('\n');
        expect(JSON.parse(newest)).toMatchObject({
          action: 'command_refused',
          details: { code: 'ERR_KEY_NEEDED', command: 'keyring destroy' },
        });
      }),
  );

  test('a row that cannot be written changes nothing of what the command says', { timeout: 60_000 }, () =>
    on(async ({ fieldseal, sql }) => {
      await fieldseal('encrypt');
      const { exitCode, stdout, stderr } = await fieldseal('pause', '9');
      await sql('ALTER TABLE {t}audit_logs RENAME COLUMN action TO act');
      expect(await fieldseal('pause', '9')).toMatchObject({ exitCode, stdout, stderr });
      expect([exitCode, stdout, stderr]).toEqual([
        2,
        '',
        'fieldseal: There is no run 9; `fieldseal status` lists them. [ERR_RUN_NOT_FOUND]\n',
      ]);
    }),
  );
});

test('a database without our log gets none, and the log of the Python original no row', () =>
  withProject(OPTIONS, async (project) => {
    const refuse = async () => {
      const before = await project.databaseFiles();
      expect(outcomeOf(await project.fieldseal('pause', '1', '--json'))).toBe('2 ERR_RUN_NOT_FOUND');
      expect(await project.databaseFiles()).toEqual(before);
    };
    await refuse();
    const original = new Database(project.file);
    original.exec(`
      CREATE TABLE audit_logs (id INTEGER PRIMARY KEY, user_id INTEGER, action VARCHAR(100) NOT NULL, resource_type VARCHAR(50),
        resource_id INTEGER, ip_address VARCHAR(45), status VARCHAR(20), timestamp DATETIME, details JSON, request_id TEXT, user_agent TEXT);
      INSERT INTO audit_logs (action, status, timestamp) VALUES ('api_key_created', 'success', '2026-02-26 10:00:00.000000')`);
    original.close();
    await refuse();
  }));

test('the commands that leave no row are there', async () => {
  await withProject({ sql: null, config: null }, async ({ fieldseal }) => {
    const usages = await Promise.all(CHANGE_NOTHING.map((name) => fieldseal(...name.split(' '), '--help')));
    expect(usages.map(({ stdout }) => /^Usage: fieldseal ([a-z -]+)(?: \[| <|\n)/.exec(stdout)?.[1])).toEqual(
      CHANGE_NOTHING,
    );
  });
});
