/** What a command loads before it answers: the packages that it does without would take longer than the command itself. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withProject } from '../with-project.js';

/** The packages of which a command loads anything, in the order of the alphabet. */
function packagesOf(...argv: string[]): Promise<string[]> {
  return withProject({}, async ({ fieldseal, folder }) => {
    const coverage = join(folder, 'coverage');
    expect((await fieldseal(...argv, { env: { NODE_V8_COVERAGE: coverage } })).exitCode).toBe(0);
    const scripts = readdirSync(coverage).flatMap(
      (file) => (JSON.parse(readFileSync(join(coverage, file), 'utf8')) as { result: { url: string }[] }).result,
    );
    const names = scripts.map(({ url }) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? '');
    return [...new Set(names)].filter((name) => name !== '').sort();
  });
}

describe('a command', () => {
  it.each([['--help'], ['keygen'], ['backup', 'create', '--help']])(
    'that opens no database loads none: %s %s',
    async (...argv) => {
      expect(await packagesOf(...argv)).toEqual(['commander']);
    },
  );

  it('on SQLite loads what opens SQLite', async () => {
    const loaded = await packagesOf('status');
    expect(loaded).toEqual(expect.arrayContaining(['better-sqlite3', 'commander', 'kysely']));
    const others = ['age-encryption', 'fastify', 'jiti', 'jose', 'pg', 'typebox'];
    expect(others.filter((name) => loaded.includes(name))).toEqual([]);
  });
});
