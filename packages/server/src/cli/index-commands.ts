/** `index` and `plan-index`: blind indexes. */
import type { Command } from 'commander';
import { planIndex } from 'fieldseal';
import type { Dependencies } from '../usecases/dependencies.js';
import type { SweepOptions, SweepReport } from '../usecases/drive-run.js';
import type { Output } from './output.js';
import { positiveNumber, share } from './parse-number.js';
import type { SweepFlags } from './program.js';

/** What the program lends to these commands. */
export interface IndexCommandContext {
  command(name: string, description: string, example: string): Command;
  sweepCommand(command: Command, writes: boolean): Command;
  dependencies(): Dependencies;
  output(): Output;
  sweepOptions(flags: SweepFlags): SweepOptions;
  report(result: SweepReport): void;
}

/** Adds the commands to the program. */
export function addIndexCommands(context: IndexCommandContext): void {
  const { command, sweepCommand, dependencies, output, sweepOptions, report } = context;
  sweepCommand(
    command(
      'index',
      'Build and mend the values of blind indexes; with --rotate, under a new key of the indexes.',
      'fieldseal index --dry-run',
    ),
    true,
  )
    .option('--rotate', 'move every index value to a new key; lookups find values of both meanwhile')
    .action(async (flags: SweepFlags & { rotate?: true }) => {
      const { indexTables } = await import('../usecases/index-tables.js');
      const result = await indexTables(dependencies(), { ...sweepOptions(flags), rotate: flags.rotate ?? false });
      report(result);
      if (flags.rotate && !result.dryRun && result.status === 'completed') {
        output().note(
          'Lookups still ask for values of the old key too. Run `fieldseal index` once more, a day later say: it retires the old key.',
        );
      }
    });

  command(
    'plan-index',
    'Say how many bits a blind index may keep, and what to take.',
    'fieldseal plan-index --rows 1000000 --distinct 900000 --commonest 0.00001',
  )
    .requiredOption('--rows <n>', 'how many rows the table will have', positiveNumber)
    .requiredOption('--distinct <n>', 'how many different values the column has, at least', positiveNumber)
    .requiredOption('--commonest <share>', 'the share of rows (0 to 1) with the most frequent value', share)
    .option('--taken <bits>', 'the bits of the column’s other indexes together', positiveNumber)
    .action((facts: { rows: number; distinct: number; commonest: number; taken?: number }) => {
      const plan = planIndex(facts);
      output().result(
        { ...plan },
        `Take ${plan.bits} bits: blindIndex(…, { bits: ${plan.bits} }). Safe and useful are ${plan.minBits} to ${plan.maxBits}.`,
      );
    });
}
