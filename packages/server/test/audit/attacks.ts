/** What an intruder who owns the database, and does not have the signing key, can do to a sealed log. */
import { auditLeafHash, auditRowHash } from '../../src/audit/audit-leaf.js';
import { signPrune } from '../../src/audit/prune-note.js';
import { type AuditedStore, addRows, newSigner, sealAll } from './with-logs.js';

/** Rows 1 to 27 were sealed, with checkpoints over 1, 7 and 27 leaves. */
export interface Attack {
  readonly name: string;
  attack(place: AuditedStore): Promise<unknown>;
  /** The first finding: what is wrong, and with which row. */
  readonly finds: readonly [kind: string, auditId: number | null];
  /** Whether only a checkpoint that was kept elsewhere shows it. */
  readonly needsCheckpoint?: true;
}

const COLUMNS = 'action, resource_type, status';
const VALUES = "'forged', 'key', 'success'";

const update = (set: string, id: number) => (place: AuditedStore) =>
  place.sql(`update {t}audit_logs set ${set} where id = ${id}`);

/** Makes the tree anew over what is there, and puts back the checkpoints up to a size. */
async function rebuild({ store, sql }: AuditedStore, keepCheckpointsUpTo: number): Promise<void> {
  const checkpoints = await store.auditTree.checkpointsAfter(0, 100);
  for (const table of ['audit_leaves', 'audit_tree_nodes', 'audit_checkpoints']) await sql(`delete from {t}${table}`);
  await sealAll(store, null);
  for (const { size, note } of checkpoints.filter((checkpoint) => checkpoint.size <= keepCheckpointsUpTo))
    await sql(`insert into {t}audit_checkpoints (tree_size, note) values (${size}, '${note}')`);
}

async function truncate({ sql }: AuditedStore, size: number): Promise<void> {
  await sql(`delete from {t}audit_logs where id > ${size}`);
  await sql(`delete from {t}audit_leaves where leaf_index >= ${size}`);
  await sql(`delete from {t}audit_checkpoints where tree_size > ${size}`);
  for (let level = 1; level < 8; level++)
    await sql(
      `delete from {t}audit_tree_nodes where level = ${level} and node_index >= ${Math.floor(size / 2 ** level)}`,
    );
}

