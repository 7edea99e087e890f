/** Reads the fixed vectors that stand in `test/vectors`. */
import { readFileSync } from 'node:fs';

/** The parsed file of that name. */
export function readVectors<T>(fileName: string): T {
  return JSON.parse(readFileSync(new URL(`./vectors/${fileName}`, import.meta.url), 'utf8'));
}
