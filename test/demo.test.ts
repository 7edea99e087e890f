import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** Fewer than `npm run demo` makes: the steps are the same, and the suite has a bound. */
const CUSTOMERS = 5000;

async function runDemo(folder: string): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/demo/main.ts', folder, String(CUSTOMERS)], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [exitCode] = await once(child, 'close');
  expect(output).toContain('What to try next');
  expect(exitCode).toBe(0);
  return output;
}

let folder: string;

beforeAll(async () => {
  // Inside the repository, so that its configuration finds the packages.
  folder = await mkdtemp(join(ROOT, 'fieldseal-demo-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test.each(['once', 'and again in the same folder'])('the demo runs %s, and no late write is lost', async () => {
  expect(await runDemo(folder)).toMatch(/all \d+ rows that were written meanwhile hold their last write/);
  expect((await readdir(folder)).sort()).toEqual([
    '.env',
    'backup.age',
    'customers.db',
    'fieldseal.config.ts',
    'restored.db',
  ]);
});
