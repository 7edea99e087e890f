/** What stands in the swept column. */

/** Seventy characters, whose token has 184. */
export function plaintextOf(id: number): string {
  return `customer ${id}, `.padEnd(70, 'field-level encryption ');
}
