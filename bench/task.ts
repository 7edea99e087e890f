/** What the benchmark's command is asked for. */
import { parseArgs } from 'node:util';

export const HELP = `Usage: npm run bench -- [SIZE...] [--node MAJOR,MAJOR...] [--rounds N] [--write]
       npm run bench:check -- [--node MAJOR,MAJOR...] [--rounds N]

Measures what a field, a row and a page of results cost, beside other libraries.

  SIZE         bytes of a value; 16 100 1024 65536 when left out
  --node       major versions of Node to measure in, such as 20,24; the running one when left out.
               npm brings those that are not running, once, into node_modules/.cache
  --rounds     rounds whose median counts; 5 when left out, 3 for a check
  --write      writes docs/benchmarks.md, docs/benchmarks.svg and bench/baseline.json;
               measures every size, in Node 20, 22, 24 and 26 when --node is left out
  --check      compares with bench/baseline.json, at 100 and 65536 bytes

Exit codes: 0 all targets hold, or nothing fell; 1 a target is missed, or a ratio fell more than
20% below the baseline; 2 wrong arguments, or it could not be measured.`;

const SIZES = [16, 100, 1024, 64 * 1024];
/** What targets speak of. */
const CHECKED_SIZES = [100, 64 * 1024];
const NODES = ['20', '22', '24', '26'];

/** What the command cannot do, for people. */
export class Refusal extends Error {}

export interface Task {
  readonly sizes: readonly number[];
  readonly nodes: readonly string[];
  readonly rounds: number;
  readonly mode: 'print' | 'write' | 'check' | 'help';
}

/** @param running the major version of the Node that runs this. @throws Refusal for arguments that make no sense */
export function parseTask(args: readonly string[], running: string): Task {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      node: { type: 'string' },
      rounds: { type: 'string' },
      write: { type: 'boolean' },
      check: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const mode = values.help ? 'help' : values.write ? 'write' : values.check ? 'check' : 'print';
  if (values.write && values.check) throw new Refusal('--write and --check exclude each other');
  if (mode !== 'print' && positionals.length > 0) throw new Refusal(`--${mode} measures sizes of its own`);
  const given = positionals.length > 0 ? positionals.map(Number) : SIZES;
  const sizes = mode === 'check' ? CHECKED_SIZES : given;
  const rounds = Number(values.rounds ?? (mode === 'check' ? 3 : 5));
  const nodes = values.node?.split(',') ?? (mode === 'write' ? NODES : [running]);
  if (!sizes.every((bytes) => Number.isInteger(bytes) && bytes > 0 && bytes <= 1 << 20)) {
    throw new Refusal('a size is a number of bytes from 1 to 1048576');
  }
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new Refusal('--rounds takes a whole number above 0');
  if (!nodes.every((major) => /^\d+$/.test(major))) throw new Refusal('--node takes major versions, such as 20,24');
  return { sizes, nodes, rounds, mode };
}
