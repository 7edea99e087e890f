import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { databaseProvider, EncryptionService, type Keyring, openKeyring } from 'fieldseal';
import { expect, test } from 'vitest';
import { CUSTOMERS_CONFIG, customersSql } from '../test/sweep/customers.ts';
import { rangesOfNewest, rotatedIn } from '../test/sweep/ranges-of.ts';
import { type Project, withProject } from '../test/with-project.ts';

const ROWS = 16_000;
const RECORDS = ROWS + (ROWS * 9) / 10;
const KILLS = 10;
/** That many kills at least have to hit the middle of the sweep, at different checkpoints. */
const PARTIAL_CHECKPOINTS = 4;

/** A small generator of its own, so that a failing series can be run again by its seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What the killed process left behind: the run's row, and the range of the pass that it was in. */
function checkpoint(project: Project) {
  return project.db((db) => {
    const run = db
      .prepare('SELECT id, rotation_status AS status, pass FROM encryption_key_rotations WHERE kind = ?')
      .get('rotate');
    const rotated = rotatedIn(db.prepare(rangesOfNewest('')).all() as { counts: string }[]);
    const ranges = db
      .prepare("SELECT pass, cursor, state FROM sweep_ranges WHERE table_name = 'customers' ORDER BY id DESC LIMIT 1")
      .get();
    return {
      ...(run as { status: string } | undefined),
      rotated,
      range: ranges as { cursor: string | null } | undefined,
    };
  });
}

/** Starts the rotation and kills it: at a random moment of its start, or a random while after its first progress. */
async function killRotation(project: Project, random: () => number, afterProgress: boolean): Promise<void> {
  // The throttle only gives the kills time to hit; the checkpoints are those of full speed.
  const child = project.spawn('rotate', '--json', '--max-rows-per-second', '2000');
  const ended = once(child, 'exit');
  if (afterProgress) {
    for await (const text of child.stdout as AsyncIterable<Buffer>) if (text.includes('"progress"')) break;
    await setTimeout(random() * 150);
  } else await setTimeout(random() * 900);
  child.kill('SIGKILL');
  await ended;
}

async function openRing(project: Project): Promise<Keyring> {
  const query = (sql: string, params: readonly (string | number)[]) =>
    project.db((db) => db.prepare(sql).all(...params) as Record<string, unknown>[]);
  return openKeyring(databaseProvider({ dialect: 'sqlite', query, rootKey: project.key }));
}

test('a rotation killed with SIGKILL ten times ends with every row readable and counted once', {
  timeout: 120_000,
}, async () => {
  await withProject({ sql: customersSql(ROWS), config: CUSTOMERS_CONFIG }, async (project) => {
    expect((await project.fieldseal('encrypt')).exitCode).toBe(0);
    const seed = Date.now() >>> 0;
    const random = randomFrom(seed);
    const partial = new Set<string>();
    for (let round = 1; round <= KILLS; round++) {
      await killRotation(project, random, round % 3 !== 0);
      const met = checkpoint(project);
      if (met.range?.cursor && met.rotated !== RECORDS) partial.add(met.range.cursor);
      console.log(`seed ${seed}, round ${round}: ${JSON.stringify(met)}`);
    }
    expect(partial.size).toBeGreaterThanOrEqual(PARTIAL_CHECKPOINTS);

    const { exitCode, last } = await project.fieldseal('rotate', '--json');
    expect(exitCode).toBe(0);
    expect(last).toMatchObject({
      status: 'completed',
      oldKeyVersion: 'v1',
      newKeyVersion: 'v2',
      counts: { total: RECORDS, rotated: RECORDS, current: 0, skipped: 0, failed: 0 },
      columns: [
        { column: 'phone', total: ROWS, rotated: ROWS, held: { v2: ROWS } },
        { column: 'email', total: RECORDS - ROWS, rotated: RECORDS - ROWS, held: { v2: RECORDS - ROWS } },
      ],
    });

    const keyring = await openRing(project);
    const service = new EncryptionService(keyring);
    const rows = project.db((db) => db.prepare('SELECT id, phone, email FROM customers ORDER BY id').all()) as {
      id: number;
      phone: string;
      email: string | null;
    }[];
    expect(rows).toHaveLength(ROWS);
    for (const { id, phone, email } of rows) {
      expect(service.decryptField(phone)).toBe(`+82-10-${id}`);
      expect(service.decryptField(email)).toBe(id % 10 === 0 ? null : `user${id}@example.com`);
    }
    await keyring.close();
  });
});
