/** All take turns, so that whatever slows the machine slows each; the medians are what counts. */

/** One who takes turns. */
export interface Turn {
  readonly name: string;
  /** Does it about so many times. @returns nanoseconds for one, or null where it does nothing */
  measure(times: number): Promise<number | null>;
}

/** How long and how often. */
export interface Rules {
  readonly rounds: number;
  readonly turnMs: number;
  /** How many times each does it before the length of a turn is known. */
  readonly warmUp: number;
}

/** The middle one of the sorted values; of an even number the upper of the two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

/** The median of each, in nanoseconds for one, without those that do nothing. */
export async function takeTurns(
  all: readonly Turn[],
  { rounds, turnMs, warmUp }: Rules,
): Promise<Record<string, number>> {
  const taken: { readonly turn: Turn; readonly times: number; readonly results: number[] }[] = [];
  for (const turn of all) {
    // Once to warm up, once to see how many make a turn.
    await turn.measure(warmUp);
    const nanoseconds = await turn.measure(warmUp);
    if (nanoseconds === null) continue;
    taken.push({ turn, times: Math.max(1, Math.ceil((turnMs * 1e6) / nanoseconds)), results: [] });
  }
  for (let round = 0; round <= rounds; round++) {
    for (const { turn, times, results } of taken) {
      const nanoseconds = (await turn.measure(times)) as number;
      // The first round is still warming up.
      if (round > 0) results.push(nanoseconds);
    }
  }
  return Object.fromEntries(taken.map(({ turn, results }) => [turn.name, median(results)]));
}
