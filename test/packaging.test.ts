import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../', import.meta.url));

interface Packed {
  readonly filename: string;
  readonly files: readonly string[];
}

let scratch: string;
let library: Packed;
let server: Packed;

/** `npm pack` of the packages as they are built now. */
async function pack(workspace: string): Promise<Packed> {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', scratch, '-w', workspace], {
    cwd: root,
  });
  const [report] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
  if (!report) throw new Error(`npm pack made nothing of ${workspace}`);
  return { filename: join(scratch, report.filename), files: report.files.map(({ path }) => path) };
}

async function unpack({ filename }: Packed, place: string): Promise<void> {
  await mkdir(place, { recursive: true });
  await run('tar', ['-xzf', filename, '--strip-components=1', '-C', place]);
}

/**
 * What `packed` lacks, and what it has too much, of a package's papers, its sources and what the compiler makes of each.
 * What a source that is gone left behind in dist counts as neither: a fresh checkout has none.
 */
function differences(
  packed: Packed,
  folder: string,
  others: readonly string[],
): { missing: string[]; extra: string[] } {
  const sources = readdirSync(join(root, folder, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.replace(/\.ts$/, ''));
  const built = sources.flatMap((name) => ['.d.ts', '.d.ts.map', '.js', '.js.map'].map((end) => `dist/${name}${end}`));
  const papers = ['LICENSE', 'README.md', 'package.json', ...others];
  const expected = [...papers, ...sources.map((name) => `src/${name}.ts`), ...built];
  return {
    missing: expected.filter((path) => !packed.files.includes(path)),
    extra: packed.files.filter(
      (path) => !expected.includes(path) && !/^dist\/[\w/-]+(\.d\.ts|\.js)(\.map)?$/.test(path),
    ),
  };
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'fieldseal-packaging-'));
  library = await pack('fieldseal');
  server = await pack('@fieldseal/server');
  // The application: nothing in its node_modules but the unpacked library, and the types of Node for its compiler.
  const modules = join(scratch, 'node_modules');
  await unpack(library, join(modules, 'fieldseal'));
  await mkdir(join(modules, '@types'));
  await symlink(join(root, 'node_modules/@types/node'), join(modules, '@types/node'), 'dir');
  await writeFile(join(scratch, 'package.json'), '{ "private": true, "type": "module" }\n');
}, 120_000);

afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('the packed library', () => {
  it('holds its papers, its sources and what was built of them, and nothing else', () => {
    expect(differences(library, 'packages/fieldseal', [])).toEqual({ missing: [], extra: [] });
  });

  it('works in a fresh process with no other package', async () => {
    await writeFile(
      join(scratch, 'application.js'),
      `import { EncryptionService, Fernet, defineModel, encryptedString, keyringFromEnv } from 'fieldseal';
       import { encryptedColumns } from 'fieldseal/drizzle';
       const keyring = keyringFromEnv({ ENCRYPTION_KEY: Fernet.generateKey() });
       const encryption = new EncryptionService(keyring);
       const model = defineModel({ users: { primaryKey: 'id', columns: { phone: encryptedString() } } });
       const customType = ({ toDriver, fromDriver }) => (name) => name + ' ' + fromDriver(toDriver('drizzle'));
       console.log(encryption.decryptField(encryption.encryptField('by hand')));
       console.log(encryptedColumns({ model, keyring, customType })('users', 'phone'));`,
    );
    const { stdout } = await run(process.execPath, ['application.js'], { cwd: scratch });
    expect(stdout).toBe('by hand\nphone drizzle\n');
  });

  it.each([
    ['fieldseal/core/fernet', 'a folder of src'],
    ['fieldseal/dist/index.js', 'a file of dist'],
  ])('keeps %s to itself', async (specifier) => {
    const source = `import(${JSON.stringify(specifier)}).catch(({ code }) => console.log(code))`;
    const { stdout } = await run(process.execPath, ['-e', source], { cwd: scratch });
    expect(stdout).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n');
  });

  it('brings its types to a TypeScript application', async () => {
    await writeFile(
      join(scratch, 'application.ts'),
      `import { EncryptionService, Fernet, keyringFromEnv } from 'fieldseal';
       import type { EncryptedText } from 'fieldseal/drizzle';
       const text: string = new EncryptionService(keyringFromEnv({ ENCRYPTION_KEY: Fernet.generateKey() })).decryptField('');
       export const stored: EncryptedText['driverData'] = text;
       // @ts-expect-error a number is not a field
       new Fernet(Fernet.generateKey()).encrypt(1);`,
    );
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--types', 'node'];
    const compiled = run(process.execPath, [tsc, ...options, 'application.ts'], { cwd: scratch });
    await expect(compiled.catch(({ stdout }) => Promise.reject(new Error(stdout)))).resolves.toMatchObject({
      stdout: '',
    });
  });
});

describe('the packed server', () => {
  it('holds its papers, its launcher, its sources and what was built of them, and nothing else', () => {
    expect(differences(server, 'packages/server', ['bin/fieldseal.js'])).toEqual({ missing: [], extra: [] });
  });

  it('runs its command from where it was unpacked', async () => {
    const place = join(scratch, 'node_modules/@fieldseal/server');
    await unpack(server, place);
    // Its dependencies out of the workspace; the library is the unpacked one.
    const { default: manifest } = await import(join(place, 'package.json'), { with: { type: 'json' } });
    for (const name of Object.keys(manifest.dependencies)) {
      const link = join(place, 'node_modules', name);
      const target = name === 'fieldseal' ? join(scratch, 'node_modules/fieldseal') : join(root, 'node_modules', name);
      await mkdir(dirname(link), { recursive: true });
      if (existsSync(target)) await symlink(target, link, 'dir');
    }
    const { stdout } = await run(process.execPath, [join(place, 'bin/fieldseal.js'), 'keygen'], { cwd: scratch });
    expect(stdout).toMatch(/^[\w-]{43}=\n$/);
  });
});
