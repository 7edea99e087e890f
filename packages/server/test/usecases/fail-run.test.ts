/** Ending a run that nobody drives as failed. */
import { expect, it } from 'vitest';
import { failUndrivenRun } from '../../src/usecases/fail-run.js';
import { getRun } from '../../src/usecases/list-runs.js';
import { sweepTables } from '../../src/usecases/sweep-tables.js';
import { rejectionOf } from '../refusal.js';
import { withProject } from '../with-project.js';
import { dependenciesOf } from './dependencies-of.js';
import { REALLY } from './with-rotated.js';

it('a run that nobody drives is failed with its reason, and is in nobody’s way; one that is driven, or over, stays', () =>
  withProject(async (project) => {
    const deps = dependenciesOf(project);
    await sweepTables(deps, 'encrypt', REALLY);
    const over = await rejectionOf(() => failUndrivenRun(deps, 1, null));
    expect(over).toEqual({ code: 'ERR_RUN_NOT_FOUND', message: 'Run 1 is over; `fieldseal status` lists the others.' });
    project.db((db) =>
      db.exec(`INSERT INTO encryption_key_rotations (kind, rotation_status, initiated_by, owner, lease_until)
        VALUES ('encrypt', 'in_progress', 'cli', 'elsewhere', (unixepoch('now') + 60) * 1000)`),
    );
    expect(await rejectionOf(() => failUndrivenRun(deps, 2, null))).toEqual({
      code: 'ERR_RUN_DRIVEN',
      message: 'Run 2 is driven by a process; pause it first.',
    });
    expect((await getRun(deps, 2)).status).toBe('in_progress');

    const gone = { ...deps, driver: { owner: 'test', isGone: () => true } };
    expect((await getRun(gone, 2)).waitsBecause).toBe('The process that drove it is gone.');
    await failUndrivenRun(gone, 2, 'its disk was lost');
    expect(await getRun(deps, 2)).toMatchObject({
      status: 'failed',
      errorDetails: 'its disk was lost',
      waitsBecause: null,
    });
    const audit = project.db((db) =>
      db.prepare("SELECT status, details FROM audit_logs WHERE action = 'run_failed'").raw().all(),
    );
    expect(audit).toEqual([['success', '{"reason":"its disk was lost"}']]);
    expect((await sweepTables(deps, 'encrypt', REALLY)).run).toBe(3);
  }));
