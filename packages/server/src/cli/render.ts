/** Results as text for people. */

import { type ApiKeyView, apiKeyState, metadataOf } from '../usecases/api-key-view.js';
import type { BackupReport } from '../usecases/create-backup.js';
import type { SweepReport } from '../usecases/drive-run.js';
import { FAILURE_REASONS } from '../usecases/failure-reasons.js';
import type { KeyringView } from '../usecases/list-keys.js';
import type { RunDetails, RunView } from '../usecases/list-runs.js';
import type { ColumnScan, ScanReport } from '../usecases/scan-database.js';
import type { Schedule } from '../usecases/scheduled-kinds.js';
import { formatCount } from './output.js';

/** Columns side by side, numbers to the right. */
function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatCount(cell) : cell)))];
  const widths = head.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? '').length)));
  const isNumber = head.map((_, i) => rows.some((row) => typeof row[i] === 'number'));
  return cells
    .map((row) =>
      row
        .map((cell, i) => (isNumber[i] ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function held(counts: Readonly<Record<string, number>>): string {
  return (
    Object.entries(counts)
      .map(([holds, count]) => `${holds} ${formatCount(count)}`)
      .join(', ') || '–'
  );
}

const VERBS = { encrypt: 'encrypted', rotate: 're-encrypted', decrypt: 'decrypted', index: 'indexed' } as const;

/** The report of a sweep. */
export function renderReport(report: SweepReport): string {
  const { kind, dryRun, run, counts, columns, failures, left, newKeyVersion, oldKeyVersion, seconds, passes } = report;
  const what = newKeyVersion === null ? kind : `${kind} ${oldKeyVersion} → ${newKeyVersion}`;
  const columnName = (c: { table: string; column: string }) => `${c.table}.${c.column}`;
  const lines = [
    `${dryRun ? `Dry run, nothing was written: ${what}` : `Run ${run}, ${what}`}: ${report.status} (${seconds.toFixed(1)} s, ${passes} pass${passes === 1 ? '' : 'es'})\n\n`,
  ];
  if (kind === 'verify') {
    const rows = columns.map((c) => [columnName(c), c.total, c.current, c.failed, held(c.held)]);
    lines.push(
      table(['column', 'records', 'readable', 'unreadable', 'under'], rows),
      `\n${formatCount(counts.total)} records: ${formatCount(counts.current)} readable, ${formatCount(counts.failed)} unreadable.\n`,
    );
  } else {
    const head = [
      'column',
      'records',
      VERBS[kind],
      'already',
      'skipped',
      'unreadable',
      dryRun ? 'would be under' : 'now under',
    ];
    const rows = columns.map((c) => [columnName(c), c.total, c.rotated, c.current, c.skipped, c.failed, held(c.held)]);
    lines.push(
      table(head, rows),
      `\n${formatCount(counts.total)} records: ${formatCount(counts.rotated)} ${VERBS[kind]}, ${formatCount(counts.current)} already as wanted, ${formatCount(counts.skipped)} skipped, ${formatCount(counts.failed)} unreadable.\n`,
    );
  }
  lines.push(
    ...failures.map(
      (f) => `unreadable: ${f.table}.${f.column}, ${formatCount(f.count)} × ${FAILURE_REASONS[f.reason]}\n`,
    ),
  );
  if (failures.length > 0 && run !== null) lines.push(`Their primary keys: fieldseal status ${run}\n`);
  if (left > 0)
    lines.push(
      `${formatCount(left)} values were not reached: another process still writes them the old way. Update it, then start again.\n`,
    );
  return lines.join('');
}

/** `status`. */
export function renderRuns(runs: readonly RunView[]): string {
  if (runs.length === 0) return 'No runs yet.\n';
  return table(
    ['run', 'kind', 'status', 'progress', 'records', 'changed', 'unreadable', 'keys', 'started'],
    runs.map((run) => [
      String(run.id),
      run.kind,
      run.status,
      `${run.progressPercent} %`,
      run.counts.total,
      run.counts.rotated,
      run.counts.failed,
      run.newKeyVersion === null ? '' : `${run.oldKeyVersion} → ${run.newKeyVersion}`,
      run.createdAt,
    ]),
  );
}

/** `status RUN`. */
export function renderRun(run: RunDetails): string {
  const lines = [renderRuns([run])];
  const why = run.errorDetails ?? run.waitsBecause;
  if (why) lines.push(`\n${why}\n`);
  if (run.report) lines.push(`\n${renderReport(run.report)}`);
  if (run.failures.length > 0) {
    lines.push(
      '\n',
      table(
        ['column', 'primary key', 'reason'],
        run.failures.map((f) => [`${f.tableName}.${f.columnName}`, f.primaryKey, f.reason]),
      ),
    );
  }
  if (run.status === 'paused' || run.status === 'stalled')
    lines.push(`\nfieldseal resume ${run.id} goes on from the checkpoint.\n`);
  return lines.join('');
}

/** `schedule list`. */
export function renderSchedules(schedules: readonly Schedule[]): string {
  if (schedules.length === 0) return 'No schedules yet.\n';
  return table(
    ['id', 'kind', 'cron', 'time zone', 'next', 'last', 'run'],
    schedules.map(({ id, kind, cron, timezone, nextAt, lastAt, lastRun }) => [
      String(id),
      kind,
      cron,
      timezone,
      nextAt,
      lastAt ?? 'never',
      lastRun === null ? '' : String(lastRun),
    ]),
  );
}

/** `keyring list`. */
export function renderKeyring({ id, generation, keys, roots, readers }: KeyringView): string {
  return [
    `Keyring ${id}, generation ${generation}, wrapped under ${roots.join(' and ')}\n\n`,
    table(
      ['version', 'purpose', 'state', 'id', 'created'],
      keys.map((key) => [key.version, key.purpose, key.state, String(key.id), key.createdAt]),
    ),
    ...(readers.length > 0
      ? [
          '\n',
          table(
            ['readers: generation', 'seen'],
            readers.map((r) => [String(r.generation), `${r.secondsAgo} s ago`]),
          ),
        ]
      : []),
    ...(roots.length > 1 ? ['\nTwo roots open it: a rotation from OLD to NEW, or a rewrap, is not finalized.\n'] : []),
  ].join('');
}

/** Texts that came over HTTP: what would steer the operator's terminal is left out. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}

/** An API key for programs; `isActive` and `metadata` as the REST API has them. */
export function apiKeyJson(key: ApiKeyView): Record<string, unknown> {
  const state = apiKeyState(key, Date.now());
  return { ...key, state, isActive: state === 'active' || state === 'expired', metadata: metadataOf(key) };
}

/** `api-keys list`. */
export function renderApiKeys(keys: readonly ApiKeyView[]): string {
  if (keys.length === 0) return 'No API keys.\n';
  return table(
    ['id', 'user', 'name', 'prefix', 'state', 'scopes', 'created', 'expires', 'last used'],
    keys.map((key) => [
      String(key.id),
      key.userId,
      printable(key.name),
      key.prefix,
      apiKeyState(key, Date.now()),
      key.scopes.join(' '),
      key.createdAt,
      key.expiresAt ?? '',
      key.lastUsedAt ?? 'never',
    ]),
  );
}

/** `api-keys show` and `update`. */
export function renderApiKey(key: ApiKeyView): string {
  const rate = key.rateLimit === null ? null : `${formatCount(key.rateLimit)} in ${key.rateWindowSeconds} s`;
  const by = (at: string | null, who: string | null) => (at === null ? null : `${at} by ${who ?? '?'}`);
  const lines: readonly (readonly [string, string | null])[] = [
    ['used from', key.allowedIps?.join(' ') ?? null],
    ['rate limit', rate],
    ['quota', key.quota === null ? null : formatCount(key.quota)],
    ['metadata', key.metadata],
    ['disabled', by(key.disabledAt, key.disabledBy)],
    ['revoked', by(key.revokedAt, key.revokedBy)],
    ['because', key.revokedReason],
    ['in place of', key.rerolledFrom === null ? null : `key ${key.rerolledFrom}`],
  ];
  const told = lines
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.padEnd(12)}${printable(value ?? '')}\n`);
  return [renderApiKeys([key]), ...(told.length > 0 ? ['\n'] : []), ...told].join('');
}

/** `backup create`, `verify` and `restore`. */
export function renderBackup({ file, bytes, sha256, encrypted, tables, keyring }: BackupReport): string {
  const ring = keyring
    ? `a keyring of ${keyring.keys} key(s), opened by the root ${keyring.roots.join(' or ')}`
    : 'no keyring';
  return `${file}: ${formatCount(bytes)} bytes, ${encrypted ? 'encrypted' : 'NOT encrypted'}, ${tables} tables, ${ring}\nsha256 ${sha256}\n`;
}

function verdict({ declared, held: counts, looksLike, sampled }: ColumnScan): string {
  const holds = Object.keys(counts);
  if (sampled === 0) return 'empty';
  if (!declared) return looksLike ? `looks like ${looksLike}` : 'holds tokens, but is not declared';
  if (holds.includes('unreadable')) return 'declared; some cannot be read';
  if (holds.length === 1) return holds[0] === 'plaintext' ? 'declared, not encrypted yet' : 'declared and encrypted';
  return holds.includes('plaintext') ? 'declared; partly plaintext' : 'declared; under several keys';
}

/** `scan`. */
export function renderScan({ columns, absent, declaration }: ScanReport): string {
  const lines =
    columns.length === 0
      ? ['No column is declared, holds tokens or looks like personal data.\n']
      : [
          table(
            ['column', 'sampled', 'held', 'verdict'],
            columns.map((c) => [`${c.table}.${c.column}`, c.sampled, held(c.held), verdict(c)]),
          ),
        ];
  if (absent.length > 0) lines.push(`\nDeclared, but not in the database: ${absent.join(', ')}\n`);
  if (declaration !== null) lines.push(`\nA fieldseal.config.ts for what is not declared yet:\n\n${declaration}`);
  return lines.join('');
}
