/** A process of its own that creates or restores a backup; argv holds the verb, the database and the options as JSON. */
import { createBackup } from '../../src/usecases/create-backup.js';
import { restoreBackup } from '../../src/usecases/restore-backup.js';
import { bareDependencies } from '../usecases/bare-dependencies.js';

const [verb, file, options] = JSON.parse(process.argv[2] ?? '[]');
const deps = bareDependencies({ target: { dialect: 'sqlite', file } });
await (verb === 'create' ? createBackup(deps, options) : restoreBackup(deps, options));
