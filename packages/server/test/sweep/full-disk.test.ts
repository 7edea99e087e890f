/** A disk that fills up under a sweep: a tmpfs, which only root can mount. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { databaseProvider, EncryptionService, openKeyring } from 'fieldseal';
import { expect, it } from 'vitest';
import { withProject } from '../with-project.js';
import { CUSTOMERS_CONFIG, customersSql } from './customers.js';
import { rangesOfNewest, rotatedIn } from './ranges-of.js';

const ROWS = 12_000; // Less than 1 MB of plaintext, and more than 2 MB of tokens.
const RECORDS = ROWS + (ROWS * 9) / 10;

it('a sweep of SQLite on a full disk stops where it is, and goes on when there is room', (context) =>
  withProject({ sql: null, config: CUSTOMERS_CONFIG }, async (project) => {
    const disk = join(project.folder, 'disk');
    mkdirSync(disk);
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]);
    if (status !== 0) return context.skip('no tmpfs can be mounted here: that takes root and its privileges');
    try {
      const file = join(disk, 'app.db');
      const read = <T>(use: (db: Database.Database) => T): T => {
        const db = new Database(file);
        try {
          return use(db);
        } finally {
          db.close();
        }
      };
      read((db) => db.exec(customersSql(ROWS)));
      const env = { DATABASE_URL: 'sqlite:disk/app.db' };
      const full = await project.fieldseal('encrypt', '--json', { env });
      expect([full.exitCode, full.last]).toEqual([
        3,
        {
          type: 'error',
          code: 'ERR_DATABASE_FAILED',
          message: 'The database disk/app.db has no room left on its disk (SQLITE_FULL).',
        },
      ]);
      const before = read((db) => rotatedIn(db.prepare(rangesOfNewest('')).all() as { counts: string }[]));
      const tokens = read((db) =>
        db.prepare("SELECT count(*) + count(email) FROM customers WHERE phone LIKE 'gAAAA%'").pluck().get(),
      );
      expect(before).toBeGreaterThan(0);
      expect(before).toBe(tokens);

      execFileSync('mount', ['-o', 'remount,size=16m', disk]);
      const { exitCode, last } = await project.fieldseal('encrypt', '--json', { env });
      expect([exitCode, last]).toMatchObject([
        0,
        {
          ...{ run: 1, status: 'completed', left: 0 },
          counts: { total: RECORDS, rotated: RECORDS, current: 0, skipped: 0, failed: 0 },
        },
      ]);
      const query = (sql: string, parameters: readonly unknown[]) =>
        read((db) => db.prepare<unknown[], Record<string, unknown>>(sql).all(...parameters));
      const keyring = await openKeyring(databaseProvider({ dialect: 'sqlite', query, rootKey: project.key }));
      const service = new EncryptionService(keyring);
      const stored = query('SELECT id, phone, email FROM customers', []);
      expect(stored).toHaveLength(ROWS);
      for (const { id, phone, email } of stored) {
        expect(service.decryptField(phone as string)).toBe(`+82-10-${id}`);
        expect(service.decryptField(email as string | null) === null).toBe(Number(id) % 10 === 0);
      }
      await keyring.close();
    } finally {
      execFileSync('umount', [disk]);
    }
  }));
