import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

async function runDemo(folder: string): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/demo/main.ts', folder], {
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

test('the demo runs twice in the same folder, and no late write is lost', async () => {
  // Inside the repository, so that its configuration finds the packages.
  const folder = await mkdtemp(join(ROOT, 'fieldseal-demo-'));
  try {
    for (const _round of [1, 2]) {
      expect(await runDemo(folder)).toMatch(/all \d+ rows that were written meanwhile hold their last write/);
    }
    expect((await readdir(folder)).sort()).toEqual([
      '.env',
      'backup.age',
      'customers.db',
      'fieldseal.config.ts',
      'restored.db',
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
