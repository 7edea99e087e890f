/** What threads are to the process around them: it ends when its work is done, and does the work without them if it must. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
/** As `npm run build` made it: threads start from it. */
const dist = fileURLToPath(new URL('../../dist', import.meta.url));

const PROGRAM = `
  import { EncryptionService, Fernet, keyringFromEnv } from './dist/index.js';
  const service = new EncryptionService(keyringFromEnv({ ENCRYPTION_KEY: Fernet.generateKey() }), {}, { workers: 2 });
  let [started, ready, ended, replies] = [0, 0, 0, 0];
  process.on('worker', (thread) => {
    started++;
    thread.on('message', (message) => (message === 'ready' ? ready++ : replies++));
    thread.on('exit', () => ended++);
  });
  process.on('exit', () => console.log('exit', { started, ready, ended, replies }));
  const values = Array.from({ length: 10_000 }, (_, i) => 'value ' + i);
  const isSame = async () => {
    const opened = await service.decryptFieldsAsync(await service.encryptFieldsAsync(values));
    return opened.length === values.length && opened.every((value, i) => value === values[i]);
  };
  let areSame = true;
  do areSame &&= await isSame(); while (ready + ended < started);
  replies = 0;
  // Nothing but the batch keeps the process going.
  isSame().then((last) => console.log(areSame && last));
`;

const LARGE = `
  import { EncryptionService, Fernet, keyringFromEnv } from './dist/index.js';
  const service = new EncryptionService(keyringFromEnv({ ENCRYPTION_KEY: Fernet.generateKey() }), {}, { workers: 1 });
  let replies = 0;
  process.on('worker', (thread) => thread.on('message', (message) => (message === 'ready' ? 0 : replies++)));
  const value = 'large'.repeat(1_000_000);
  service
    .encryptFieldsAsync([value])
    .then((tokens) => service.decryptFieldsAsync(tokens))
    .then(([opened]) => console.log(opened === value, replies));
`;

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'fieldseal-threads-'));
  await cp(dist, join(scratch, 'dist'), { recursive: true });
  await writeFile(join(scratch, 'package.json'), '{ "type": "module" }');
  await writeFile(join(scratch, 'program.js'), PROGRAM);
});

afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('a process', () => {
  it('has a large value worked on by a thread, even when that has to be started first', async () => {
    await writeFile(join(scratch, 'large.js'), LARGE);
    const { stdout } = await run(process.execPath, ['large.js'], { cwd: scratch });
    expect(stdout).toBe('true 2\n');
  });

  it('gets what it waits for, and then ends, while its threads still wait for more', async () => {
    const { stdout, stderr } = await run(process.execPath, ['program.js'], { cwd: scratch });
    expect(stdout).toBe('true\nexit { started: 2, ready: 2, ended: 0, replies: 10 }\n');
    expect(stderr).toBe('');
  });

  it('that may start no thread does the work itself', async () => {
    const permission = process.allowedNodeEnvironmentFlags.has('--permission')
      ? '--permission'
      : '--experimental-permission';
    const flags = [permission, '--allow-fs-read=*', '--no-warnings', 'program.js'];
    const { stdout, stderr } = await run(process.execPath, flags, { cwd: scratch });
    expect(stdout).toBe('true\nexit { started: 0, ready: 0, ended: 0, replies: 0 }\n');
    expect(stderr).toBe('');
  });

  it('that has lost the file of the thread, as in a bundle, does the work itself and tries no third', async () => {
    await rm(join(scratch, 'dist/threads/field-worker.js'));
    const { stdout, stderr } = await run(process.execPath, ['program.js'], { cwd: scratch });
    expect(stdout).toBe('true\nexit { started: 2, ready: 0, ended: 2, replies: 0 }\n');
    expect(stderr).toBe('');
  });
});
