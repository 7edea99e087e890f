/** The public names of the server package, for code. The command line is `fieldseal`. */
export { type DatabaseTarget, databaseName, parseDatabaseUrl } from './store/database-url.js';
export { type OpenStoreOptions, openStore } from './store/open-store.js';
export type { AuditRow, NewAuditRow, Run, RunKind, RunStatus, Store } from './store/store.js';
export type { Dependencies, Driver, Notice } from './usecases/dependencies.js';
export type { SweepOptions, SweepReport } from './usecases/drive-run.js';
export { rotateKeys } from './usecases/rotate-keys.js';
export { scanDatabase } from './usecases/scan-database.js';
export { sweepTables } from './usecases/sweep-tables.js';
