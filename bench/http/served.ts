/** `fieldseal serve` as it is, in a process of its own; only how many keys it may keep in memory is said here. */
import { createWriteStream } from 'node:fs';
import { devNull } from 'node:os';
import { takeEnvironmentKeys } from 'fieldseal';
import { readSettings } from '../../packages/server/dist/config/settings.js';
import { serve } from '../../packages/server/dist/serve.js';
import { parseDatabaseUrl } from '../../packages/server/dist/store/database-url.js';
import { jwtSettings } from '../../packages/server/dist/usecases/principals.js';

const { url, schema, key, jwtSecret, cachedApiKeys, folder } = JSON.parse(process.argv[2] ?? '{}');
const stop = new AbortController();
process.once('disconnect', () => stop.abort());
// Where a log goes costs less here than in production; that lines are made costs the same.
const log = createWriteStream(devNull);
await serve({
  version: '0',
  settings: readSettings({ PORT: '0' }),
  jwt: jwtSettings(jwtSecret, undefined, undefined),
  target: parseDatabaseUrl(url),
  schema,
  subjectRootFile: null,
  keys: takeEnvironmentKeys({ ENCRYPTION_KEY: key }),
  driver: { owner: 'bench', isGone: () => false },
  folder,
  configFile: null,
  loadConfig: async () => null,
  stop: stop.signal,
  ...(cachedApiKeys !== null && { cachedApiKeys }),
  log: (line) => void log.write(`${JSON.stringify(line)}\n`),
  onListening: (address) => void process.send?.(address),
  onAdvice: () => {},
});
