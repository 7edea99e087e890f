/** The store's tables as the query builder sees them: the same columns and JavaScript types on both databases. */
import type { StoredKey } from 'fieldseal';
import type { Generated } from 'kysely';
import type { Schedule } from './schedule.js';
import type { AuditRow, RunKind, RunStatus, SweepRange } from './store.js';

/** Which of our migrations have run. */
interface FieldsealMigrationsTable {
  version: number;
  applied_at: Generated<string>;
}

/** One row a key. The library reads these columns with SQL of its own, so their names are a contract. */
interface EncryptionKeysTable {
  purpose: StoredKey['purpose'];
  version: string;
  key_id: number;
  state: StoredKey['state'];
  /** Text on both databases: it stands under a MAC, so it must come back character by character. */
  created_at: string;
  /** JSON text: root fingerprint → wrap. */
  wraps: string;
}

/** One row: the ring that the keys belong to. Also read by the library's own SQL. */
interface KeyringStateTable {
  singleton: number;
  keyring_id: string;
  generation: number;
  /** JSON text: root fingerprint → MAC. */
  macs: string;
}

/** One row a process that reads the keyring; the library writes them. */
interface KeyringReadersTable {
  process: string;
  generation: number;
  /** Unix seconds of the database's clock. */
  seen_at: number;
}

/** One row a run, of every kind: the name and the first ten columns are those of the Python original. */
interface EncryptionKeyRotationsTable {
  id: Generated<number>;
  old_key_version: string | null;
  new_key_version: string | null;
  timestamp: Generated<string>;
  rotation_status: Generated<RunStatus>;
  total_records: Generated<number>;
  rotated_records: Generated<number>;
  failed_records: Generated<number>;
  error_details: string | null;
  notes: string | null;
  kind: Generated<RunKind>;
  current_records: Generated<number>;
  skipped_records: Generated<number>;
  initiated_by: string;
  updated_at: Generated<string>;
  completed_at: string | null;
  pass: Generated<number>;
  owner: string | null;
  /** Unix milliseconds of the database's clock. */
  lease_until: number | null;
  fence: Generated<number>;
  report: string | null;
  /** As `is_active` of API keys. */
  solo: Generated<boolean | number>;
  declaration: string | null;
}

interface SweepRangesTable {
  id: Generated<number>;
  run_id: number;
  pass: number;
  seq: number;
  table_name: string;
  part: SweepRange['part'];
  state: Generated<SweepRange['state']>;
  cursor: string | null;
  counts: Generated<string>;
  upper: string | null;
  owner: string | null;
  /** Unix milliseconds of the database's clock. */
  lease_until: number | null;
  fence: Generated<number>;
}

/** One row a schedule. */
interface SweepSchedulesTable {
  id: Generated<number>;
  kind: Schedule['kind'];
  cron: string;
  timezone: string;
  /** Unix milliseconds. */
  next_at: number;
  last_at: string | null;
  last_run_id: number | null;
}

interface SweepFailuresTable {
  run_id: number;
  table_name: string;
  column_name: string;
  primary_key: string;
  reason: string;
}

interface AuditLogsTable {
  id: Generated<number>;
  user_id: string | null;
  action: string;
  resource_type: string;
  resource_id: string | null;
  ip_address: string | null;
  status: AuditRow['status'];
  timestamp: Generated<string>;
  details: string | null;
  request_id: string | null;
  user_agent: string | null;
}

/** One row a sensitive value in the details of an audit row. */
interface AuditLogValuesTable {
  audit_id: number;
  name: string;
  /** 64 hex digits. */
  value_hash: string;
}

/** One row for each epoch of sealing. */
interface AuditEpochsTable {
  epoch: number;
  cluster: string | null;
  inherited_up_to: number;
  start_xact: number | null;
  created_at: Generated<string>;
}

/** One row for each sealed row of the audit log; salts and hashes in hex, here as below. */
interface AuditLeavesTable {
  leaf_index: number;
  epoch: number;
  audit_id: number;
  xact_id: number | null;
  salt: string;
  row_hash: string;
  leaf_hash: string;
}

