/** The public names of the server package, for code. The command line is `fieldseal`. */
export { type DatabaseTarget, databaseName, parseDatabaseUrl } from './store/database-url.js';
export { type OpenStoreOptions, openStore } from './store/open-store.js';
export type { AuditRow, NewAuditRow, Run, RunKind, RunStatus, Store } from './store/store.js';
export type { ApiKeyView } from './usecases/api-key-view.js';
export {
  type CreatedApiKey,
  createApiKey,
  createApiKeyOnce,
  type NewApiKeyInput,
  type ReplayedApiKey,
} from './usecases/create-api-key.js';
export type { Dependencies, Driver, Notice } from './usecases/dependencies.js';
export type { SweepOptions, SweepReport } from './usecases/drive-run.js';
export { exportAuditLogs } from './usecases/export-audit-logs.js';
export { getApiKey } from './usecases/get-api-key.js';
export { type ApiKeyPage, listApiKeys } from './usecases/list-api-keys.js';
export { listAuditLogs, searchAuditLogs } from './usecases/list-audit-logs.js';
export { type RecordedAudit, recordAudit } from './usecases/record-audit.js';
export { type RerolledApiKey, type RerollInput, rerollApiKey } from './usecases/reroll-api-key.js';
export { revokeApiKey } from './usecases/revoke-api-key.js';
export { rotateKeys } from './usecases/rotate-keys.js';
export { scanDatabase } from './usecases/scan-database.js';
export { type Actor, OPERATOR_ACTOR, openService, type Service, type ServiceSettings } from './usecases/service.js';
export { sweepTables } from './usecases/sweep-tables.js';
export { disableApiKey, enableApiKey } from './usecases/switch-api-key.js';
export { type ApiKeyChangeInput, updateApiKey } from './usecases/update-api-key.js';
export {
  type ApiKeyVerdict,
  type VerificationCode,
  type VerificationInput,
  verifyApiKey,
} from './usecases/verify-api-key.js';