export const ATTACKS: readonly Attack[] = [
  { name: 'edited details', attack: update("details = '{}'", 5), finds: ['edited', 5] },
  { name: 'an edited user, to none', attack: update('user_id = null', 12), finds: ['edited', 12] },
  { name: 'an edited outcome of the last row', attack: update("status = 'failure'", 27), finds: ['edited', 27] },
  {
    name: 'a row dated back',
    attack: update("timestamp = '2020-01-01T00:00:00.000Z'", 9),
    finds: ['edited', 9],
  },
  { name: 'another id for a row', attack: update('id = 3000', 4), finds: ['deleted', 4] },
  {
    name: 'two rows that trade their ids',
    attack: async ({ sql }) => {
      await sql('update {t}audit_logs set id = -1 where id = 5');
      await sql('update {t}audit_logs set id = 5 where id = 6');
      await sql('update {t}audit_logs set id = 6 where id = -1');
    },
    finds: ['edited', 5],
  },
  { name: 'a deleted row', attack: ({ sql }) => sql('delete from {t}audit_logs where id = 6'), finds: ['deleted', 6] },
  {
    name: 'the last row deleted',
    attack: ({ sql }) => sql('delete from {t}audit_logs where id = 27'),
    finds: ['deleted', 27],
  },
  {
    name: 'a row deleted with its leaf',
    attack: async ({ sql }) => {
      await sql('delete from {t}audit_logs where id = 6');
      await sql('delete from {t}audit_leaves where audit_id = 6');
    },
    finds: ['deleted', null],
  },
  {
    name: 'two leaves in each other’s place',
    attack: async ({ sql }) => {
      await sql('update {t}audit_leaves set leaf_index = -1 where leaf_index = 10');
      await sql('update {t}audit_leaves set leaf_index = 10 where leaf_index = 11');
      await sql('update {t}audit_leaves set leaf_index = 11 where leaf_index = -1');
    },
    finds: ['reordered', 11],
  },
  {
    name: 'a row put behind those that are sealed, with an old id',
    attack: async ({ sql, store }) => {
      const [column, value] = store.dialect === 'postgres' ? [', xact_id', ", '3'"] : ['', ''];
      await sql(`insert into {t}audit_logs (id, ${COLUMNS}${column}) values (-5, ${VALUES}${value})`);
      await sealAll(store, null);
    },
    finds: ['inserted', -5],
  },
  {
    name: 'a row put among those that are sealed, with a leaf beside the tree',
    attack: async ({ sql, store }) => {
      const [column, value] = store.dialect === 'postgres' ? [', xact_id', ", '3'"] : ['', ''];
      await sql(`insert into {t}audit_logs (id, ${COLUMNS}${column}) values (-5, ${VALUES}${value})`);
      await sql(`insert into {t}audit_leaves (leaf_index, epoch, audit_id, salt, row_hash, leaf_hash)
        values (-1, 1, -5, '', '', '')`);
    },
    finds: ['inserted', -5],
  },
  {
    name: 'a row with an old time, and an epoch that is said to have begun with it',
    attack: async ({ sql, store }) => {
      await sql(`insert into {t}audit_logs (${COLUMNS}, timestamp) values (${VALUES}, '2020-01-01T00:00:00.000Z')`);
      await sealAll(store, null);
      await sql('update {t}audit_epochs set inherited_up_to = 1000');
    },
    finds: ['backdated', 28],
  },
  {
    name: 'a leaf that is said to be of another epoch',
    attack: ({ sql }) => sql('update {t}audit_leaves set epoch = 2 where audit_id = 27'),
    finds: ['tree_changed', 27],
  },
  {
    name: 'a row written today with the time of another day',
    attack: async ({ sql, store }) => {
      await sql(`insert into {t}audit_logs (${COLUMNS}, timestamp) values (${VALUES}, '2020-01-01T00:00:00.000Z')`);
      await sealAll(store, null);
    },
    finds: ['backdated', 28],
  },
  {
    name: 'an edited row whose leaf was made to fit',
    attack: async (place) => {
      await update("details = '{}'", 10)(place);
      const leaf = await place.store.auditTree.leafOf(10);
      if (!leaf?.row) throw new Error('row 10 is sealed');
      const rowHash = auditRowHash(leaf.row, leaf.salt);
      const hash = auditLeafHash({ ...leaf, rowHash }).toString('hex');
      await place.sql(
        `update {t}audit_leaves set row_hash = '${rowHash.toString('hex')}', leaf_hash = '${hash}' where audit_id = 10`,
      );
    },
    finds: ['tree_changed', 10],
  },
  {
    name: 'an edited row, and a tree that was made anew',
    attack: async (place) => {
      await update("details = '{}'", 10)(place);
      await rebuild(place, 100);
    },
    finds: ['tree_changed', 1],
  },
  {
    name: 'a node that was changed',
    attack: ({ sql }) => sql("update {t}audit_tree_nodes set hash = '00' where level = 2 and node_index = 1"),
    finds: ['tree_changed', 8],
  },
  {
    name: 'a node that is gone',
    attack: ({ sql }) => sql('delete from {t}audit_tree_nodes where level = 2 and node_index = 1'),
    finds: ['tree_changed', 8],
  },
  {
    name: 'a checkpoint that another key signed',
    attack: async ({ sql, store }) => {
      await sql('delete from {t}audit_checkpoints where tree_size = 27');
      await sealAll(store, newSigner());
    },
    finds: ['checkpoint_invalid', null],
  },
  {
    name: 'deleted rows behind a prune that another key signed',
    attack: async ({ sql, store }) => {
      const details = JSON.stringify({ note: await signPrune(5, newSigner()) });
      await sql('delete from {t}audit_logs where id <= 5');
      await store.audit.insert({ action: 'audit_pruned', resourceType: 'audit_log', status: 'success', details });
      await sealAll(store, null);
    },
    finds: ['deleted', 1],
  },
  {
    name: 'leaves, rows and nodes gone, and checkpoints left',
    attack: async (place) => {
      const { note } = (await place.store.auditTree.latestCheckpoint()) ?? { note: '' };
      await truncate(place, 7);
      await place.sql(`insert into {t}audit_checkpoints (tree_size, note) values (27, '${note}')`);
    },
    finds: ['truncated', 7],
  },
  { name: 'a truncated tail', attack: (place) => truncate(place, 7), finds: ['truncated', 7], needsCheckpoint: true },
  {
    name: 'everything gone',
    attack: (place) => truncate(place, 0),
    finds: ['truncated', null],
    needsCheckpoint: true,
  },
  {
    name: 'a suffix that was written anew',
    attack: async (place) => {
      await truncate(place, 7);
      await addRows(place.store, 25);
      await sealAll(place.store, null);
    },
    finds: ['forked', 28],
    needsCheckpoint: true,
  },
  {
    name: 'a log that was made anew from its first row',
    attack: async (place) => {
      await update("details = '{}'", 10)(place);
      await rebuild(place, 0);
    },
    finds: ['forked', 1],
    needsCheckpoint: true,
  },
];