/** The complete nodes above the leaves. */
interface AuditTreeNodesTable {
  level: number;
  node_index: number;
  hash: string;
}

interface AuditCheckpointsTable {
  tree_size: number;
  note: string;
  created_at: Generated<string>;
}

/** What may be deleted: the guards let go of audit rows up to this id. */
interface AuditPrunesTable {
  id: Generated<number>;
  up_to_id: number;
  pruned_at: Generated<string>;
  by: string;
}

/** One row a stream of the audit log. */
interface AuditStreamsTable {
  name: string;
  /** JSON text. */
  cursor: string;
  updated_at: Generated<string>;
}

interface ApiKeysTable {
  id: Generated<number>;
  user_id: string;
  name: string;
  prefix: string;
  key_hash: string | null;
  row_mac: string | null;
  encrypted_key: string | null;
  /** Separated by commas; NULL means none in rows of the Python original. */
  scopes: string | null;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  /** SQLite has 0 and 1. Written only as the SQL words true and false, which both databases know. */
  is_active: Generated<boolean | number>;
  revoked_at: string | null;
  revoked_by: string | null;
  revoked_reason: string | null;
  disabled_at: string | null;
  disabled_by: string | null;
  /** Separated by commas. */
  allowed_ips: string | null;
  rate_limit: number | null;
  rate_window_seconds: number | null;
  quota: number | null;
  /** JSON text. */
  metadata: string | null;
  rerolled_from: number | null;
}

/** One row a key that has a rate limit or a quota and was used. */
interface ApiKeyUsageTable {
  key_id: number;
  /** Unix milliseconds of the database's clock. */
  window_started: Generated<number>;
  window_count: Generated<number>;
  quota_used: Generated<number>;
}

/** One row a request that carried an `Idempotency-Key`. */
interface FieldsealIdempotencyKeysTable {
  subject: string;
  idempotency_key: string;
  request_hash: string;
  resource_id: number | null;
  created_at: Generated<string>;
}

/** One row for each kind of thing that processes keep in memory: its revision grows in the transaction of each change. */
interface FieldsealRevisionsTable {
  /** `unchecked_api_keys` is above 0 when keys of our shape but without our checksum were taken over. */
  name: 'api_keys' | 'unchecked_api_keys';
  revision: number;
}

/** One row a subject, also of an erased one. The library reads and inserts these columns with SQL of its own. */
interface SubjectKeysTable {
  tenant: Generated<string>;
  subject: string;
  /** NULL: erased. */
  wrapped: string | null;
  created_at: Generated<string>;
  erased_at: string | null;
}

/** One row: the root that all subjects' secrets are wrapped under. Also read and locked by the library's own SQL. */
interface SubjectStateTable {
  singleton: number;
  generation: number;
  root_fingerprint: string;
}

export interface StoreSchema {
  fieldseal_migrations: FieldsealMigrationsTable;
  encryption_keys: EncryptionKeysTable;
  keyring_state: KeyringStateTable;
  keyring_readers: KeyringReadersTable;
  encryption_key_rotations: EncryptionKeyRotationsTable;
  sweep_ranges: SweepRangesTable;
  sweep_schedules: SweepSchedulesTable;
  sweep_failures: SweepFailuresTable;
  audit_logs: AuditLogsTable;
  audit_log_values: AuditLogValuesTable;
  audit_prunes: AuditPrunesTable;
  audit_streams: AuditStreamsTable;
  audit_epochs: AuditEpochsTable;
  audit_leaves: AuditLeavesTable;
  audit_tree_nodes: AuditTreeNodesTable;
  audit_checkpoints: AuditCheckpointsTable;
  api_keys: ApiKeysTable;
  api_key_usage: ApiKeyUsageTable;
  fieldseal_idempotency_keys: FieldsealIdempotencyKeysTable;
  fieldseal_revisions: FieldsealRevisionsTable;
  subject_keys: SubjectKeysTable;
  subject_state: SubjectStateTable;
}
