/** `fieldseal serve` as it is, in a process of its own; only how many keys it may keep in memory is said here. */
import { takeEnvironmentKeys } from 'fieldseal';
import { readSettings } from '../../packages/server/dist/config/settings.js';
import { serve } from '../../packages/server/dist/serve.js';
import { parseDatabaseUrl } from '../../packages/server/dist/store/database-url.js';
import { createLog, gatherLines } from '../../packages/server/dist/telemetry/log.js';
import { jwtSettings } from '../../packages/server/dist/usecases/principals.js';

const { url, schema, key, jwtSecret, cachedApiKeys, folder } = JSON.parse(process.argv[2] ?? '{}');
const stop = new AbortController();
process.once('disconnect', () => stop.abort());
await serve({
  version: '0',
  settings: readSettings({ PORT: '0' }),
  jwt: jwtSettings({ secret: jwtSecret, jwksUrl: undefined, issuer: undefined, audience: undefined }),
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
  // As the command does it; whoever starts this process sends its output nowhere.
  log: createLog(
    'info',
    gatherLines((lines) => void process.stdout.write(lines)),
  ),
  onListening: (address) => void process.send?.(address),
  onAdvice: () => {},
  auditSigner: null,
});
