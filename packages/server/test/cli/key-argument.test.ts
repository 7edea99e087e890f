import { Fernet } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { type KeySources, readKeyArgument } from '../../src/cli/key-argument.js';
import { rejectionOf } from '../refusal.js';

function sources(env: Record<string, string> = {}, stdin: string[] = []): KeySources {
  return { env, stdinLines: async () => stdin };
}

const [FIRST, SECOND] = [Fernet.generateKey(), Fernet.generateKey()] as const;
const read = async (argument: string, from: KeySources) =>
  (await readKeyArgument(argument, 'OLD', from)).reveal().toString('base64url');
const bytes = (key: string) => Buffer.from(key, 'base64url').toString('base64url');

describe('a key argument', () => {
  it('is a key, a variable of the environment, or a line of standard input', async () => {
    expect(await read(FIRST, sources())).toBe(bytes(FIRST));
    expect(await read('env:A_KEY', sources({ A_KEY: ` ${FIRST}\n` }))).toBe(bytes(FIRST));
    const lines = sources({}, [FIRST, `${SECOND}\r`]);
    expect([await read('-', lines), await read('-', lines)]).toEqual([bytes(FIRST), bytes(SECOND)]);
  });

  it('is read the way Python reads it', async () => {
    expect(await read(`${FIRST}==`, sources())).toBe(bytes(FIRST));
  });

  it.each([
    ['env:A_KEY', 'The environment has no variable A_KEY for OLD.'],
    ['-', 'Standard input has no line for OLD.'],
  ])('has to be there: %s', async (argument, message) => {
    for (const from of [sources(), sources({ A_KEY: ' ' }, [' '])]) {
      expect(await rejectionOf(() => readKeyArgument(argument, 'OLD', from))).toEqual({
        code: 'ERR_KEY_MISSING',
        message,
      });
    }
  });

  it.each(['', ' '])('has to be there: %j in full', async (argument) => {
    expect(await rejectionOf(() => readKeyArgument(argument, 'NEW', sources()))).toEqual({
      code: 'ERR_KEY_MISSING',
      message: 'NEW is empty.',
    });
  });

  it('is refused when it is no key, and not repeated', async () => {
    for (const argument of ['secret', FIRST.slice(1), FIRST.replace('=', '')]) {
      expect(await rejectionOf(() => readKeyArgument(argument, 'NEW', sources()))).toEqual({
        code: 'ERR_KEY_MALFORMED',
        message: 'NEW is not a Fernet key: 32 bytes in base64url, 44 characters; make one with `fieldseal keygen`.',
      });
    }
  });
});
