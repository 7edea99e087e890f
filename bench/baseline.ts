/** The ratios that were once reached, by Node's major version, and what has fallen since. */

import { majorOf, type Run } from './run.ts';
import { judge, quantity, TARGETS, type Target } from './targets.ts';

/** bench/baseline.json. */
export interface Baseline {
  /** Where and when it was measured; ratios of another machine are another baseline. */
  readonly machine: string;
  readonly date: string;
  /** Major version → what is measured → ratio. */
  readonly ratios: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** A ratio may get this much worse before it counts: as large as a loaded machine's noise, and smaller than a lost trick. */
export const TOLERATED = 0.2;

/** A ratio that got worse than that. */
export interface Fall {
  readonly what: string;
  readonly was: number;
  readonly is: number;
}

export function ratiosOf(run: Pick<Run, 'times'>, targets: readonly Target[] = TARGETS): Record<string, number> {
  const ratios = judge(run, targets).filter(({ target }) => target.unit === 'times');
  return Object.fromEntries(ratios.map(({ target, value }) => [target.what, Number(value.toFixed(3))]));
}

export function baselineOf(runs: readonly Run[], machine: string, date: string): Baseline {
  return { machine, date, ratios: Object.fromEntries(runs.map((run) => [majorOf(run), ratiosOf(run)])) };
}

/**
 * What fell by more than a fifth below the baseline, and what the baseline has and this run could not measure. A ratio with
 * an upper limit falls when it grows: its inverse is what counts. Null where the baseline knows nothing of this Node.
 */
export function compare(
  run: Pick<Run, 'node' | 'times'>,
  { ratios }: Pick<Baseline, 'ratios'>,
  targets: readonly Target[] = TARGETS,
): { readonly falls: readonly Fall[]; readonly missing: readonly string[] } | null {
  const before = ratios[majorOf(run)];
  if (!before) return null;
  const now = ratiosOf(run, targets);
  const known = targets.filter(({ what }) => before[what] !== undefined);
  const falls = known.flatMap(({ what, limit }) => {
    const [was, is] = [before[what] as number, now[what]];
    if (is === undefined) return [];
    const share = 'least' in limit ? is / was : was / is;
    return share < 1 - TOLERATED ? [{ what, was, is }] : [];
  });
  return { falls, missing: known.filter(({ what }) => now[what] === undefined).map(({ what }) => what) };
}

/** One line for people. */
export function describeFall({ what, was, is }: Fall): string {
  return `${what}: ${quantity(is, 'times')}, in the baseline ${quantity(was, 'times')}`;
}
