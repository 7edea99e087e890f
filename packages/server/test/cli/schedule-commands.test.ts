/** The `schedule` commands as they are typed. */
import { describe, expect, test } from 'vitest';
import { configText, withProject } from '../with-project.ts';

const NEXT = /^\d{4}-\d\d-01T0[12]:00:00\.000Z$/;

describe('schedule', () => {
  test('add, list and remove say what there is', () =>
    withProject(async ({ fieldseal, db }) => {
      expect((await fieldseal('encrypt')).exitCode).toBe(0);
      expect((await fieldseal('schedule', 'list')).stdout).toBe('No schedules yet.\n');
      const added = await fieldseal('schedule', 'add', 'rotate', '0 3 1 * *', '--timezone', 'Europe/Berlin', '--json');
      expect(added).toMatchObject({ exitCode: 0, last: { type: 'result' } });
      expect(added.last.schedule).toEqual({
        id: 1,
        kind: 'rotate',
        cron: '0 3 1 * *',
        timezone: 'Europe/Berlin',
        nextAt: expect.stringMatching(NEXT),
        lastAt: null,
        lastRun: null,
      });
      const second = await fieldseal('schedule', 'add', 'verify', '30 4 * * mon');
      expect(second.stdout).toMatch(/^Schedule 2 starts a verify next at \d{4}-\d\d-\d\dT04:30:00\.000Z\.\n$/);
      db((open) =>
        open.exec("UPDATE sweep_schedules SET last_at = '2026-01-05T04:30:00.123Z', last_run_id = 7 WHERE id = 2"),
      );
      const listed = await fieldseal('schedule', 'list', '--json');
      expect(listed.last.schedules).toMatchObject([
        added.last.schedule,
        { id: 2, kind: 'verify', timezone: 'UTC', lastAt: '2026-01-05T04:30:00.123Z', lastRun: 7 },
      ]);
      const { stdout } = await fieldseal('schedule', 'list');
      expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
        ['id', 'kind', 'cron', 'time zone', 'next', 'last', 'run'],
        ['1', 'rotate', '0 3 1 * *', 'Europe/Berlin', expect.stringMatching(NEXT), 'never'],
        ['2', 'verify', '30 4 * * mon', 'UTC', expect.any(String), '2026-01-05T04:30:00.123Z', '7'],
        [''],
      ]);
      expect((await fieldseal('schedule', 'remove', '1')).stdout).toBe('Schedule 1 is removed.\n');
      expect((await fieldseal('schedule', 'remove', '2', '--json')).last).toEqual({ type: 'result', schedule: 2 });
      expect((await fieldseal('schedule', 'list', '--json')).last.schedules).toEqual([]);
    }));

  test('refuses what it could not keep, and changes nothing', () =>
    withProject(async ({ fieldseal, write, databaseFiles }) => {
      const refused = async (...args: string[]) => {
        const { exitCode, last } = await fieldseal('schedule', ...args, '--json');
        return [exitCode, last.code, last.message];
      };
      const before = await databaseFiles();
      expect(await refused('add', 'verify', '0 3 * * *')).toEqual([2, 'ERR_KEYRING_NOT_FOUND', expect.any(String)]);
      expect(await refused('remove', '1')).toEqual([
        2,
        'ERR_SCHEDULE_NOT_FOUND',
        'There is no schedule 1; `fieldseal schedule list` lists them.',
      ]);
      expect(await databaseFiles()).toEqual(before);

      expect((await fieldseal('encrypt')).exitCode).toBe(0);
      expect(await refused('add', 'verify', '0 25 * * *')).toEqual([
        2,
        'ERR_INPUT_INVALID',
        '"0 25 * * *" is no cron expression; give minute, hour, day of month, month and day of week, such as "0 3 1 * *".',
      ]);
      expect(await refused('add', 'verify', '0 3 * * *', '--timezone', 'Mars/Base')).toEqual([
        2,
        'ERR_INPUT_INVALID',
        'There is no time zone "Mars/Base"; give its IANA name, such as Europe/Berlin or UTC.',
      ]);
      expect(await refused('add', 'encrypt', '0 3 * * *')).toEqual([
        2,
        'ERR_USAGE',
        expect.stringMatching(/rotate, verify/),
      ]);
      await write(
        'fieldseal.config.mjs',
        configText("users: { primaryKey: 'id', columns: { phone: encryptedString() } }", 'env'),
      );
      expect(await refused('add', 'rotate', '0 3 * * *')).toEqual([
        2,
        'ERR_ROTATE_ENV_KEYS',
        expect.stringMatching(/^The configuration says keys: 'env'/),
      ]);
      expect((await fieldseal('schedule', 'list', '--json')).last.schedules).toEqual([]);
    }));
});
