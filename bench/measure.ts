/** Measures in the Node that runs it, and sends the {@link Run} to the process that started it; see main.ts. */
import { parseArgs } from 'node:util';
import { Fernet } from 'fieldseal';
import { VERBS } from './contestant.ts';
import { assertInteroperable, contestants } from './contestants.ts';
import { sqliteDriver } from './npm-folder.ts';
import { measurePage } from './page.ts';
import { measureParallel } from './parallel.ts';
import { measureParts } from './parts.ts';
import { fieldGroup, PAGE, PARALLEL, PARTS, type Run } from './run.ts';
import { takeTurns } from './turns.ts';

const TURN_MS = 150;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
});
const rounds = Number(values.rounds);
const sizes = positionals.map(Number);
const rules = { rounds, turnMs: TURN_MS, warmUp: 300 };
const progress = (what: string) => console.error(`  Node ${process.version}: ${what}`);

const times: Record<string, Record<string, number>> = {};
const { all, leftOut } = await contestants(Fernet.generateKey());
try {
  await assertInteroperable(all);
  for (const bytes of sizes) {
    progress(`${bytes} bytes`);
    for (const verb of VERBS) {
      const turns = all.map((one) => ({
        name: one.name,
        measure: (count: number) => one.measure(verb, bytes, count),
      }));
      times[fieldGroup(verb, bytes)] = await takeTurns(turns, { ...rules, warmUp: bytes > 1024 ? 16 : 300 });
    }
  }
} finally {
  for (const one of all) one.close?.();
}
progress('rows and parts');
times[PARTS] = await measureParts(Fernet.generateKey(), rules);
const driver = sqliteDriver();
if (driver) {
  progress('a read of 10,000 rows');
  // A read is a turn; more of them, since what counts is a difference.
  times[PAGE] = await measurePage(
    Fernet.generateKey(),
    { rounds: 2 * rounds - 1, turnMs: 0, warmUp: 1 },
    driver.Database,
  );
}
progress('workers');
times[PARALLEL] = await measureParallel(Fernet.generateKey(), rounds);
const run: Run = {
  node: process.version,
  nodeOpenssl: process.versions.openssl,
  sizes,
  rounds,
  contestants: Object.fromEntries(all.map(({ name, version }) => [name, version])),
  times,
  sqliteDriver: driver?.version ?? null,
  leftOut: [...leftOut, ...(driver ? [] : ['the read: npm could not bring better-sqlite3'])],
};
// The service's threads and the other programs end by themselves; nobody waits for them.
process.send?.(run, () => process.exit(0));
