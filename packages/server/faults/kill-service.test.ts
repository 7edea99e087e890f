import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { finishedRotation } from '../test/http/rotation.ts';
import { withService } from '../test/http/with-service.ts';
import { CONFIG, PLACES, peopleSql, withPeople } from './people.ts';
import { randomOf } from './seed.ts';
import { logRound } from './series.ts';

const ROWS = 50_000;
const ROUNDS = 4;

it.each(PLACES)(
  'a service that rotates on %s beside a writer is killed again and again, and goes on by itself',
  (place, on) => {
    const name = `${place}, service`;
    return withService(on, { sql: peopleSql(ROWS), config: CONFIG }, (service) =>
      withPeople(service.project, service.env, ROWS, async (people) => {
        const random = randomOf(name);
        const token = await service.token('root', '--admin');
        const { body } = await service.request('POST', '/api/encryption/rotate', { token, body: {} });
        const cursors = new Set<string>();
        for (let round = 1; round <= ROUNDS; round++) {
          const before = await people.checkpoint();
          let now = before;
          for (; now?.rotated === before?.rotated && now?.status !== 'completed'; now = await people.checkpoint()) {
            await setTimeout(5);
          }
          if (now?.status === 'completed') break;
          await setTimeout(random() * 150);
          await service.end('SIGKILL');
          const met = await people.checkpoint();
          logRound(name, round, 'SIGKILL of the service', met);
          if (met?.status === 'in_progress' && met.rotated > 0) cursors.add(`${met.pass} ${met.table} ${met.cursor}`);
          await service.restart();
        }
        expect(cursors.size).toBeGreaterThanOrEqual(2);
        const answer = await finishedRotation(service, body.rotation_id, token);
        const { last } = await people.command('status', String(body.rotation_id));
        people.assertCounted(last.run.report);
        expect([answer.rotation_status, answer.failed_records]).toEqual(['completed', 0]);
        expect(answer.total_records).toBe(last.run.report.counts.total);
        await people.assertWhole(last.run.report.newKeyVersion, await people.writer.stop());
      }),
    );
  },
);
