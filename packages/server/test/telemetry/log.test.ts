import { fork } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { generateApiKey } from '../../src/auth/api-key-format.js';
import type { LogLevel } from '../../src/config/settings.js';
import { createLog, gatherLines, REDACTED } from '../../src/telemetry/log.js';

/** What a line becomes; null: nothing is written. */
function written(line: Record<string, unknown>, level: LogLevel = 'info'): string | null {
  const lines: string[] = [];
  createLog(level, (text) => void lines.push(text))(line);
  return lines[0] ?? null;
}

const parsed = (line: Record<string, unknown>) => JSON.parse(written(line) as string);

describe('a line of the log', () => {
  it('is one JSON object with its level, the time and its fields', () => {
    expect(written({ level: 'warn', event: 'a', status: 7 })).toMatch(/^\{.*\}\n$/);
    expect(parsed({ level: 'warn', event: 'a', error: { code: 'ERR' }, none: null })).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      event: 'a',
      error: { code: 'ERR' },
      none: null,
    });
  });

  it('is left out below the level, and has the level info where it names none', () => {
    expect(written({ level: 'info', event: 'a' }, 'warn')).toBeNull();
    expect(written({ level: 'error', event: 'a' }, 'silent')).toBeNull();
    expect(written({ level: 'debug', event: 'a' }, 'debug')).not.toBeNull();
    expect(parsed({ level: 'shout', event: 'a' }).level).toBe('info');
  });

  it('has no field that is called like a secret, however deep', () => {
    const line = parsed({
      event: 'a',
      token: 'one',
      headers: { authorization: 'two', cookie: 'three', 'set-cookie': 'four', host: 'h' },
      a: { b: { c: { key: 'five', code: 'stays' } } },
    });
    expect(line).toMatchObject({
      event: 'a',
      token: REDACTED,
      headers: { authorization: REDACTED, cookie: REDACTED, 'set-cookie': REDACTED, host: 'h' },
      a: { b: { c: { key: REDACTED, code: 'stays' } } },
    });
  });

  const key = Fernet.generateKey();
  it.each([
    ['an API key', generateApiKey('pk').key],
    ['a key', key],
    ['a Fernet token', new Fernet(key).encrypt('plaintext')],
    ['a JWT', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl'],
  ])('holds no text that has the shape of %s, whatever its field', (_name, secret) => {
    expect(written({ event: 'a', detail: `it was ${secret}.` })).not.toContain(secret);
    expect(parsed({ event: 'a', list: [secret] }).list).toEqual([REDACTED]);
  });

  it('holds no credentials of HTTP and none of a database’s address', () => {
    expect(parsed({ event: 'a', text: 'Authorization: Basic dXNlcjpwYXNz' }).text).toBe(
      `Authorization: Basic ${REDACTED}`,
    );
    expect(parsed({ event: 'a', text: 'postgres://me:hunter2@db/x' }).text).toBe(`postgres://me:${REDACTED}@db/x`);
  });

  it('keeps ids, routes and versions as they are', () => {
    const line = {
      event: 'request',
      requestId: '0123456789abcdef01234567',
      route: '/api/encryption/keys/:id',
      ms: 1.5,
    };
    expect(parsed(line)).toMatchObject(line);
  });
});

describe('gathered lines', () => {
  it('are one write for each turn of the event loop, in their order', async () => {
    const writes: string[] = [];
    const write = gatherLines((lines) => void writes.push(lines));
    write('a\n');
    await Promise.resolve();
    write('b\n');
    expect(writes).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    write('c\n');
    await new Promise((resolve) => setImmediate(resolve));
    expect(writes).toEqual(['a\nb\n', 'c\n']);
  });

  it.each(['exit', 'throw'])('are written when the process ends by %s', async (end) => {
    const child = fork(fileURLToPath(new URL('gathering-child.ts', import.meta.url)), [end], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    });
    expect(await text(child.stdout as NodeJS.ReadableStream)).toBe('first\nlast\n');
  });
});
