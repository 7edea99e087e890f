/** The contract of `databaseSubjects` on SQLite, and what needs no database. */
import { describe, expect, it } from 'vitest';
import { databaseSubjects } from '../../src/providers/database-subjects.js';
import { withSqlite } from '../with-sqlite.js';
import { sqliteWith } from './provider-database.js';
import { databaseSubjectsContract } from './subjects-contract.js';

const TABLES = `
  CREATE TABLE subject_keys (
    tenant TEXT NOT NULL DEFAULT '', subject TEXT NOT NULL, wrapped TEXT, created_at TEXT NOT NULL DEFAULT '2026', erased_at TEXT,
    PRIMARY KEY (tenant, subject)
  );
  CREATE TABLE subject_state (singleton INTEGER PRIMARY KEY, generation BIGINT NOT NULL, root_fingerprint TEXT NOT NULL);
`;

databaseSubjectsContract('SQLite', sqliteWith(TABLES));

describe('databaseSubjects', () => {
  /** The statements that a provider of `options` asks for. */
  async function statementsOf(options: { dialect: 'sqlite' | 'postgres'; schema?: string }): Promise<string[]> {
    const statements: string[] = [];
    const query = (sql: string, params: readonly unknown[]) => {
      statements.push(sql);
      expect(params.length).toBe((sql.match(/\?|\$\d/g) ?? []).length);
      return [];
    };
    const provider = databaseSubjects({ ...options, query, root: { read: () => [] } });
    const names = [
      { tenant: '', subject: '1', wrapped: 'a' },
      { tenant: '', subject: '2', wrapped: 'b' },
    ];
    await provider.load(names);
    await provider.insert(names, 'print');
    expect(statements.length).toBe(3);
    return statements;
  }

  it('looks on PostgreSQL in its schema, whatever that is called, and on SQLite under plain names', async () => {
    for (const sql of await statementsOf({ dialect: 'postgres' })) expect(sql).toContain('"fieldseal".');
    for (const sql of await statementsOf({ dialect: 'postgres', schema: 'my "own"' })) {
      expect(sql).toContain('"my ""own""".');
    }
    for (const sql of await statementsOf({ dialect: 'sqlite' })) expect(sql).not.toMatch(/["$]/);
  });

  it('finds subjects by their primary key', () =>
    withSqlite(async (database) => {
      database.exec(TABLES);
      const plans: string[] = [];
      const query = (sql: string, params: readonly (string | number)[]) => {
        const steps = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params) as { detail: string }[];
        plans.push(...steps.map(({ detail }) => detail));
        return [];
      };
      const name = (subject: string) => ({ tenant: '', subject });
      await databaseSubjects({ dialect: 'sqlite', query, root: { read: () => [] } }).load([name('1'), name('2')]);
      expect(plans.filter((plan) => /^SCAN k/.test(plan))).toEqual([]);
      expect(plans).toContainEqual(expect.stringMatching(/^SEARCH k .*\(tenant=\? AND subject=\?\)/));
    }));
});
