/** A batch cut into slices, each little enough that whoever does one after another lets others work in between. */

/** So many values, or so many characters of them, are a slice: up to 3 ms of cryptography on a slow machine. */
export const SLICE_VALUES = 1000;
export const SLICE_CHARACTERS = 256 * 1024;

/** A part of a batch: the values from `start` on, without the one at `end`. */
export interface Slice {
  readonly start: number;
  readonly end: number;
  /** Whether it is one value that is larger than a slice should be. */
  readonly isTooLarge: boolean;
}

function sliceFrom(inputs: readonly unknown[], start: number, times: number): Slice {
  let characters = 0;
  let end = start;
  for (; end < inputs.length && end - start < times * SLICE_VALUES; end++) {
    const input = inputs[end];
    if (typeof input === 'string') characters += input.length;
    if (characters > times * SLICE_CHARACTERS) break;
  }
  return end > start ? { start, end, isTooLarge: false } : { start, end: start + 1, isTooLarge: true };
}

/**
 * Cuts a batch up, as far as is asked for. A value that is larger than a slice is one by itself.
 * @param times how much larger than a slice for this thread they are
 */
export function* slicesOf(inputs: readonly unknown[], times = 1): Generator<Slice> {
  for (let start = 0; start < inputs.length; ) {
    const slice = sliceFrom(inputs, start, times);
    yield slice;
    start = slice.end;
  }
}
