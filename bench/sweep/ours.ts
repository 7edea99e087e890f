/** A project whose command line sweeps a table `t`: what `npm run bench:sweep` measures of ours. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../../packages/server/bin/fieldseal.js', import.meta.url));
const LOOK_MS = 100;
const CONFIG = `import { defineConfig, defineModel, encryptedString } from 'fieldseal';
export default defineConfig({ keys: 'stored', model: defineModel({
  t: { primaryKey: 'id', columns: { c: encryptedString({ alsoReads: ['plaintext'] }) } },
}) });
`;

/** What one command did. */
export interface Sweep {
  /** Of the pass that writes: from its first row to its last checkpoint. */
  readonly rowsPerSecond: number;
  /** Of the whole command: start, count, sweep and verifying pass. */
  readonly seconds: number;
  /** The most that the process had in memory; null where the system does not tell. */
  readonly peakMiB: number | null;
}

/** The command line on one database, by one process a command. */
export class Ours {
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#env = env;
  }

  /** @param folder empty, in a place from which `fieldseal` can be imported */
  static async open(folder: string, databaseUrl: string, key: string): Promise<Ours> {
    await writeFile(join(folder, 'fieldseal.config.mjs'), CONFIG);
    return new Ours(folder, { PATH: process.env['PATH'], ENCRYPTION_KEY: key, DATABASE_URL: databaseUrl });
  }

  /** Runs `encrypt` or `rotate` to its end. Throws unless it completed. */
  async sweep(command: 'encrypt' | 'rotate'): Promise<Sweep> {
    const startedMs = performance.now();
    const child = spawn(process.execPath, [LAUNCHER, command, '--json'], {
      cwd: this.#folder,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let peakMiB: number | null = null;
    const look = setInterval(async () => {
      peakMiB = (await residentMiB(child.pid as number)) ?? peakMiB;
    }, LOOK_MS);
    const ended = once(child, 'close');
    let [rowsPerSecond, status] = [0, ''];
    for await (const line of createInterface({ input: child.stdout })) {
      const told = JSON.parse(line);
      // The last line of the pass that writes, whose rate counts from its first row.
      if (told.type === 'progress' && told.pass === 1 && told.done >= told.total) rowsPerSecond = told.perSecond;
      status = told.status ?? told.message ?? status;
    }
    await ended;
    clearInterval(look);
    if (status !== 'completed') throw new Error(`${command} ended as: ${status}`);
    return { rowsPerSecond, seconds: (performance.now() - startedMs) / 1000, peakMiB };
  }
}

/** The high-water mark of a process's resident memory, where there is a `/proc`. */
async function residentMiB(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kiB = /^VmHWM:\s+(\d+)/m.exec(status)?.[1];
  return kiB === undefined ? null : Number(kiB) / 1024;
}
