/** A keyring out of environment variables: read once, deleted, never repeated in a message. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Fernet } from '../../src/core/fernet.js';
import { isFieldsealError } from '../../src/errors.js';
import { keyringFromEnv } from '../../src/providers/env.js';
import { type Environment, takeEnvironmentKeys } from '../../src/providers/key-variables.js';
import { refusalOf } from '../refusal.js';
import { withFolder } from '../with-sqlite.js';

const [K1, K2, K3] = [Fernet.generateKey(), Fernet.generateKey(), Fernet.generateKey()] as const;
/** The sample output of the Python original's guide, which has 60 characters and is no key. */
const GUIDE_SAMPLE = 'lKhZdE6G-6Q8vX2J_p9L_8mK_5nP_7qR_3sT_1uV_9wX_0yZ_2aB_4cD_6eF';

const malformed = (name: string) => ({
  code: 'ERR_KEY_MALFORMED',
  message: `${name} is not a Fernet key: 32 bytes in base64url, 44 characters; make one with \`fieldseal keygen\`.`,
});

/** The base64url texts of a ring's readable keys, in the order in which they are tried. */
function keysOf(env: Environment): string[] {
  const ring = keyringFromEnv(env).snapshot();
  return ring.readable.map(({ version }) => `${ring.key(version).secret?.reveal().toString('base64url')}=`);
}

describe('ENCRYPTION_KEY', () => {
  it('becomes v1, the primary', () => {
    const ring = keyringFromEnv({ ENCRYPTION_KEY: K1 }).snapshot();
    expect(ring.primary.version).toBe('v1');
    expect(ring.keys.length).toBe(1);
    expect(keysOf({ ENCRYPTION_KEY: K1 })).toEqual([K1]);
  });

  it.each([
    ['not set', {}],
    ['empty', { ENCRYPTION_KEY: '' }],
    ['white space', { ENCRYPTION_KEY: ' \n' }],
    ['undefined', { ENCRYPTION_KEY: undefined }],
    ['only previous', { ENCRYPTION_KEY_PREVIOUS: K1 }],
  ])('is missing when it is %s', (_name, env) => {
    expect(refusalOf(() => keyringFromEnv(env))).toEqual({
      code: 'ERR_KEY_MISSING',
      message: 'ENCRYPTION_KEY is not set; make one with `fieldseal keygen`.',
    });
  });

  it.each([
    ["the guide's sample", GUIDE_SAMPLE],
    ['a password', 'correct horse battery staple'],
    ['unpadded', K1.slice(0, -1)],
    ['31 bytes', Buffer.alloc(31).toString('base64')],
    ['hex', 'ab'.repeat(32)],
    ['beyond ASCII', `한${K1}`],
  ])('is malformed when it is %s, and not repeated', (_name, value) => {
    const refusal = refusalOf(() => keyringFromEnv({ ENCRYPTION_KEY: value }));
    expect(refusal).toEqual(malformed('ENCRYPTION_KEY'));
    expect(refusal.message).not.toContain(value);
  });

  it('is taken as Python takes it', () => {
    const standard = K1.replaceAll('-', '+').replaceAll('_', '/');
    for (const text of [` ${K1}\n`, standard, `${K1}=`]) expect(keysOf({ ENCRYPTION_KEY: text })).toEqual([K1]);
  });
});

describe('ENCRYPTION_KEY_PREVIOUS', () => {
  it('adds keys that only read', () => {
    const env = { ENCRYPTION_KEY: K1, ENCRYPTION_KEY_PREVIOUS: `${K2}, ${K3}\n` };
    const keyring = keyringFromEnv(env);
    expect(keyring.snapshot().keys.map(({ version, state }) => `${version} ${state}`)).toEqual([
      'v1 primary',
      'v2 active',
      'v3 active',
    ]);
    expect(keyring.snapshot().primary.version).toBe('v1');
  });

  it('may be empty, end in a comma, and name a key twice or the current one', () => {
    for (const [previous, expected] of [
      ['', [K1]],
      [',', [K1]],
      [`${K2},`, [K1, K2]],
      [`${K2},${K2}`, [K1, K2]],
      [`${K1},${K2}`, [K1, K2]],
      [`${K2},${K3}`, [K1, K3, K2]],
    ] as const) {
      expect(keysOf({ ENCRYPTION_KEY: K1, ENCRYPTION_KEY_PREVIOUS: previous })).toEqual(expected);
    }
  });

  it('is malformed as a whole when one of its keys is', () => {
    const env = { ENCRYPTION_KEY: K1, ENCRYPTION_KEY_PREVIOUS: `${K2},${GUIDE_SAMPLE}` };
    expect(refusalOf(() => keyringFromEnv(env))).toEqual(malformed('ENCRYPTION_KEY_PREVIOUS'));
  });
});

