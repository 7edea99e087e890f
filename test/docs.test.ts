import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type CodeBlock, codeBlocksOf, withCodeBlockFolder } from './code-blocks.ts';

const root = new URL('../', import.meta.url);
const folder = new URL('docs/', root);
const documents = [
  'README.md',
  'packages/fieldseal/README.md',
  'packages/server/README.md',
  ...(existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.md')) : []).map(
    (name) => `docs/${name}`,
  ),
].filter((path) => existsSync(new URL(path, root)));

/** Runs the blocks in order, and stops at the first that ends otherwise than its mark says. */
async function runBlocks(blocks: readonly CodeBlock[]): Promise<string[]> {
  return withCodeBlockFolder(async (place) => {
    const outputs: string[] = [];
    for (const { mark, ...block } of blocks) {
      if (mark?.kind === 'file') await place.write(mark.name, block.code);
      if (mark?.kind === 'background') await place.start({ mark, ...block });
      if (mark?.kind !== 'run') continue;
      const { exitCode, output } = await place.run({ mark, ...block });
      expect(exitCode, `the block at line ${block.line} ended with ${exitCode}:\n${output}`).toBe(mark.exitCode);
      outputs.push(output);
    }
    return outputs;
  });
}

describe.each(documents)('%s', (path) => {
  const blocks = codeBlocksOf(readFileSync(new URL(path, root), 'utf8'));

  it('says of each code block whether it is run', () => {
    expect(blocks.filter(({ mark }) => mark === null).map(({ line }) => `${path}:${line}`)).toEqual([]);
  });

  it('runs as it stands there', { timeout: 60_000 * (blocks.length + 1) }, async () => {
    await runBlocks(blocks);
  });
});

describe('the code blocks of a document', () => {
  const document = (...lines: string[]) => codeBlocksOf(lines.join('\n'));

  it('are found with their marks', () => {
    const blocks = document(
      '<!-- run -->',
      '```ts',
      'a();',
      '```',
      '<!-- run: exit 3 -->',
      '```bash',
      'exit 3',
      '```',
      '- In a list:',
      '  <!-- not run: needs a server -->',
      '  ~~~js',
      '  if (a) {',
      '    b();',
      '  }',
      '  ~~~',
      '<!-- file: a.config.ts -->',
      '````typescript',
      '```',
      '````',
      '```json',
      '{}',
      '```',
    );
    expect(blocks).toEqual([
      { language: 'ts', code: 'a();\n', line: 2, mark: { kind: 'run', exitCode: 0 } },
      { language: 'bash', code: 'exit 3\n', line: 6, mark: { kind: 'run', exitCode: 3 } },
      {
        language: 'js',
        code: 'if (a) {\n  b();\n}\n',
        line: 11,
        mark: { kind: 'not run', reason: 'needs a server' },
      },
      { language: 'ts', code: '```\n', line: 17, mark: { kind: 'file', name: 'a.config.ts' } },
    ]);
  });

  it.each(['Text.', '', '<!-- not run -->', '<!-- not run: -->', '<!-- runs -->'])(
    'are unmarked after "%s"',
    (line) => {
      expect(document(line, '```sh', 'true', '```')[0]?.mark).toBeNull();
    },
  );

  it('run in order, in one folder and one environment', async () => {
    const outputs = await runBlocks(
      document(
        '<!-- run -->',
        '```bash',
        'export NAME="Ada Lovelace"',
        'touch left-behind.txt',
        '```',
        '<!-- file: greeting.ts -->',
        '```ts',
        "export const greeting: string = 'Hello';",
        '```',
        '<!-- run -->',
        '```ts',
        "import { Fernet } from 'fieldseal';",
        "import { greeting } from './greeting.ts';",
        "console.log(greeting, process.env['NAME'], Fernet.generateKey().length);",
        '```',
        '<!-- run: exit 7 -->',
        '```bash',
        'ls left-behind.txt; exit 7',
        '```',
      ),
    );
    expect(outputs).toEqual(['', 'Hello Ada Lovelace 44\n', 'left-behind.txt\n']);
  });

  it.each([
    ['a failing command', '<!-- run -->', 'false', 'ended with 1'],
    ['a success where a failure is promised', '<!-- run: exit 1 -->', 'true', 'ended with 0'],
  ])('fail on %s', async (_fact, mark, code, message) => {
    await expect(runBlocks(document(mark, '```bash', code, '```'))).rejects.toThrow(message);
  });
});
