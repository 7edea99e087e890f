import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { JsonLine } from '../test/with-project.ts';
import { CONFIG, type People, PLACES, peopleSql, withPeople } from './people.ts';
import { randomOf } from './seed.ts';
import { logRound } from './series.ts';

/** Three ranges a table. */
const ROWS = 110_000;
const ROUNDS = 8;
const [, [, onPostgres]] = PLACES;

async function completed(people: People): Promise<JsonLine> {
  for (;;) {
    const [run] = await people.ask(
      "SELECT report FROM OWN.encryption_key_rotations WHERE kind = 'rotate' ORDER BY id DESC LIMIT 1",
    );
    if (run?.['report']) return JSON.parse(String(run['report']));
    await setTimeout(100);
  }
}

it('workers on PostgreSQL are killed one after another beside a writer, and others go on', () =>
  onPostgres({ sql: peopleSql(ROWS), config: CONFIG }, (project, env) =>
    withPeople(project, env, ROWS, async (people) => {
      const random = randomOf('workers');
      const first = people.rotate(null);
      await first.progressed();
      const workers = [people.worker(), people.worker(), first.child];
      const cursors = new Set<string>();
      for (let round = 1; round <= ROUNDS; round++) {
        await setTimeout(300 + random() * 1_500);
        const victim = workers.splice(Math.floor(random() * workers.length), 1)[0];
        victim?.kill('SIGKILL');
        const met = await people.checkpoint();
        logRound('workers', round, 'SIGKILL of a worker', met);
        if (met?.status === 'in_progress' && met.rotated > 0) cursors.add(`${met.run} ${met.pass} ${met.rotated}`);
        if (met?.status === 'completed') {
          people.assertCounted(await completed(people));
          workers.push(people.rotate(null).child);
        } else workers.push(people.worker());
      }
      expect(cursors.size).toBeGreaterThanOrEqual(2);
      workers.push(people.worker());
      const report = await completed(people);
      people.assertCounted(report);
      for (const worker of workers) worker.kill('SIGTERM');
      await people.assertWhole(report.newKeyVersion, await people.writer.stop());
    }),
  ));

it('a worker that was killed, and of which nobody can know, is replaced within 20 seconds', () =>
  onPostgres({ sql: peopleSql(ROWS), config: CONFIG }, (project, env) =>
    withPeople(project, env, ROWS, async (people) => {
      const killed = people.rotate(null);
      await killed.progressed();
      await killed.kill();
      const sinceMs = performance.now();
      // As if it had been on another machine: only its leases tell.
      for (const table of ['encryption_key_rotations', 'sweep_ranges']) {
        await people.ask(`UPDATE OWN.${table} SET owner = 'elsewhere-' || owner WHERE owner IS NOT NULL`);
      }
      const worker = people.worker();
      const lost = "SELECT FROM OWN.sweep_ranges WHERE owner LIKE 'elsewhere-%'";
      while ((await people.ask(lost)).length > 0) await setTimeout(50);
      const tookMs = performance.now() - sinceMs;
      logRound('replaced worker', 1, `replaced after ${(tookMs / 1000).toFixed(1)} s`, await people.checkpoint());
      // A lease of 15 s and a look each second; the rest is room for a slow machine.
      expect(tookMs).toBeLessThan(20_000);
      people.assertCounted(await completed(people));
      worker.kill('SIGTERM');
      expect(await once(worker, 'exit')).toEqual([0, null]);
    }),
  ));
