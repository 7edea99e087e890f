/** Comparing MACs that are stored as hex. */
import { timingSafeEqual } from 'node:crypto';

/** Whether two hex texts are the same, in time that depends on their lengths only. */
export function timingSafeEqualHex(a: string, b: string): boolean {
  const left = Buffer.from(a, 'utf8');
  const right = Buffer.from(b, 'utf8');
  return left.length === right.length && timingSafeEqual(left, right);
}
