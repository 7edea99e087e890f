import { copyFile } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { getRun, listRuns } from '../../src/usecases/list-runs.js';
import { scanDatabase } from '../../src/usecases/scan-database.js';
import { sweepTables } from '../../src/usecases/sweep-tables.js';
import { rejectionOf } from '../refusal.js';
import { withProject } from '../with-project.js';
import { dependenciesOf } from './dependencies-of.js';

const REALLY = { dryRun: false, maxRowsPerSecond: null, allowTriggers: false };

describe('the status', () => {
  it('of a database without runs is empty, and leaves it as it is', async () => {
    await withProject(async (project) => {
      const before = await project.databaseFiles();
      expect(await listRuns(dependenciesOf(project))).toEqual([]);
      expect(await rejectionOf(() => getRun(dependenciesOf(project), 1))).toEqual({
        code: 'ERR_RUN_NOT_FOUND',
        message: 'There is no run 1; `fieldseal status` lists them.',
      });
      expect(await project.databaseFiles()).toEqual(before);
    });
  });

  it('lists the newest run first, and shows one with its report', async () => {
    await withProject(async (project) => {
      const deps = dependenciesOf(project);
      const report = await sweepTables(deps, 'encrypt', REALLY);
      await sweepTables(deps, 'verify', REALLY);
      expect((await listRuns(deps)).map(({ id, kind, status }) => [id, kind, status])).toEqual([
        [2, 'verify', 'completed'],
        [1, 'encrypt', 'completed'],
      ]);
      const { failures, ...run } = await getRun(deps, 1);
      expect(run).toMatchObject({ status: 'completed', progressPercent: 100, report, initiatedBy: 'cli' });
      expect(failures).toEqual([]);
      for (const secret of ['owner', 'fence', 'leased']) expect(run).not.toHaveProperty(secret);
    });
  });

  it('calls a run stalled whose driver is gone, or let its lease run out', async () => {
    await withProject(async (project) => {
      const deps = dependenciesOf(project);
      await sweepTables(deps, 'encrypt', REALLY);
      const driven = (lease: string) =>
        project.db((db) =>
          db.exec(`UPDATE encryption_key_rotations SET rotation_status = 'in_progress', completed_at = NULL,
            owner = 'somebody', lease_until = (unixepoch('now') ${lease}) * 1000`),
        );
      const statusWith = async (isGone: boolean) =>
        (await getRun({ ...deps, driver: { owner: 'me', isGone: () => isGone } }, 1)).status;
      driven('+ 60');
      expect([await statusWith(false), await statusWith(true)]).toEqual(['in_progress', 'stalled']);
      driven('- 1');
      expect(await statusWith(false)).toBe('stalled');
    });
  });

  it('is shown also after a process was killed in the middle of a transaction', async () => {
    const sql = `CREATE TABLE users (id INTEGER PRIMARY KEY, phone TEXT);
      WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
      INSERT INTO users SELECT i, hex(zeroblob(100)) FROM n`;
    await withProject({ sql }, async (project) => {
      const killed = `${project.file}-killed.db`;
      const db = new Database(project.file);
      try {
        // So small a cache has to write changed pages, with the journal to undo them, before the commit.
        db.pragma('cache_size = 5');
        db.exec("BEGIN IMMEDIATE; UPDATE users SET phone = 'lost' || phone");
        await copyFile(`${project.file}-journal`, `${killed}-journal`);
        await copyFile(project.file, killed);
        db.exec('ROLLBACK');
      } finally {
        db.close();
      }
      const deps = { ...dependenciesOf(project), target: { dialect: 'sqlite' as const, file: killed } };
      expect(await listRuns(deps)).toEqual([]);
      const { columns } = await scanDatabase(deps);
      expect(columns).toMatchObject([{ column: 'phone', held: { plaintext: 1000 } }]);
      const left = new Database(killed, { readonly: true });
      try {
        expect(left.prepare("SELECT count(*) FROM users WHERE phone LIKE 'lost%'").pluck().get()).toBe(0);
      } finally {
        left.close();
      }
    });
  });
});
