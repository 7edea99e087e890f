import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { withPostgresProject } from '../with-postgres-database.ts';
import { type CommandResult, USERS_CONFIG, USERS_SQL, withProject } from '../with-project.ts';

interface Place {
  readonly folder: string;
  readonly key: string;
  /** The name of the table in reports. */
  readonly table: string;
  fieldseal(...args: string[]): Promise<CommandResult>;
  /** Runs one statement on the service's `api_keys`, whose name stands as `{t}`; rows as arrays. */
  keys(sql: string): Promise<unknown[][]>;
}

type WithPlace = (config: string | null, work: (place: Place) => Promise<void>) => Promise<void>;

const onSqlite: WithPlace = (config, work) =>
  withProject({ config }, (project) =>
    work({
      folder: project.folder,
      key: project.key,
      table: 'api_keys',
      fieldseal: (...args) => project.fieldseal(...args),
      keys: async (sql) =>
        project.db((db) => {
          const statement = db.prepare(sql.replace('{t}', 'api_keys'));
          if (statement.reader) return statement.raw().all() as unknown[][];
          statement.run();
          return [];
        }),
    }),
  );

const onPostgres: WithPlace = (config, work) =>
  withPostgresProject({ sql: USERS_SQL, config }, ({ project, fieldseal, rows }) =>
    work({
      folder: project.folder,
      key: project.key,
      table: 'fieldseal.api_keys',
      fieldseal,
      keys: (sql) => rows(sql.replace('{t}', 'fieldseal.api_keys')),
    }),
  );

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
] as const)('the encrypted column of API keys on %s', (_name, withPlace) => {
  /** A project whose store has two API keys, one of them with an encrypted copy. */
  const withKeys = (work: (place: Place & { token: string }) => Promise<void>) =>
    withPlace(USERS_CONFIG, async (place) => {
      expect((await place.fieldseal('encrypt')).exitCode).toBe(0);
      const token = new Fernet(place.key).encrypt('pk_abc123_secret');
      const insert = (name: string, copy: string) =>
        place.keys(
          `INSERT INTO {t} (user_id, name, prefix, encrypted_key, scopes, created_at) VALUES ('1', 'k', '${name}', ${copy}, '', '2026-02-26T10:00:00.000Z')`,
        );
      await insert('pk_abc123', `'${token}'`);
      await insert('pk_abc124', 'NULL');
      await work({ ...place, token });
    });
  const copies = async ({ keys }: Place) => (await keys('SELECT encrypted_key FROM {t} ORDER BY id')).flat();

  it('moves to the new key with every rotation, and is verified, undeclared', async () => {
    await withKeys(async (place) => {
      const { last } = await place.fieldseal('rotate', '--json');
      expect(last).toMatchObject({ status: 'completed', counts: { total: 3, rotated: 3 }, left: 0 });
      expect(last.columns.at(-1)).toMatchObject({
        table: place.table,
        column: 'encrypted_key',
        rotated: 1,
        held: { v2: 1 },
      });
      const [copy, none] = await copies(place);
      expect([copy === place.token, none]).toEqual([false, null]);
      const verified = (await place.fieldseal('verify', '--json')).last;
      expect(verified.columns.at(-1)).toMatchObject({ table: place.table, held: { v2: 1 } });
    });
  });

  it('is left alone by encrypt and decrypt', async () => {
    await withKeys(async (place) => {
      for (const command of ['encrypt', 'decrypt']) {
        const { last } = await place.fieldseal(command, '--json');
        expect(last.columns.map(({ column }: { column: string }) => column)).toEqual(['phone']);
      }
      expect(await copies(place)).toEqual([place.token, null]);
    });
  });

  it('holds no plaintext: what is none of our tokens is a failure, and stays as it is', async () => {
    await withKeys(async (place) => {
      await place.keys(`UPDATE {t} SET encrypted_key = 'plain' WHERE prefix = 'pk_abc124'`);
      const { exitCode, last } = await place.fieldseal('rotate', '--json');
      expect([exitCode, last.failures]).toEqual([
        1,
        [{ table: place.table, column: 'encrypted_key', reason: 'plaintext', count: 1 }],
      ]);
      expect((await copies(place))[1]).toBe('plain');
    });
  });

  it('is not named in a report while it has no records', async () => {
    await withPlace(USERS_CONFIG, async ({ fieldseal }) => {
      await fieldseal('encrypt');
      for (const command of ['rotate', 'verify']) {
        const { last } = await fieldseal(command, '--json');
        expect(last.columns.map(({ column }: { column: string }) => column)).toEqual(['phone']);
      }
    });
  });

  it('lets a project without a declaration rotate and verify, with a warning, but not encrypt or decrypt', async () => {
    await withKeys(async (place) => {
      await rm(join(place.folder, 'fieldseal.config.mjs'));
      for (const command of ['encrypt', 'decrypt']) {
        const { exitCode, last } = await place.fieldseal(command, '--json');
        expect([exitCode, last.code]).toEqual([2, 'ERR_CONFIG_NOT_FOUND']);
      }
      // A file that is asked for by its name has to be there.
      const named = await place.fieldseal('rotate', '--json', '--config', 'absent.ts');
      expect([named.exitCode, named.last.code]).toEqual([2, 'ERR_CONFIG_NOT_FOUND']);
      const rotated = await place.fieldseal('rotate', '--json');
      expect(rotated.last).toMatchObject({ status: 'completed', counts: { total: 1, rotated: 1 } });
      expect(rotated.stdout + rotated.stderr).toContain('only the columns of Fieldseal itself are swept');
      expect((await place.fieldseal('verify', '--json')).last).toMatchObject({ counts: { total: 1 } });
    });
  });

  it('needs a declaration where there is no API key table yet', async () => {
    await withPlace(null, async ({ fieldseal }) => {
      for (const command of ['rotate', 'verify']) {
        const { exitCode, last } = await fieldseal(command, '--json');
        expect([exitCode, last.code]).toEqual([2, 'ERR_CONFIG_NOT_FOUND']);
      }
    });
  });
});
