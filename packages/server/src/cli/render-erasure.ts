/** What `erase` prints for people. */
import type { EraseReport } from '../usecases/erase-subject.js';
import { formatCount } from './output.js';

function list(head: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${head}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

/** The report of an erasure. */
export function renderErasure(report: EraseReport): string {
  const { subject, tenant, dryRun, wasErased, rewrapped, abandoned, root, reached, indexesCleared, remains } = report;
  const who = `Subject ${subject}${tenant === null ? '' : ` of the tenant ${tenant}`}`;
  const what = wasErased
    ? `${who} was erased before; whatever was left unfinished then is done${dryRun ? ' by a run without --dry-run' : ' now'}.\n`
    : dryRun
      ? `Dry run, nothing was written. ${who} would be erased, and ${formatCount(rewrapped)} other key(s) wrapped anew.\n`
      : `${who} is erased. ${formatCount(rewrapped)} other key(s) are under the new subject root ${root}; the old one is destroyed.\n`;
  return [
    what,
    abandoned > 0 ? `${formatCount(abandoned)} other key(s) did not open, and are lost.\n` : '',
    list(
      dryRun && !wasErased ? 'Would not open any more:' : 'Does not open any more:',
      reached.map(({ table, column, values }) => `${table}.${column}: ${formatCount(values)} value(s)`),
    ),
    list(
      dryRun ? 'Indexes that would be emptied:' : 'Indexes emptied:',
      indexesCleared.map(({ table, column, rows }) => `${table}.${column}: ${formatCount(rows)} row(s)`),
    ),
    list(
      'Remains:',
      remains.map(
        ({ table, column, what: why, values }) => `${table}.${column}: ${formatCount(values)} value(s), ${why}`,
      ),
    ),
    dryRun || wasErased
      ? ''
      : 'Running applications stop opening its values within 10 seconds, or 60 where they cannot reach the database. Then ' +
        '`fieldseal index` empties what they have written to indexes meanwhile.\n',
  ].join('');
}
