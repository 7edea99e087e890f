/** What has to hold within one run, and whether it does. */
import {
  AT_ONCE,
  BATCH,
  BATCH_DECRYPT,
  fieldGroup,
  HOOKS,
  LONGEST_DELAY,
  NPM_FERNET,
  OPENSSL,
  PAGE,
  PARALLEL,
  PYCA,
  parallelName,
  type Run,
  SINGLE,
  SINGLE_DECRYPTS,
  sizeText,
} from './run.ts';

/** How much at least, or at most. */
export type Limit = { readonly least: number } | { readonly most: number };

/** Something measured that has a limit. */
export interface Target {
  /** What is measured, for people; its name in the baseline. */
  readonly what: string;
  readonly limit: Limit;
  /** Ratios are compared with the baseline; milliseconds depend on the machine and are not. */
  readonly unit: 'times' | 'ms';
  /** Null where the run has not measured it. */
  readonly valueOf: (run: Pick<Run, 'times'>) => number | null;
}

/** A target, and what the run says of it. */
export interface Judgement {
  readonly target: Target;
  readonly value: number;
  readonly holds: boolean;
}

function ratio(group: string, over: string, under: string): Target['valueOf'] {
  return ({ times }) => {
    const [above, below] = [times[group]?.[over], times[group]?.[under]];
    return above === undefined || below === undefined ? null : above / below;
  };
}

/** How many times as fast `faster` has to be at least. */
function faster(verb: string, bytes: number, fast: string, slow: string, least: number): Target {
  const what = `${verb} ${sizeText(bytes)}: ${fast}, times as fast as ${slow}`;
  return { what, limit: { least }, unit: 'times', valueOf: ratio(fieldGroup(verb, bytes), slow, fast) };
}

/** How many times the time of `fast` it may take at most. */
function within(verb: string, bytes: number, slow: string, fast: string, most: number): Target {
  const what = `${verb} ${sizeText(bytes)}: ${slow}, times as long as ${fast}`;
  return { what, limit: { most }, unit: 'times', valueOf: ratio(fieldGroup(verb, bytes), slow, fast) };
}

export const TARGETS: readonly Target[] = [
  faster('encrypt', 100, SINGLE, NPM_FERNET, 30),
  faster('decrypt', 100, SINGLE, NPM_FERNET, 22),
  faster('encrypt', 100, SINGLE, PYCA, 4.5),
  faster('decrypt', 100, SINGLE, PYCA, 4.5),
  faster('encrypt', 100, BATCH, PYCA, 9),
  faster('decrypt', 100, BATCH, PYCA, 11),
  within('rotate', 100, BATCH, OPENSSL, 2),
  within('encrypt', 65_536, SINGLE, OPENSSL, 1.3),
  within('decrypt', 65_536, SINGLE, OPENSSL, 1.3),
  ...(['encrypt', 'decrypt'] as const).map(
    (verb): Target => ({
      what: `${verb} 100,000 values: two workers, times as fast as one`,
      limit: { least: 1.4 },
      unit: 'times',
      valueOf: ratio(PARALLEL, parallelName(verb, 1), parallelName(verb, 2)),
    }),
  ),
  {
    what: 'the event loop waits meanwhile, at the longest',
    limit: { most: 10 },
    unit: 'ms',
    valueOf: ({ times }) => {
      const nanoseconds = times[PARALLEL]?.[LONGEST_DELAY];
      return nanoseconds === undefined ? null : nanoseconds / 1e6;
    },
  },
  {
    what: 'read 10,000 rows of 3 columns: encryptedColumns adds, times 30,000 single decrypts',
    limit: { most: 1.3 },
    unit: 'times',
    valueOf: ratio(PAGE, HOOKS, SINGLE_DECRYPTS),
  },
  {
    what: 'read 10,000 rows of 3 columns: decryptRows adds, times a batch of 30,000 decrypts',
    limit: { most: 1.1 },
    unit: 'times',
    valueOf: ratio(PAGE, AT_ONCE, BATCH_DECRYPT),
  },
];

/** What the run says of each target that it measured. */
export function judge(run: Pick<Run, 'times'>, targets: readonly Target[] = TARGETS): Judgement[] {
  return targets.flatMap((target) => {
    const value = target.valueOf(run);
    if (value === null) return [];
    const { limit } = target;
    return [{ target, value, holds: 'least' in limit ? value >= limit.least : value <= limit.most }];
  });
}

/** `37.0×`, `8.1 ms`. */
export function quantity(value: number, unit: Target['unit']): string {
  const digits = value < 10 ? 2 : 1;
  return unit === 'ms' ? `${value.toFixed(1)} ms` : `${value.toFixed(digits)}×`;
}

/** `≥ 30×`, `≤ 10 ms`. */
export function limitText({ limit, unit }: Pick<Target, 'limit' | 'unit'>): string {
  const [sign, value] = 'least' in limit ? ['≥', limit.least] : ['≤', limit.most];
  return `${sign} ${value}${unit === 'ms' ? ' ms' : '×'}`;
}
