/** The contract of `databaseProvider` on SQLite, and what needs no database. */
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.js';
import { databaseProvider } from '../../src/providers/database.js';
import { refusalOf } from '../refusal.js';
import { databaseProviderContract } from './database-contract.js';
import { sqliteWith } from './provider-database.js';

const TABLES = `
  CREATE TABLE keyring_state (singleton INTEGER PRIMARY KEY, keyring_id TEXT, generation BIGINT, macs TEXT);
  CREATE TABLE encryption_keys (
    purpose TEXT, version TEXT, key_id BIGINT, state TEXT, created_at TEXT, wraps TEXT, PRIMARY KEY (purpose, version)
  );
  CREATE TABLE keyring_readers (process TEXT PRIMARY KEY, generation BIGINT, seen_at BIGINT);
`;

databaseProviderContract('SQLite', sqliteWith(TABLES));

describe('databaseProvider', () => {
  const rootKey = Secret.random(32);

  /** The statements that a provider of `options` asks for. */
  async function statementsOf(options: { dialect: 'sqlite' | 'postgres'; schema?: string }): Promise<string[]> {
    const statements: string[] = [];
    const query = (sql: string, params: readonly unknown[]) => {
      statements.push(sql);
      expect(params.length).toBe((sql.match(/\?|\$\d/g) ?? []).length);
      return [];
    };
    const provider = databaseProvider({ ...options, query, rootKey });
    await provider.load().catch(() => {});
    await provider.acknowledge?.(1);
    await provider.close?.();
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

  it('refuses a malformed root key at once, without repeating it', () => {
    const options = { dialect: 'sqlite', query: () => [] } as const;
    expect(refusalOf(() => databaseProvider({ ...options, rootKey: 'secret' }))).toEqual({
      code: 'ERR_KEY_MALFORMED',
      message:
        'A Fernet key is 32 bytes in base64url, 44 characters with the padding; make one with `fieldseal keygen`.',
    });
    expect(refusalOf(() => databaseProvider({ ...options, rootKey: Secret.random(16) }))).toEqual({
      code: 'ERR_KEY_MALFORMED',
      message: 'A root key has 32 bytes.',
    });
  });
});
