import { describe, expect, it } from 'vitest';
import { verifyLog } from '../../src/audit/verify-log.js';
import { pruneAudit } from '../../src/usecases/prune-audit.js';
import { sealAudit, sealingLag } from '../../src/usecases/seal-audit.js';
import { withPostgresSchema } from '../postgres.js';
import { addRows, newSigner, onPostgresSchema, onSqliteFile, sealAll, type WithAuditedStore } from './with-logs.js';

const PLACES: [string, WithAuditedStore][] = [
  ['SQLite', onSqliteFile],
  ['PostgreSQL', onPostgresSchema],
];
const CLEAN = { findings: [], findingCount: 0 };

describe.each(PLACES)('sealing on %s', (_name, withLog) => {
  it('takes every row once, whoever seals beside it, and signs what was sealed without a key', () =>
    withLog(async ({ store, sql }) => {
      const signer = newSigner();
      expect(await sealingLag(store)).toEqual({ rows: 0, oldestSeconds: 0 });
      await addRows(store, 1100);
      expect(await sealingLag(store)).toEqual({ rows: 1100, oldestSeconds: expect.any(Number) });
      const sealed = await Promise.all([1, 2, 3].map(() => sealAudit(store, null)));
      await sealAll(store, null);
      expect(sealed.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(1100);
      expect(await store.auditTree.latestCheckpoint()).toBeNull();
      await sealAll(store, signer);
      expect(await verifyLog(store, { verifier: signer, given: [] })).toEqual({
        ...CLEAN,
        sealed: 1100,
        pruned: 0,
        unsealed: 0,
        epochs: 1,
        checkpoints: 1,
        vouchedSize: 1100,
      });
      expect(await sealingLag(store)).toEqual({ rows: 0, oldestSeconds: 0 });
      const salts = await sql('select count(distinct salt) as salts from {t}audit_leaves');
      expect(Number(salts[0]?.['salts'])).toBe(1100);
    }));

  it('has tables that nothing is changed in or deleted from', () =>
    withLog(async ({ store, sql }) => {
      await addRows(store, 4);
      await sealAll(store, newSigner());
      for (const statement of [
        "update {t}audit_leaves set leaf_hash = ''",
        'delete from {t}audit_leaves',
        "update {t}audit_tree_nodes set hash = ''",
        'delete from {t}audit_tree_nodes',
        "update {t}audit_checkpoints set note = ''",
        'delete from {t}audit_checkpoints',
        'update {t}audit_epochs set inherited_up_to = 9',
        'delete from {t}audit_epochs',
      ]) {
        await expect(sql(statement), statement).rejects.toThrow('is insert-only');
      }
    }));

  it('stops at a tree that is not the one signed last', () =>
    withLog(async ({ store, sql, disarm }) => {
      const signer = newSigner();
      await addRows(store, 4);
      await sealAll(store, signer);
      await disarm();
      await sql(`update {t}audit_tree_nodes set hash = '${'00'.repeat(32)}' where level = 2`);
      await addRows(store, 1);
      await expect(sealAudit(store, signer)).rejects.toMatchObject({
        code: 'ERR_AUDIT_TAMPERED',
        message: expect.stringContaining('is not the one that its last checkpoint was signed over'),
      });
      expect((await store.auditTree.progress()).size).toBe(4);
      await sql('delete from {t}audit_leaves where leaf_index > 1');
      await expect(sealAudit(store, signer)).rejects.toMatchObject({
        code: 'ERR_AUDIT_TAMPERED',
        message: expect.stringContaining('is smaller than its last checkpoint says'),
      });
    }));

  it('goes on over a log whose old rows were pruned, and whose others were not', () =>
    withLog(async ({ store, sql, disarm }) => {
      const signer = newSigner();
      for (const day of ['01', '02', '03']) {
        await sql(`insert into {t}audit_logs (action, resource_type, status, timestamp)
          values ('old', 'key', 'success', '2020-01-${day}T00:00:00.000Z')`);
      }
      await addRows(store, 5);
      await expect(pruneAudit(store, null, 86_400)).rejects.toMatchObject({
        code: 'ERR_KEY_MISSING',
        message: expect.stringContaining('set AUDIT_SIGNING_KEY_FILE'),
      });
      expect(await pruneAudit(store, signer, 100 * 365 * 86_400)).toEqual({ upToId: null, pruned: 0 });
      expect(await store.audit.count({ action: 'audit_pruned' })).toBe(0);
      expect(await pruneAudit(store, signer, 86_400)).toEqual({ upToId: 3, pruned: 3 });
      expect(await store.audit.count({ action: 'old' })).toBe(0);
      const note = (await store.auditTree.latestCheckpoint())?.note ?? '';
      await addRows(store, 5);
      await sealAll(store, signer);
      const options = { verifier: signer, given: [note] };
      expect(await verifyLog(store, options)).toMatchObject({ ...CLEAN, sealed: 14, pruned: 3, vouchedSize: 14 });
      const [pruned] = await store.audit.list({ action: 'audit_pruned', limit: 1 });
      expect(JSON.parse(pruned?.details ?? '')).toMatchObject({ up_to_id: 3, count: 3, older_than_seconds: 86_400 });
      await disarm();
      await sql('delete from {t}audit_logs where id = 4');
      expect((await verifyLog(store, options)).findings).toEqual([
        { kind: 'deleted', auditId: 4, leafIndex: 3, text: 'Row 4 was deleted.' },
      ]);
      // A leaf that says it is of a row that was permitted to be gone.
      await sql('update {t}audit_leaves set audit_id = 0 where leaf_index = 3');
      const { findings } = await verifyLog(store, options);
      expect(findings).toContainEqual(expect.objectContaining({ kind: 'tree_changed', leafIndex: 3 }));
    }));
});

describe('sealing on PostgreSQL', () => {
  it('waits for a transaction that is open, so that what it commits late is not left out', () =>
    onPostgresSchema(async ({ store, sql }) => {
      const signer = newSigner();
      await addRows(store, 1);
      await sealAll(store, signer);
      await sql('begin');
      await sql("insert into {t}audit_logs (action, resource_type, status) values ('late', 'key', 'success')");
      expect(await addRows(store, 1)).toEqual([3]);
      await sealAudit(store, signer);
      expect((await store.auditTree.progress()).size).toBe(1);
      expect((await sealingLag(store)).rows).toBe(1);
      await sql('commit');
      await sealAll(store, signer);
      const leaves = await store.auditTree.leavesFrom(0, 10);
      expect(leaves.map(({ auditId }) => auditId)).toEqual([1, 2, 3]);
      expect(await verifyLog(store, { verifier: signer, given: [] })).toMatchObject({ ...CLEAN, sealed: 3 });
    }));

  it('begins an epoch where a dump of another server is restored', () =>
    onPostgresSchema(async ({ store, sql, disarm }) => {
      const signer = newSigner();
      await addRows(store, 3);
      await sealAll(store, signer);
      await addRows(store, 3);
      await sealAll(store, signer);
      await addRows(store, 2);
      // The other server was far ahead with its transactions, which a dump keeps as they are.
      await disarm();
      await sql("update {t}audit_logs set xact_id = cast('900000' || id as xid8)");
      await sql("update {t}audit_epochs set cluster = '1'");
      await addRows(store, 2);
      expect(await verifyLog(store, { verifier: signer, given: [] })).toMatchObject({ ...CLEAN, unsealed: 4 });
      await sealAll(store, signer);
      await addRows(store, 2);
      await sealAll(store, signer);
      expect((await store.auditTree.epochs()).map(({ epoch, inheritedUpTo }) => [epoch, inheritedUpTo])).toEqual([
        [1, 3],
        [2, 10],
      ]);
      expect(await verifyLog(store, { verifier: signer, given: [] })).toMatchObject({
        ...CLEAN,
        sealed: 12,
        epochs: 2,
      });
    }));

  it('works for a role that may not ask which server it is', () =>
    withPostgresSchema(async ({ url, schema, client }) => {
      const { openStore } = await import('../../src/store/open-store.js');
      const store = await openStore({ dialect: 'postgres', connectionString: url }, { schema });
      const role = `${schema}_role`;
      await client.query(`create role ${role} login password 'of-a-test'; grant usage on schema ${schema} to ${role};
        grant all on all tables in schema ${schema} to ${role}; grant all on all sequences in schema ${schema} to ${role}`);
      const place = new URL(url);
      place.username = role;
      place.password = 'of-a-test';
      const theirs = await openStore({ dialect: 'postgres', connectionString: place.href }, { schema });
      try {
        await client.query('revoke execute on function pg_control_system() from public');
        expect(await theirs.audit.cluster()).toBeNull();
        expect(await store.audit.cluster()).toMatch(/^\d+$/);
        for (const by of [theirs, store, theirs]) {
          await addRows(theirs, 2);
          await sealAll(by, null);
        }
        expect((await store.auditTree.progress()).size).toBe(6);
        expect(await store.auditTree.epochs()).toHaveLength(1);
      } finally {
        await theirs.close();
        await store.close();
        await client.query('grant execute on function pg_control_system() to public');
        await client.query(`drop owned by ${role}; drop role ${role}`);
      }
    }));
});
