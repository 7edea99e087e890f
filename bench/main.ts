/** The benchmark's command: measures in one Node or several, judges, and writes or checks what was measured before. */
import { fork } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Baseline, baselineOf, compare, describeFall } from './baseline.ts';
import { describeMachine } from './machine.ts';
import { nodeOf } from './npm-folder.ts';
import { markdownOf, plotOf, terminalText } from './report.ts';
import type { Run } from './run.ts';
import { judge } from './targets.ts';
import { HELP, parseTask, Refusal, type Task } from './task.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

async function measureIn(major: string, sizes: readonly number[], rounds: number): Promise<Run> {
  console.error(`Node ${major}:`);
  const node = nodeOf(major);
  if (!node) throw new Refusal(`npm could not bring Node ${major}`);
  const child = fork(at('measure.ts'), ['--rounds', String(rounds), ...sizes.map(String)], {
    execPath: node,
    execArgv: ['--import', import.meta.resolve('tsx')],
    // What was set for this Node's options may be unknown to that one.
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return new Promise((resolve, reject) => {
    let run: Run | null = null;
    child.once('message', (message) => {
      run = message as Run;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (run) resolve(run);
      else reject(new Refusal(`Node ${major} ended with exit code ${code} and measured nothing`));
    });
  });
}

function readBaseline(): Baseline {
  try {
    return JSON.parse(readFileSync(at('baseline.json'), 'utf8')) as Baseline;
  } catch (cause) {
    throw new Refusal('bench/baseline.json cannot be read; npm run bench -- --write makes it', { cause });
  }
}

/** @returns whether nothing fell */
async function check({ nodes, sizes, rounds }: Task): Promise<boolean> {
  const baseline = readBaseline();
  const unknown = nodes.filter((major) => !baseline.ratios[major]);
  if (unknown.length > 0) {
    const known = Object.keys(baseline.ratios).join(', ');
    throw new Refusal(`bench/baseline.json has no ratios of Node ${unknown.join(', ')}; it has ${known}`);
  }
  let isWell = true;
  for (const major of nodes) {
    const compared = () => measureIn(major, sizes, rounds).then((run) => compare(run, baseline));
    const first = await compared();
    for (const what of first?.missing ?? []) console.log(`not measured here: ${what}`);
    // What falls once may be the machine; what falls twice is us.
    const again = first && first.falls.length > 0 ? await compared() : null;
    const falls = again?.falls.filter(({ what }) => first?.falls.some((fall) => fall.what === what)) ?? [];
    for (const fall of falls) console.log(`FELL  Node ${major}, ${describeFall(fall)}`);
    if (falls.length === 0) console.log(`Node ${major}: no ratio fell more than 20% below the baseline`);
    isWell &&= falls.length === 0;
  }
  if (!isWell) console.log(`The baseline is of ${baseline.date}, on ${baseline.machine}.`);
  return isWell;
}

/** @returns whether all targets hold */
async function measure({ nodes, sizes, rounds, mode }: Task): Promise<boolean> {
  const runs: Run[] = [];
  for (const major of nodes) {
    const run = await measureIn(major, sizes, rounds);
    console.log(terminalText(run));
    runs.push(run);
  }
  if (mode === 'write') {
    const [machine, date] = [describeMachine(), new Date().toISOString().slice(0, 10)];
    writeFileSync(at('../docs/benchmarks.md'), markdownOf(runs, { machine, date }));
    writeFileSync(at('../docs/benchmarks.svg'), plotOf(runs));
    writeFileSync(at('baseline.json'), `${JSON.stringify(baselineOf(runs, machine, date), null, 2)}\n`);
    console.log('\nWrote docs/benchmarks.md, docs/benchmarks.svg and bench/baseline.json.');
  }
  return runs.every((run) => judge(run).every(({ holds }) => holds));
}

try {
  const task = parseTask(process.argv.slice(2), process.versions.node.split('.')[0] as string);
  if (task.mode === 'help') console.log(HELP);
  else process.exitCode = (await (task.mode === 'check' ? check(task) : measure(task))) ? 0 : 1;
} catch (error) {
  const isUsage = error instanceof TypeError && String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS');
  if (!(error instanceof Refusal) && !isUsage) console.error(error);
  else console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 2;
}
