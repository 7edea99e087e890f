/** The commands of the audit log's tree: sealing, verifying, proofs and pruning. They stand under `audit`. */
import { type Command, InvalidArgumentError } from 'commander';
import { FieldsealError } from 'fieldseal';
import type { Dependencies } from '../usecases/dependencies.js';
import type { NoteSigner } from '../usecases/seal-audit.js';
import type { LogVerification } from '../usecases/verify-audit.js';
import { EXIT } from './exit-codes.js';
import { formatCount, type Output } from './output.js';
import { positiveNumber } from './parse-number.js';

/** What these commands need of the program around them. */
export interface AuditTreeCommands {
  dependencies(): Dependencies;
  output(): Output;
  auditSigner(): NoteSigner | null;
  auditLogName(): string;
  readFile(path: string): string;
  setExitCode(code: number): void;
}

const MAX_DAYS = 36_500;

/** The seconds of `365d`: retention is told in days. */
function parseDays(text: string): number {
  const days = Number(/^(\d{1,5})d$/.exec(text)?.[1]);
  if (!(days >= 1 && days <= MAX_DAYS)) throw new InvalidArgumentError('Write days, such as 365d; a century at most.');
  return days * 86_400;
}

/** Where only checkpoints are wrong, it may be one that was given in the place of another. */
function verdictOf(findings: LogVerification['findings'], count: number): string {
  if (count === 0) return 'The audit log is as it was sealed.';
  const ofCheckpoints = findings.filter(({ kind }) => kind === 'checkpoint_invalid').length;
  return ofCheckpoints === count ? 'A checkpoint is not as it was signed.' : 'The audit log was changed.';
}

function renderVerification(result: LogVerification & { readonly isSigned: boolean }): string {
  const { sealed, pruned, unsealed, epochs, checkpoints, vouchedSize, isSigned, findings, findingCount } = result;
  const lines = findings.map(({ kind, text }) => `${kind}: ${text}`);
  if (findingCount > findings.length) lines.push(`… and ${formatCount(findingCount - findings.length)} more`);
  if (epochs > 1) lines.push(`The database moved to another server: there are ${epochs} epochs.`);
  lines.push(
    `${formatCount(sealed)} rows are sealed, ${formatCount(pruned)} of them pruned; ${formatCount(unsealed)} are not sealed yet.`,
    isSigned
      ? `${formatCount(checkpoints)} checkpoints hold, and their signatures vouch for the first ${formatCount(vouchedSize)} rows.`
      : `${formatCount(checkpoints)} checkpoints hold, of which no signature was looked at: give --public-key.`,
    verdictOf(findings, findingCount),
  );
  return lines.join('\n');
}

