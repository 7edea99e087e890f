import { describe, expect, it } from 'vitest';
import { verifyLog } from '../../src/audit/verify-log.js';
import { ATTACKS } from './attacks.js';
import {
  type AuditedStore,
  addRows,
  newSigner,
  onPostgresSchema,
  onSqliteFile,
  sealAll,
  type WithAuditedStore,
} from './with-logs.js';

const PLACES: [string, WithAuditedStore][] = [
  ['SQLite', onSqliteFile],
  ['PostgreSQL', onPostgresSchema],
];
const TABLES = ['audit_epochs', 'audit_logs', 'audit_leaves', 'audit_tree_nodes', 'audit_checkpoints'];

/** Puts every table back as `save` found it. */
async function restore({ sql, store }: AuditedStore): Promise<void> {
  for (const table of TABLES) {
    await sql(`delete from {t}${table}`);
    await sql(`insert into {t}${table} select * from {t}saved_${table}`);
  }
  if (store.dialect === 'sqlite') await sql("update sqlite_sequence set seq = 27 where name = 'audit_logs'");
  else await sql('alter table {t}audit_logs alter column id restart with 28');
}

describe.each(PLACES)('an audit log on %s', (_name, withLog) => {
  it('verifies as it was sealed, and shows whatever was done to it since', () =>
    withLog(async (place) => {
      const { store, sql, disarm } = place;
      const signer = newSigner();
      for (const count of [1, 6, 20]) {
        await addRows(store, count);
        await sealAll(store, signer);
      }
      const note = (await store.auditTree.latestCheckpoint())?.note ?? '';
      const clean = { sealed: 27, pruned: 0, unsealed: 0, epochs: 1, findings: [], findingCount: 0 };
      expect(await verifyLog(store, { verifier: signer, given: [note] })).toEqual({
        ...clean,
        checkpoints: 4,
        vouchedSize: 27,
      });
      expect(await verifyLog(store, { verifier: null, given: [] })).toEqual({
        ...clean,
        checkpoints: 3,
        vouchedSize: 0,
      });
      await disarm();
      for (const table of TABLES) await sql(`create table {t}saved_${table} as select * from {t}${table}`);
      for (const { name, attack, finds, needsCheckpoint } of ATTACKS) {
        await attack(place);
        const [kind, auditId] = finds;
        const alone = await verifyLog(store, { verifier: signer, given: [] });
        if (needsCheckpoint) expect(alone.findings, name).toEqual([]);
        else expect(alone.findings[0], name).toMatchObject({ kind, auditId });
        const beside = await verifyLog(store, { verifier: signer, given: [note] });
        expect(beside.findings[0], name).toMatchObject({ kind, auditId });
        await restore(place);
        expect((await verifyLog(store, { verifier: signer, given: [note] })).findings, `after ${name}`).toEqual([]);
      }
    }));
});
