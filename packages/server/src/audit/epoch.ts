/** Whose numbers of transactions a sealed log is in the order of. */
import type { TreeProgress } from '../store/audit-tree.js';

/**
 * Whether the epoch is of another PostgreSQL server than the one of that identity, as after a dump was restored. A role that
 * may not ask for the identity has null; then only the numbers tell.
 */
export function isOtherServer({ epoch, last, horizon }: TreeProgress, cluster: string | null): boolean {
  if (!epoch) return false;
  if (epoch.cluster !== null && cluster !== null && epoch.cluster !== cluster) return true;
  // Transactions are numbered upwards, so a smaller number than one that has ended is another server's.
  return horizon !== null && horizon < Math.max(epoch.startXact ?? 0, last?.xactId ?? 0);
}
