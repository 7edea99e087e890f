/** `schedule add`, `list` and `remove`. */
import { Argument, type Command } from 'commander';
import type { Dependencies } from '../usecases/dependencies.js';
import { SCHEDULED_KINDS, type Schedule } from '../usecases/scheduled-kinds.js';
import type { Output } from './output.js';
import { positiveNumber } from './parse-number.js';
import { renderSchedules } from './render.js';

/** What these commands need of the program around them. */
export interface ScheduleCommands {
  command(name: string, description: string, example: string): Command;
  dependencies(): Dependencies;
  output(): Output;
}

/** Adds the commands. */
export function addScheduleCommands({ command, dependencies, output }: ScheduleCommands): void {
  const schedule = command(
    'schedule',
    'Have rotations and verifies started again and again, by whatever worker or service runs then.',
    'fieldseal schedule add rotate "0 3 1 */3 *" --timezone Europe/Berlin',
  );

  schedule
    .command('add')
    .description('Add one.')
    .addArgument(new Argument('<kind>', 'what to start').choices(SCHEDULED_KINDS))
    .argument('<cron>', 'minute, hour, day of month, month and day of week: "0 3 1 * *"')
    .option('--timezone <name>', 'the IANA name of the time zone that is meant', 'UTC')
    .action(async (kind: Schedule['kind'], cron: string, { timezone }: { timezone: string }) => {
      const { addSchedule } = await import('../usecases/add-schedule.js');
      const added = await addSchedule(dependencies(), { kind, cron, timezone });
      output().result({ schedule: added }, `Schedule ${added.id} starts a ${kind} next at ${added.nextAt}.`);
    });

  schedule
    .command('list')
    .description('List them, with their next time, their last one and the run that was started then.')
    .action(async () => {
      const { listSchedules } = await import('../usecases/list-schedules.js');
      const schedules = await listSchedules(dependencies());
      output().result({ schedules }, renderSchedules(schedules));
    });

  schedule
    .command('remove')
    .description('Remove one. What it started stays.')
    .argument('<id>', 'the id of a schedule', positiveNumber)
    .action(async (id: number) => {
      const { removeSchedule } = await import('../usecases/remove-schedule.js');
      await removeSchedule(dependencies(), id);
      output().result({ schedule: id }, `Schedule ${id} is removed.`);
    });
}
