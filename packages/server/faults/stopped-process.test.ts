import { setTimeout } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { expect, it } from 'vitest';
import { CONFIG, type People, PLACES, peopleSql, withPeople } from './people.ts';
import type { Rotation } from './rotation.ts';
import { randomOf } from './seed.ts';
import { logRound } from './series.ts';

const ROWS = 8_000;
const ROUNDS = 2;
const STOPPING_MS = 200;

/** Whether somebody holds a lock on the file, and not just for a moment. */
function isLocked(file: string): boolean {
  const db = new Database(file, { timeout: 2_000 });
  try {
    db.exec('BEGIN EXCLUSIVE; ROLLBACK');
    return false;
  } catch {
    return true;
  } finally {
    db.close();
  }
}

/** Stops it at a random moment; on SQLite at another one, where it would take the file's lock along. */
async function stop(rotation: Rotation, { project }: People, random: () => number, isSqlite: boolean): Promise<void> {
  for (;;) {
    await setTimeout(random() * 300);
    rotation.child.kill('SIGSTOP');
    // Until it has stopped, which takes a moment where every processor is busy, it may still take the lock.
    await setTimeout(STOPPING_MS);
    if (!isSqlite || !isLocked(project.file)) return;
    rotation.child.kill('SIGCONT');
  }
}

it.concurrent.each(PLACES)(
  'a process on %s that stood still for longer than its lease writes nothing afterwards',
  (place, on) => {
    const name = `${place}, stopped process`;
    return on({ sql: peopleSql(ROWS), config: CONFIG }, (project, env) =>
      withPeople(project, env, ROWS, async (people) => {
        const random = randomOf(name);
        for (let round = 1; ; round++) {
          const rotation = people.rotate(2_000);
          await rotation.progressed();
          await stop(rotation, people, random, place === 'SQLite');
          const met = await people.checkpoint();
          logRound(name, round, 'SIGSTOP', met);
          expect(met?.status).toBe('in_progress');
          await people.leaseIsOver();
          // It wakes up behind a successor that is done, and beside one that still is at work.
          const isDone = round % 2 === 1;
          const successor = people.rotate(isDone ? null : 2_000);
          await (isDone ? successor.ended : successor.progressed());
          await people.writer.pause();
          const before = isDone && (await people.everything());
          rotation.child.kill('SIGCONT');
          expect(await rotation.ended).toMatchObject({ exitCode: 3, last: { code: 'ERR_RUN_LOST' } });
          if (isDone) expect(await people.everything()).toEqual(before);
          else expect(successor.hasEnded).toBe(false);
          people.writer.resume();
          const { exitCode, last } = await successor.ended;
          expect([exitCode, last.run]).toEqual([0, met?.run]);
          people.assertCounted(last);
          if (round === ROUNDS) return people.assertWhole(last.newKeyVersion, await people.writer.stop());
        }
      }),
    );
  },
);