describe('a variable …_FILE', () => {
  it('names a file that holds the value', () =>
    withFolder((folder) => {
      const file = (name: string, text: string) => {
        writeFileSync(join(folder, name), text);
        return join(folder, name);
      };
      expect(
        keysOf({
          ENCRYPTION_KEY_FILE: file('current', `${K1}\n`),
          ENCRYPTION_KEY_PREVIOUS_FILE: file('previous', `${K2},${K3}\r\n`),
        }),
      ).toEqual([K1, K3, K2]);
      expect(refusalOf(() => keyringFromEnv({ ENCRYPTION_KEY_FILE: file('empty', '\n') })).code).toBe(
        'ERR_KEY_MISSING',
      );
      expect(refusalOf(() => keyringFromEnv({ ENCRYPTION_KEY_FILE: file('bad', GUIDE_SAMPLE) }))).toEqual(
        malformed('ENCRYPTION_KEY'),
      );
    }));

  it('that cannot be read is named, but not its path', () =>
    withFolder((folder) => {
      for (const file of [join(folder, 'absent'), folder]) {
        expect(refusalOf(() => keyringFromEnv({ ENCRYPTION_KEY_FILE: file }))).toEqual({
          code: 'ERR_KEY_FILE',
          message: 'The file that ENCRYPTION_KEY_FILE names cannot be read.',
        });
      }
    }));

  it.each(['ENCRYPTION_KEY', 'ENCRYPTION_KEY_PREVIOUS', 'ROOT_KEY'])('beside %s itself is refused', (name) => {
    const env = { ENCRYPTION_KEY: K1, [name]: K2, [`${name}_FILE`]: 'secret-file' };
    const refusal = refusalOf(() => takeEnvironmentKeys(env));
    expect(refusal).toEqual({ code: 'ERR_CONFIG_INVALID', message: `Set ${name} or ${name}_FILE, not both.` });
  });
});

describe('the environment afterwards', () => {
  it('has none of the variables any more', () =>
    withFolder((folder) => {
      writeFileSync(join(folder, 'root'), K3);
      const env: Environment = {
        PATH: 'kept',
        ENCRYPTION_KEY: K1,
        ENCRYPTION_KEY_PREVIOUS: K2,
        ROOT_KEY_FILE: join(folder, 'root'),
      };
      const { current, previous, root } = takeEnvironmentKeys(env);
      expect(env).toEqual({ PATH: 'kept' });
      expect(Object.keys(env)).toEqual(['PATH']);
      expect([current, ...previous, root].map((secret) => `${secret?.reveal().toString('base64url')}=`)).toEqual([
        K1,
        K2,
        K3,
      ]);
      expect(JSON.stringify({ current, previous, root })).not.toContain(K1.slice(0, 10));
    }));

  it('holds no value that was refused', () => {
    const env: Environment = { ENCRYPTION_KEY: GUIDE_SAMPLE };
    refusalOf(() => keyringFromEnv(env));
    expect(Object.keys(env)).toEqual([]);
  });

  it('gives the same ring again, though its variables are gone', () => {
    const env: Environment = { ENCRYPTION_KEY: K1 };
    const keyring = keyringFromEnv(env);
    expect(keyringFromEnv(env)).toBe(keyring);
    expect(keyringFromEnv(env)).toBe(keyring);
  });

  it('that is set anew gives a new ring', () => {
    const env: Environment = { ENCRYPTION_KEY: K1 };
    const keyring = keyringFromEnv(env);
    env['ENCRYPTION_KEY'] = K2;
    const second = keyringFromEnv(env);
    expect(second).not.toBe(keyring);
    expect(keyringFromEnv(env)).toBe(second);
  });

  it('of another object has nothing to do with it', () => {
    keyringFromEnv({ ENCRYPTION_KEY: K1 });
    expect(refusalOf(() => keyringFromEnv({})).code).toBe('ERR_KEY_MISSING');
  });
});

it('no message ever holds any part of a value', () => {
  for (const name of ['ENCRYPTION_KEY', 'ENCRYPTION_KEY_PREVIOUS', 'ROOT_KEY']) {
    for (const variable of [name, `${name}_FILE`]) {
      const env = { ENCRYPTION_KEY: K1, [variable]: `SECRETVALUE${GUIDE_SAMPLE}` };
      if (variable === 'ENCRYPTION_KEY_FILE') env.ENCRYPTION_KEY = '';
      try {
        takeEnvironmentKeys(env);
        expect.unreachable();
      } catch (error) {
        expect(isFieldsealError(error)).toBe(true);
        const { message, stack, cause } = error as Error;
        expect(`${message} ${stack}`).not.toContain('SECRETVALUE');
        expect(`${message} ${stack}`).not.toContain(GUIDE_SAMPLE.slice(0, 8));
        expect(cause).toBeUndefined();
      }
    }
  }
});
