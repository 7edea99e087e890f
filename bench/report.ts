/** The runs as people read them: docs/benchmarks.md, its plot, and the tables on the terminal. */
import { VERBS } from './contestant.ts';
import { barChart } from './plot.ts';
import { fieldGroup, majorOf, NPM_FERNET, OURS, PAGE, PARALLEL, PARTS, type Run, sizeText } from './run.ts';
import { sectionOf } from './section.ts';
import { type Judgement, judge, limitText, quantity, TARGETS } from './targets.ts';

/** When and where. */
export interface Circumstances {
  readonly machine: string;
  /** `2026-03-01` */
  readonly date: string;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** Microseconds: 0.57, 4.1, 151, 1,234. */
function microseconds(nanoseconds: number): string {
  const value = nanoseconds / 1000;
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(value < 10 ? 2 : 1);
}

function milliseconds(nanoseconds: number): string {
  return (nanoseconds / 1e6).toFixed(nanoseconds < 1e8 ? 1 : 0);
}

/** In the order of the tables, whoever took part in any run. */
function namesIn(runs: readonly Run[], group: string): string[] {
  return [...new Set(runs.flatMap(({ times }) => Object.keys(times[group] ?? {})))];
}

const nodeHeads = (runs: readonly Run[]) => runs.map((run) => `Node ${majorOf(run)}`);

function fieldTable(runs: readonly Run[], bytes: number): string {
  const names = [...new Set(runs.flatMap(({ contestants }) => Object.keys(contestants)))];
  const cell = ({ times }: Run, name: string) =>
    VERBS.map((verb) => times[fieldGroup(verb, bytes)]?.[name])
      .map((time) => (time === undefined ? '–' : microseconds(time)))
      .join(' / ');
  const rows = names.map((name) => [name, ...runs.map((run) => cell(run, name))]);
  return table(['µs to encrypt / decrypt / rotate', ...nodeHeads(runs)], rows);
}

function groupTable(runs: readonly Run[], group: string, head: string, show: (time: number) => string): string {
  const rows = namesIn(runs, group).map((name) => [
    name,
    ...runs.map(({ times }) => {
      const time = times[group]?.[name];
      return time === undefined ? '–' : show(time);
    }),
  ]);
  return table([head, ...nodeHeads(runs)], rows);
}

function verdict(judgement: Judgement | undefined): string {
  if (!judgement) return '–';
  const { target, value, holds } = judgement;
  return `${quantity(value, target.unit)} ${holds ? 'PASS' : '**FAIL**'}`;
}

function targetTable(runs: readonly Run[]): string {
  const judged = runs.map((run) => judge(run));
  const rows = TARGETS.map((target) => [
    target.what,
    limitText(target),
    ...judged.map((judgements) => verdict(judgements.find((one) => one.target === target))),
  ]);
  return table(['', 'target', ...nodeHeads(runs)], rows);
}

/** The plot of the last run, at 100 bytes or else the first size. @throws RangeError when there is no run */
export function plotOf(runs: readonly Run[]): string {
  const run = runs.at(-1);
  if (!run) throw new RangeError('a plot needs a run');
  const bytes = run.sizes.includes(100) ? 100 : (run.sizes[0] as number);
  const names = Object.keys(run.contestants);
  return barChart({
    title: `One value of ${sizeText(bytes)} on Node ${majorOf(run)}`,
    axis: 'Processor time in microseconds (less is better)',
    series: VERBS,
    bars: names.map((label) => ({
      label,
      values: VERBS.map((verb) => {
        const nanoseconds = run.times[fieldGroup(verb, bytes)]?.[label];
        return nanoseconds === undefined ? null : nanoseconds / 1000;
      }),
    })),
  });
}

function versions(runs: readonly Run[]): string {
  const nodes = runs.map(({ node, nodeOpenssl }) => `${node} (OpenSSL ${nodeOpenssl})`).join(', ');
  const [first] = runs;
  // Those named after the running Node are its own crypto; ours share one version.
  const others = Object.entries(first?.contestants ?? {}).flatMap(([name, version]) =>
    version.startsWith('v') ? [] : [`- ${name.startsWith(OURS) ? OURS : name}: ${version}`],
  );
  return [`- Node ${nodes}`, ...new Set(others)].join('\n');
}

function drivers(runs: readonly Run[]): string {
  return runs.map((run) => `${run.sqliteDriver ?? 'none'} on Node ${majorOf(run)}`).join(', ');
}

/** docs/benchmarks.md. */
export function markdownOf(runs: readonly Run[], { machine, date }: Circumstances): string {
  const sizes = [...new Set(runs.flatMap((run) => run.sizes))];
  const leftOut = [...new Set(runs.flatMap((run) => run.leftOut.map((why) => `- Node ${majorOf(run)}: ${why}`)))];
  return `# Benchmarks

What encryption costs, beside other ways to do it. \`npm run bench -- --write\` wrote this page, and nobody edits it by hand.
What follows from it for an application is in [performance.md](performance.md).

![Processor time of one value, by library](benchmarks.svg)

Measured on ${date}: ${machine}. Medians of ${runs[0]?.rounds ?? 0} rounds.
Times of another machine differ; ratios differ less.

${versions(runs)}
${leftOut.length > 0 ? `\nLeft out:\n\n${leftOut.join('\n')}\n` : ''}
## Targets

Each value is a ratio of times of one run, in which all take turns. \`PASS\` and \`FAIL\` are as measured.

${targetTable(runs)}

## One value

Microseconds of processor time. A dash stands where a library does not do that.

${sizes.map((bytes) => `### ${sizeText(bytes)}\n\n${fieldTable(runs, bytes)}`).join('\n\n')}

## A read of 10,000 rows with three encrypted columns

Through Drizzle and better-sqlite3 (${drivers(runs)}) on SQLite in memory, 100
characters a column. The first line is the read of a table that holds the plaintext;
what encryption adds to it includes that tokens are longer texts to read.

${groupTable(runs, PAGE, 'ms of processor time', milliseconds)}

## 100,000 values over worker threads

\`encryptFieldsAsync\` and \`decryptFieldsAsync\`, 100 characters each, on the clock.

${groupTable(runs, PARALLEL, 'ms', milliseconds)}

## Rows and parts

Values of 100 characters. Cold starts are on the clock, in a process of their own.

${groupTable(runs, PARTS, 'µs', microseconds)}

${sectionOf('sweep')}${sectionOf('http')}## What is measured, and what is not

- All contestants of a table take turns, 150 ms at a time, in one process; Python and C in their own, beside it. The
  first round is thrown away. Where a machine slows down, it slows all of them.
- Times are of the processor (user and system, all threads of the process), so that the collection of garbage counts, and
  other programs do not. Only the worker threads and cold starts are measured on the clock.
- One value goes in as a string and comes out as one, as a column hook sees it. Tokens differ from call to call, 1,000
  of them (16 at 64 KiB), but a hot loop has warm caches and compiled code: the first call of a process costs more, as the cold
  start shows.
- The contestants that write Fernet read each other's tokens before anything is measured. @47ng/cloak, typeorm-encrypted
  (its \`EncryptionTransformer\`, with AES-256-GCM) and our \`xaes\` write formats of their own: AES-GCM without the second pass
  of an HMAC. They are compared in time only.
- \`fieldseal: batch\` is \`encryptFields\` and its kin of \`EncryptionService\` over 1,000 values (16 at 64 KiB); \`no WASM\` is the same
  under \`FIELDSEAL_WASM=0\`.
- node:crypto is Fernet as one would write it in an afternoon ([bench/node-crypto-fernet.ts](../bench/node-crypto-fernet.ts)). C on
  OpenSSL ([bench/openssl.c](../bench/openssl.c)) makes no JavaScript strings: nobody in Node can reach it.
- Not measured: a database over a network, other processors than this one, many processes at once, and memory.

## Run it

<!-- not run: it takes minutes -->
\`\`\`bash
npm run bench                      # in this Node, on the terminal
npm run bench -- 100 --rounds 3    # one size only, sooner
npm run bench -- --node 22,24      # in other Nodes, which npm brings
npm run bench -- --write           # in Node 20, 22, 24 and 26: this page, its plot and bench/baseline.json
npm run bench:check                # fails when a ratio fell more than 20% below bench/baseline.json
\`\`\`

The package \`node\` brings other Nodes, once, into \`node_modules/.cache\`, 200 MB a version. better-sqlite3 13 for Node 22
and up comes the same way, and so does typeorm-encrypted. Without a Python that has \`cryptography\`, or without a C
compiler, those two are left out. Exit codes: 0 all is well, 1 a target is missed or a ratio fell, 2 it could not be measured.

\`bench:check\` measures again what fell, and fails only when it fell twice. The baseline's ratios are of this page's machine:
on another one, or after a change that is meant to cost something, refresh it by \`--write\` on an idle machine and commit
all three files together.
`;
}

/** A run on the terminal. */
export function terminalText(run: Run): string {
  const lines: string[] = [`\nNode ${run.node} (OpenSSL ${run.nodeOpenssl})`];
  const names = Object.keys(run.contestants);
  for (const bytes of run.sizes) {
    lines.push(`\n${`${sizeText(bytes)}, µs a value`.padEnd(36)}${VERBS.map((verb) => verb.padStart(19)).join('')}`);
    for (const name of names) {
      const cells = VERBS.map((verb) => {
        const row = run.times[fieldGroup(verb, bytes)] ?? {};
        const [own, npm] = [row[name], row[NPM_FERNET]];
        if (own === undefined) return '–'.padStart(19);
        const factor = npm === undefined ? '' : `${(npm / own).toFixed(1)}×`;
        return `${microseconds(own)}${factor.padStart(8)}`.padStart(19);
      });
      lines.push(`${name.padEnd(36)}${cells.join('')}`);
    }
  }
  const groups = [
    [PAGE, 'ms, a read of 10,000 rows with 3 encrypted columns', milliseconds],
    [PARALLEL, 'ms on the clock, 100,000 values over worker threads', milliseconds],
    [PARTS, 'µs, rows and parts', microseconds],
  ] as const;
  for (const [group, head, show] of groups) {
    const times = Object.entries(run.times[group] ?? {});
    if (times.length > 0) lines.push(`\n${head}`);
    for (const [name, time] of times) lines.push(`${name.padEnd(50)}${show(time).padStart(10)}`);
  }
  for (const why of run.leftOut) lines.push(`\nLeft out: ${why}`);
  lines.push('\nTargets, within this run; × = times faster than npm fernet above:');
  for (const { target, value, holds } of judge(run)) {
    lines.push(`${holds ? 'PASS' : 'FAIL'}  ${target.what}: ${quantity(value, target.unit)}, ${limitText(target)}`);
  }
  return lines.join('\n');
}
