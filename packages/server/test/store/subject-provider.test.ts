/** The contract of the library's `databaseSubjects` over the tables that the store makes, and with the rights it needs. */
import Database from 'better-sqlite3';
import { databaseSubjects, openSubjectKeys, SubjectRoot } from 'fieldseal';
import pg from 'pg';
import { expect, test } from 'vitest';
import { databaseSubjectsContract } from '../../../fieldseal/test/providers/subjects-contract.ts';
import { openStore } from '../../src/store/open-store.js';
import { withPostgresProvider, withPostgresSchema } from '../postgres.ts';
import { withSqliteFile } from './sqlite-file.ts';

databaseSubjectsContract('a SQLite store', (work) =>
  withSqliteFile(async (file) => {
    await (await openStore({ dialect: 'sqlite', file })).close();
    const database = new Database(file);
    try {
      const query = (sql: string, params: readonly (string | number)[]) =>
        database.prepare(sql).all(...params) as Record<string, unknown>[];
      await work({ dialect: 'sqlite', query });
    } finally {
      database.close();
    }
  }),
);

databaseSubjectsContract('PostgreSQL', withPostgresProvider);

test('on PostgreSQL an application needs to read and insert, and to lock the state, which it cannot change', () =>
  withPostgresSchema(async ({ url, schema, client }) => {
    await (await openStore({ dialect: 'postgres', connectionString: url }, { schema })).close();
    await client.query(`create role ${schema} login password 'x'`);
    const limited = new pg.Client(Object.assign(new URL(url), { username: schema, password: 'x' }).href);
    try {
      await client.query(`grant usage on schema ${schema} to ${schema}`);
      await client.query(`grant select, insert on ${schema}.subject_keys, ${schema}.subject_state to ${schema}`);
      await client.query(`grant update (singleton) on ${schema}.subject_state to ${schema}`);
      await limited.connect();
      const query = async (sql: string, params: readonly (string | number)[]) =>
        (await limited.query(sql, [...params])).rows;
      const root = SubjectRoot.random();
      const keys = await openSubjectKeys(
        databaseSubjects({ dialect: 'postgres', query, schema, root: { read: () => [root] } }),
      );
      await keys.create([42]);
      expect(keys.get('', '42').subject).toBe('42');
      await keys.close();
      await expect(limited.query(`update ${schema}.subject_state set generation = 9`)).rejects.toThrow(/denied/);
    } finally {
      await limited.end();
      await client.query(`drop owned by ${schema}`);
      await client.query(`drop role ${schema}`);
    }
  }));
