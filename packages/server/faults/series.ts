/** A series of faults: rotations that something happens to again and again, until one is let go to its end. */
import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Place } from '../test/http/with-service.ts';
import { type Checkpoint, CONFIG, type People, peopleSql, withPeople } from './people.ts';
import type { Rotation } from './rotation.ts';
import { randomOf, SEED } from './seed.ts';

/** A faulty database ends a command with one of these, and never with an error that nobody foresaw. */
const DATABASE_ERRORS = ['ERR_DATABASE_NOT_FOUND', 'ERR_DATABASE_FAILED', 'ERR_DATABASE_BUSY'];

export interface Series {
  readonly name: string;
  readonly rows: number;
  readonly rounds: number;
  readonly rowsPerSecond: number | null;
  /** The fault comes at most so long after a rotation's first progress, or the last fault that it outlived. */
  readonly longestMs: number;
  /** Returns what happened, in a word. */
  fault(rotation: Rotation, people: People, random: () => number): Promise<string>;
}

/** One line of the log; no values. */
export function logRound(series: string, round: number, what: string, met: Checkpoint | null): void {
  console.log(`${series}, seed ${SEED}, round ${round}: ${what} at ${JSON.stringify(met)}`);
}

/** Runs a series, then holds the tables against the writer's log. */
export function runSeries(place: Place, series: Series): Promise<void> {
  return place({ sql: peopleSql(series.rows), config: CONFIG }, (project, env) =>
    withPeople(project, env, series.rows, async (people) => {
      const partial = await strike(people, series);
      // Faults that hit nothing but the ends would show nothing.
      expect(partial).toBeGreaterThanOrEqual(series.rounds / 4);
      const { newKeyVersion } = await lastRotation(people);
      const written = await people.writer.stop();
      console.log(
        `${series.name}: ${written.last.size} rows written meanwhile, ${written.unanswered} without an answer`,
      );
      await people.assertWhole(newKeyVersion, written);
    }),
  );
}

/** Returns how many different checkpoints in the midst of a sweep were met. */
async function strike(people: People, { name, rounds, rowsPerSecond, longestMs, fault }: Series): Promise<number> {
  const random = randomOf(name);
  const partial = new Set<string>();
  let rotation: Rotation | null = null;
  for (let round = 1; round <= rounds; ) {
    const [isEarly, part] = [random() < 0.2, random()];
    rotation ??= people.rotate(rowsPerSecond);
    // Most faults wait until it is at work; one that it outlives at its start may not be followed by such alone.
    const isAtStart = !rotation.hasProgressed && isEarly;
    if (!rotation.hasProgressed && !isEarly) await rotation.progressed();
    await setTimeout(part * (isAtStart ? 600 : longestMs));
    if (rotation.hasEnded) {
      // It was over before anything could happen to it: no round.
      await assertEnd(people, rotation);
      rotation = null;
      continue;
    }
    const what = await fault(rotation, people, random);
    const met = await people.checkpoint();
    logRound(name, round, what, met);
    if (met?.status === 'in_progress' && met.rotated > 0)
      partial.add(`${met.run} ${met.pass} ${met.table} ${met.cursor}`);
    if (rotation.child.signalCode !== null) rotation = null;
    round++;
  }
  if (rotation) await assertEnd(people, rotation);
  return partial.size;
}

/** That a rotation that nobody killed ended well, or because of the database. */
async function assertEnd(people: People, rotation: Rotation): Promise<void> {
  const { exitCode, last } = await rotation.ended;
  if (exitCode === 0) people.assertCounted(last);
  else expect(DATABASE_ERRORS).toContain(last.code);
}

/** Goes on with what the faults left, or rotates once more where they left nothing. */
async function lastRotation(people: People) {
  const { exitCode, last } = await people.command('rotate');
  expect([exitCode, last]).toEqual([0, last]);
  people.assertCounted(last);
  return last;
}
