/** Schedules, as the store keeps them. */
import type { RunKind } from './store.js';

/** What a schedule can start. */
export const SCHEDULED_KINDS = ['rotate', 'verify'] as const satisfies readonly RunKind[];

/** A row of `sweep_schedules`: a run that begins again and again. Times are RFC 3339 UTC. */
export interface Schedule {
  readonly id: number;
  readonly kind: (typeof SCHEDULED_KINDS)[number];
  /** Five fields: minute, hour, day of month, month, day of week. */
  readonly cron: string;
  /** The IANA name of the time zone that `cron` is meant in. */
  readonly timezone: string;
  readonly nextAt: string;
  /** When it last started a run; null: never yet. */
  readonly lastAt: string | null;
  /** The run that it last started. */
  readonly lastRun: number | null;
}

/** What a new schedule needs. */
export type NewSchedule = Pick<Schedule, 'kind' | 'cron' | 'timezone' | 'nextAt'>;

export interface ScheduleRepository {
  create(schedule: NewSchedule): Promise<Schedule>;
  /** Oldest first. */
  list(): Promise<Schedule[]>;
  /** Those whose time has come, by the database's clock; oldest first. */
  due(): Promise<Schedule[]>;
  /** Moves the next time from `from` to `to`; false when it is another one by now, or the schedule is gone. One statement. */
  move(id: number, from: string, to: string): Promise<boolean>;
  /** Notes a run as the last that it started, now. */
  started(id: number, run: number): Promise<void>;
  /** What was removed; null when there is no such schedule. */
  remove(id: number): Promise<Schedule | null>;
}