/** Adds the commands under `audit`. */
export function addAuditTreeCommands(audit: Command, given: AuditTreeCommands): void {
  const { dependencies, output, auditSigner, readFile } = given;

  audit
    .command('keygen')
    .description('Print a new key that signs checkpoints; the public key to verify them with goes to standard error.')
    .action(async () => {
      const { generateAuditKey } = await import('../usecases/audit-keys.js');
      const { privateKey, publicKey } = generateAuditKey(given.auditLogName());
      output().note(`public key: ${publicKey}`);
      output().result({ privateKey, publicKey }, privateKey);
    });

  audit
    .command('public-key')
    .description('Print the public key of the key that signs checkpoints.')
    .action(async () => {
      const { publicKeyOf } = await import('../usecases/audit-keys.js');
      const publicKey = publicKeyOf(auditSigner());
      output().result({ publicKey }, publicKey);
    });

  audit
    .command('seal')
    .description('Seal every row that can be now, and sign a checkpoint. A running service does so each second.')
    .action(async () => {
      const { sealAudit, withWritableStore } = await import('../usecases/seal-audit.js');
      const signer = auditSigner();
      const sealed = await withWritableStore(dependencies(), (store) => sealAudit(store, signer));
      const note = signer ? '' : ' No checkpoint was signed: AUDIT_SIGNING_KEY_FILE is not set.';
      output().result({ sealed, signed: signer !== null }, `${formatCount(sealed)} rows were sealed.${note}`);
    });

  audit
    .command('verify')
    .description('Compare the whole audit log with its tree, with signed checkpoints, and with ones kept elsewhere.')
    .option('--checkpoint <file>', 'a checkpoint that was kept outside the database; may be given again', collect)
    .option('--public-key <key>', 'the verifier key that `audit keygen` printed (default: that of the own signing key)')
    .action(async ({ checkpoint = [], publicKey }: { checkpoint?: string[]; publicKey?: string }) => {
      const { verifyAudit } = await import('../usecases/verify-audit.js');
      const { withReadOnlyStore } = await import('../usecases/list-runs.js');
      const options = {
        publicKey: publicKey ?? null,
        own: publicKey ? null : auditSigner(),
        given: checkpoint.map(readFile),
      };
      const result = await withReadOnlyStore(dependencies(), (store) => verifyAudit(store, options));
      output().result({ ...result }, renderVerification(result));
      if (result.findingCount > 0) given.setExitCode(EXIT.failures);
    });

  audit
    .command('checkpoint')
    .description('Print the newest signed checkpoint, to be kept outside the database.')
    .action(async () => {
      const { latestCheckpoint } = await import('../usecases/audit-leaves.js');
      const { withReadOnlyStore } = await import('../usecases/list-runs.js');
      const note = await withReadOnlyStore(dependencies(), latestCheckpoint);
      if (note === null) {
        throw new FieldsealError(
          'ERR_NOT_FOUND',
          'No checkpoint was signed yet; set AUDIT_SIGNING_KEY_FILE and run `fieldseal audit seal`.',
        );
      }
      output().raw(note);
    });

  audit
    .command('proof')
    .argument('<id>', 'the id of an audit row', positiveNumber)
    .description('Print the leaf of a row and the proof that the signed tree has it, as JSON.')
    .action(async (id: number) => {
      const { proveInclusion } = await import('../usecases/audit-leaves.js');
      const { withReadOnlyStore } = await import('../usecases/list-runs.js');
      const proof = await withReadOnlyStore(dependencies(), (store) => proveInclusion(store, id));
      if (!proof)
        throw new FieldsealError('ERR_NOT_FOUND', `No signed tree has the audit row ${id}; is it there, and sealed?`);
      output().raw(`${JSON.stringify(proof)}\n`);
    });

  audit
    .command('consistency')
    .argument('<from>', 'the size of an older checkpoint', positiveNumber)
    .argument('<to>', 'the size of a newer one', positiveNumber)
    .description('Print the proof that the tree only grew between two checkpoints, as JSON.')
    .action(async (from: number, to: number) => {
      const { proveConsistency } = await import('../usecases/audit-leaves.js');
      const { withReadOnlyStore } = await import('../usecases/list-runs.js');
      const proof = await withReadOnlyStore(dependencies(), (store) => proveConsistency(store, from, to));
      output().raw(`${JSON.stringify(proof)}\n`);
    });

  audit
    .command('leaves')
    .description('Print every leaf with its row, in the order of the tree: JSON lines for an independent verifier.')
    .action(async () => {
      const { auditLeaves } = await import('../usecases/audit-leaves.js');
      const { withReadOnlyStore } = await import('../usecases/list-runs.js');
      await withReadOnlyStore(dependencies(), async (store) => {
        for await (const leaf of auditLeaves(store)) output().raw(`${JSON.stringify(leaf)}\n`);
      });
    });

  audit
    .command('prune')
    .description('Delete old rows that are sealed; their leaves stay, so that the tree can still be verified.')
    .requiredOption('--older-than <days>', 'how old, such as 365d', parseDays)
    .action(async ({ olderThan }: { olderThan: number }) => {
      const { pruneAudit } = await import('../usecases/prune-audit.js');
      const { withWritableStore } = await import('../usecases/seal-audit.js');
      const signer = auditSigner();
      const result = await withWritableStore(dependencies(), (store) => pruneAudit(store, signer, olderThan));
      const { upToId, pruned } = result;
      output().result(
        { ...result },
        upToId === null ? 'No row is that old.' : `${formatCount(pruned)} rows were deleted, up to row ${upToId}.`,
      );
    });
}

function collect(value: string, values: readonly string[] | undefined): string[] {
  return [...(values ?? []), value];
}
