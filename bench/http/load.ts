/** What autocannon measures of one server. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';

const CONNECTIONS = 32;

/** A server under load. */
export interface Server {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a file of this folder; it tells its address as its first message, and ends when it is disconnected. */
export async function start(name: string, given: unknown): Promise<Server> {
  const child: ChildProcess = fork(fileURLToPath(new URL(name, import.meta.url)), [JSON.stringify(given)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const [url] = await Promise.race([
    once(child, 'message'),
    exited.then(() => Promise.reject(new Error(`${name} has ended`))),
  ]);
  return {
    url: String(url),
    async close() {
      child.disconnect();
      await exited;
    },
  };
}

/** One turn. */
export interface Measured {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p99: number;
}

/** Verifies the keys in turn for so long. @throws Error when any answer is not 200 */
export async function load(
  { url }: Server,
  token: string,
  keys: readonly string[],
  seconds: number,
): Promise<Measured> {
  const requests = keys.map((key) => ({
    method: 'POST' as const,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ key, scopes: ['read:projects'] }),
  }));
  let clients = 0;
  const result = await autocannon({
    url: `${url}/api/encryption/keys/verify`,
    connections: CONNECTIONS,
    duration: seconds,
    requests,
    // Each connection begins at another key: in step, they would all ask for the same one, and share its answer.
    setupClient: (client) => {
      const first = (clients++ * 7) % requests.length;
      client.setRequests([...requests.slice(first), ...requests.slice(0, first)]);
    },
  });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`${result.non2xx} answers were no 200, ${result.errors} requests failed`);
  }
  return { perSecond: result.requests.average, p99: result.latency.p99 };
}
