/** How far a run is, from outside: by its ranges, whose counts commit with the rows. */

/** SQL for the counts of the newest run's first pass; `own` stands before the table's name. */
export function rangesOfNewest(own: string): string {
  const newest = `SELECT max(id) FROM ${own}encryption_key_rotations`;
  return `SELECT counts FROM ${own}sweep_ranges WHERE pass = 1 AND run_id = (${newest})`;
}

/** Records rewritten, of such rows. */
export function rotatedIn(rows: readonly { readonly counts?: unknown }[]): number {
  return rows
    .flatMap(({ counts }) => Object.values(JSON.parse(String(counts)) as Record<string, { rotated: number }>))
    .reduce((sum, { rotated }) => sum + rotated, 0);
}
