/**
 * What a sweep costs beside other ways to rewrite a column: `npm run bench:sweep`. The ways take turns, so that whatever
 * slows the machine slows each; a ratio is the median of those of each turn, and to be believed sooner than the rates.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine } from '../machine.ts';
import { writeSection } from '../section.ts';
import { Ours, type Sweep } from './ours.ts';
import { PostgresBench } from './postgres.ts';
import { SqliteBench } from './sqlite.ts';

const HELP = `npm run bench:sweep -- [options]
  --rows N       rows of the table, one token of 184 bytes each (500000)
  --pairs N      turns of each way (5)
  --sample N     rows of the row-by-row way, whose rate is taken for the whole (2000)
  --only NAME    postgres or sqlite
  --write        renews the section of docs/benchmarks.md
  --memory       instead: the peak memory of our process for N rows and for 10 N`;

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '500000' },
    pairs: { type: 'string', default: '5' },
    sample: { type: 'string', default: '2000' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
    memory: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const [ROWS, PAIRS, SAMPLE] = [options.rows, options.pairs, options.sample].map(Number) as [number, number, number];

const NODE_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldseal-bench-'));
  try {
    // The project's configuration imports the packages.
    await symlink(NODE_MODULES, join(folder, 'node_modules'));
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function newKey(): string {
  return `${randomBytes(32).toString('base64url')}=`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
}

const WAYS = {
  rewrite: '(a) one statement that rewrites the column',
  inside: '(b) pgcrypto inside the database',
  rowByRow: '(c) row by row',
  ours: '(d) fieldseal rotate, the pass that writes',
  whole: '    the whole command, with its verifying pass',
} as const;
type Rates = Partial<Record<keyof typeof WAYS, number>>;

/** The tables as Markdown. */
const tables: string[] = [];

/** The same as {@link print} shows on the terminal. */
function addTable(title: string, rows: readonly (readonly string[])[]): void {
  const head = [title, 'rows/s', 'of (a)', '(d) is'];
  const lines = [head, ['---', '---:', '---:', '---:'], ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  tables.push(lines.join('\n'));
}

function section(): string {
  const date = new Date().toISOString().slice(0, 10);
  return `## Sweeps

A table of ${ROWS.toLocaleString('en-US')} rows with one column of 184-byte tokens, rewritten in four ways that take turns; medians of ${PAIRS} turns. \`npm run
bench:sweep -- --write\` wrote this on ${date}: ${describeMachine()}, Node ${process.versions.node}. What it means is in
[sweeps.md](sweeps.md).

${tables.join('\n\n')}
`;
}

function print(title: string, turns: readonly Rates[]): void {
  const rows: string[][] = [];
  console.log(`\n${title}\n${'rows/s'.padStart(60)}${'of (a)'.padStart(10)}${'(d) is'.padStart(12)}`);
  for (const way of Object.keys(WAYS) as (keyof typeof WAYS)[]) {
    if (turns.some((turn) => turn[way] === undefined)) continue;
    const of = (turn: Rates, name: keyof typeof WAYS) => turn[name] as number;
    const rate = Math.round(median(turns.map((turn) => of(turn, way)))).toLocaleString('en-US');
    const share = median(turns.map((turn) => of(turn, way) / of(turn, 'rewrite'))).toFixed(3);
    const times = median(turns.map((turn) => of(turn, 'ours') / of(turn, way)));
    const told = way === 'ours' || way === 'whole' ? '' : `${times.toFixed(times < 10 ? 2 : 0)} times`;
    console.log(`${WAYS[way].padEnd(50)}${rate.padStart(10)}${share.padStart(10)}${told.padStart(12)}`);
    rows.push([WAYS[way].trim(), rate, share, told]);
  }
  addTable(title, rows);
}

function ratesOf({ rowsPerSecond, seconds }: Sweep): Rates {
  return { ours: rowsPerSecond, whole: ROWS / seconds };
}

async function withPostgres<T>(rows: number, work: (bench: PostgresBench, ours: Ours) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => {
    const bench = await PostgresBench.start(rows);
    try {
      const ours = await Ours.open(folder, bench.url, newKey());
      await ours.sweep('encrypt');
      await bench.vacuum();
      return await work(bench, ours);
    } finally {
      await bench.close();
    }
  });
}

async function benchPostgres(): Promise<void> {
  await withPostgres(ROWS, async (bench, ours) => {
    const turns: Rates[] = [];
    // The first turn warms up: both tables then have the room that an update in place wants.
    for (let turn = 0; turn <= PAIRS; turn++) {
      const rewrite = await bench.rewrite();
      await bench.vacuum();
      const swept = await ours.sweep('rotate');
      await bench.vacuum();
      const inside = await bench.insideDatabase();
      await bench.vacuum();
      const rowByRow = await bench.rowByRow(SAMPLE);
      await bench.vacuum();
      if (turn > 0) turns.push({ rewrite, inside, rowByRow, ...ratesOf(swept) });
    }
    print(`PostgreSQL; (c) from ${SAMPLE} rows`, turns);
  });
}

async function withSqlite<T>(rows: number, work: (bench: SqliteBench, ours: Ours) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => {
    const file = join(folder, 'app.db');
    const bench = new SqliteBench(file, rows, newKey());
    try {
      const ours = await Ours.open(folder, `sqlite:${file}`, newKey());
      await ours.sweep('encrypt');
      return await work(bench, ours);
    } finally {
      bench.close();
    }
  });
}

async function benchSqlite(): Promise<void> {
  await withSqlite(ROWS, async (bench, ours) => {
    const turns: Rates[] = [];
    for (let turn = 0; turn <= PAIRS; turn++) {
      const rewrite = bench.rewrite();
      const swept = await ours.sweep('rotate');
      if (turn > 0) turns.push({ rewrite, ...ratesOf(swept) });
    }
    print('SQLite', turns);
  });
}

/** The database is one in a folder for each size. */
async function benchMemory(): Promise<void> {
  const peaks = new Map<string, number[]>();
  for (const rows of [ROWS, 10 * ROWS]) {
    const measure = async (name: string, ours: Ours) => {
      const { peakMiB } = await ours.sweep('rotate');
      if (peakMiB === null) throw new Error('This system does not tell how much memory a process has.');
      peaks.set(name, [...(peaks.get(name) ?? []), peakMiB]);
    };
    if (options.only !== 'sqlite') await withPostgres(rows, (_, ours) => measure('PostgreSQL', ours));
    if (options.only !== 'postgres') await withSqlite(rows, (_, ours) => measure('SQLite', ours));
  }
  for (const [name, [one = 0, ten = 0]] of peaks) {
    console.log(
      `${name}: ${one.toFixed(0)} MiB for ${ROWS} rows, ${ten.toFixed(0)} MiB for ${10 * ROWS}: ${(ten / one).toFixed(2)} times`,
    );
  }
}

if (options.help) console.log(HELP);
else {
  console.log(`${cpus()[0]?.model} × ${cpus().length}, Node ${process.version}; ${ROWS} rows, ${PAIRS} turns`);
  if (options.memory) await benchMemory();
  else {
    if (options.only !== 'sqlite') await benchPostgres();
    if (options.only !== 'postgres') await benchSqlite();
    if (options.write) writeSection('sweep', section());
  }
}
