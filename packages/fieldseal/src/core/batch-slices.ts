/** A batch cut into slices, between which whoever runs it may let others work. */
import type { BatchFailure, BatchResult } from './fernet-batch.js';

/** Some milliseconds' work on a slow machine: what is done to so many values, or to so many characters of them. */
const SLICE_VALUES = 1000;
const SLICE_CHARACTERS = 256 * 1024;

function sliceEnd(inputs: readonly unknown[], start: number): number {
  let characters = 0;
  let end = start;
  while (end < inputs.length && end - start < SLICE_VALUES && characters < SLICE_CHARACTERS) {
    const input = inputs[end++];
    if (typeof input === 'string') characters += input.length;
  }
  return end;
}

/**
 * Runs `work` slice by slice; what it returns in the end is what one call would have returned. At least one value is in
 * a slice: one of many megabytes takes as long as it takes.
 */
export function* inSlices(
  given: readonly (string | null)[],
  work: (slice: readonly (string | null)[]) => BatchResult,
): Generator<void, BatchResult> {
  // As it is now, whatever the caller makes of its array in between.
  const inputs = Array.from(given);
  const values: (string | null)[] = [];
  const failures: BatchFailure[] = [];
  for (let start = 0, end = 0; start < inputs.length; start = end) {
    if (start > 0) yield;
    end = sliceEnd(inputs, start);
    const result = work(inputs.slice(start, end));
    for (const value of result.values) values.push(value);
    for (const { index, code } of result.failures) failures.push({ index: start + index, code });
  }
  return { values, failures };
}
