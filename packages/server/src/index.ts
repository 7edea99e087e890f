/** The public names of the server package, for code. The command line is `fieldseal`. */
export { type DatabaseTarget, databaseName, parseDatabaseUrl } from './store/database-url.js';
export { type OpenStoreOptions, openStore } from './store/open-store.js';
export type { AuditRow, NewAuditRow, Run, RunKind, RunStatus, Store } from './store/store.js';
export type { ApiKeyView } from './usecases/api-key-view.js';
export { type CreatedApiKey, createApiKey, type NewApiKeyInput } from './usecases/create-api-key.js';
export type { Dependencies, Driver, Notice } from './usecases/dependencies.js';
export type { SweepOptions, SweepReport } from './usecases/drive-run.js';
export { listApiKeys } from './usecases/list-api-keys.js';
export { listAuditLogs } from './usecases/list-audit-logs.js';
export { recordAudit } from './usecases/record-audit.js';
export { revokeApiKey } from './usecases/revoke-api-key.js';
export { rotateKeys } from './usecases/rotate-keys.js';
export { scanDatabase } from './usecases/scan-database.js';
export { type Actor, OPERATOR_ACTOR, openService, type Service, type ServiceSettings } from './usecases/service.js';
export { sweepTables } from './usecases/sweep-tables.js';
export {
  type ApiKeyVerdict,
  type VerificationCode,
  type VerificationInput,
  verifyApiKey,
} from './usecases/verify-api-key.js';
