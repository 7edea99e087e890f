/** Going on with a run under another declaration than it was begun under. */
import { expect, it } from 'vitest';
import { sweepTables } from '../../src/usecases/sweep-tables.js';
import { rejectionOf } from '../refusal.js';
import { configText, withProject } from '../with-project.js';
import { dependenciesOf } from './dependencies-of.js';

const OPTIONS = { dryRun: false, maxRowsPerSecond: null, allowTriggers: false };
const COLUMN = "encryptedString({ alsoReads: ['plaintext'] })";
const config = (...columns: string[]) =>
  configText(`users: { primaryKey: 'id', columns: { ${columns.map((name) => `${name}: ${COLUMN}`).join(', ')} } }`);

it('a run that goes on under another declaration begins anew, and misses nothing', () =>
  withProject(
    {
      sql: `CREATE TABLE users (id INTEGER PRIMARY KEY, phone TEXT, fax TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
        INSERT INTO users SELECT i, 'phone ' || i, 'fax ' || i FROM n`,
      config: config('phone'),
    },
    async (project) => {
      const stop = new AbortController();
      const deps = dependenciesOf(project);
      // Stopped in the pass that verifies, when everything declared so far has been encrypted.
      const stopping = {
        ...deps,
        stop: stop.signal,
        notify: (notice: Parameters<typeof deps.notify>[0]) => {
          if (notice.type === 'progress' && notice.pass === 2 && notice.done > 0) stop.abort();
        },
      };
      expect((await rejectionOf(() => sweepTables(stopping, 'encrypt', OPTIONS))).code).toBe('ERR_RUN_STOPPED');
      await project.write('fieldseal.config.ts', config('phone', 'fax'));
      const report = await sweepTables(dependenciesOf(project), 'encrypt', OPTIONS);
      expect(report).toMatchObject({
        run: 1,
        status: 'completed',
        left: 0,
        counts: { total: 2400, rotated: 1200, current: 1200 },
      });
      const plain = project.db((db) => db.prepare("SELECT count(*) FROM users WHERE fax LIKE 'fax%'").pluck().get());
      expect(plain).toBe(0);
      const audit = project.db((db) =>
        db.prepare("SELECT action FROM audit_logs WHERE resource_type = 'sweep_run' ORDER BY id").pluck().all(),
      );
      expect(audit).toEqual([
        'encrypt_started',
        'encrypt_paused',
        'encrypt_resumed',
        'encrypt_restarted',
        'encrypt_completed',
      ]);
    },
  ));
