/** Fields encrypted by hand, as the Python original's guide shows it. */
import { describe, expect, it } from 'vitest';
import { Fernet } from '../src/core/fernet.js';
import { EncryptionService } from '../src/encryption-service.js';
import { FieldsealError } from '../src/errors.js';
import { Keyring } from '../src/keys/keyring.js';
import { openKeyring } from '../src/keys/open-keyring.js';
import { freshKeyring, freshRing } from './fresh-keyring.js';
import { DECRYPT_FAILED, refusalOf } from './refusal.js';

const encryption = new EncryptionService(freshKeyring());
const foreign = new Fernet(Fernet.generateKey()).encrypt('hello');

/** What a batch that fails says, its indexes too. */
function batchRefusalOf(work: () => unknown) {
  const refusal = refusalOf(work);
  try {
    work();
  } catch (error) {
    return { ...refusal, indexes: (error as FieldsealError).indexes };
  }
  throw new Error('the second call was not refused');
}

describe('one field', () => {
  it("is encrypted and decrypted as in the guide's example", () => {
    const encrypted = encryption.encryptField('sensitive@data.com');
    expect(encrypted).not.toContain('sensitive');
    expect(encryption.decryptField(encrypted)).toBe('sensitive@data.com');
  });

  it('that is null stays null, and the empty string is a value', () => {
    expect(encryption.encryptField(null)).toBeNull();
    expect(encryption.decryptField(null)).toBeNull();
    expect(encryption.decryptField(encryption.encryptField(''))).toBe('');
  });

  it('that no key opens is refused without saying why', () => {
    for (const token of [foreign, 'hello', '', foreign.slice(1)]) {
      expect(refusalOf(() => encryption.decryptField(token))).toEqual(DECRYPT_FAILED);
    }
  });

  it('that is no text is refused', () => {
    expect(refusalOf(() => encryption.encryptField(5 as never))).toEqual({
      code: 'ERR_VALUE_TYPE',
      message: 'The value is not a string.',
    });
    expect(refusalOf(() => encryption.decryptField(undefined as never))).toEqual({
      code: 'ERR_VALUE_TYPE',
      message: 'The token is not a string.',
    });
    expect(refusalOf(() => encryption.encryptField('\ud800')).code).toBe('ERR_VALUE_NOT_TEXT');
  });
});

describe('a service on the environment', () => {
  it('reads what the Python original wrote under ENCRYPTION_KEY', () => {
    const env = { ENCRYPTION_KEY: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=' };
    const service = EncryptionService.fromEnv(env);
    const token =
      'gAAAAAAAAAPoAAECAwQFBgcICQoLDA0OD4_9EBVfNSDZ7XtRxaHNdkVdXYTYL1AUNv1Qx9AAcN3czwvPLDse23dba8p9Y4PYKQ==';
    expect(service.decryptField(token)).toBe('hello');
    expect(Object.keys(env)).toEqual([]);
    expect(EncryptionService.fromEnv(env).decryptField(token)).toBe('hello');
  });

  it('reads under previous keys and writes under the current one', () => {
    const [current, previous] = [Fernet.generateKey(), Fernet.generateKey()];
    const service = EncryptionService.fromEnv({ ENCRYPTION_KEY: current, ENCRYPTION_KEY_PREVIOUS: previous });
    expect(service.decryptField(new Fernet(previous).encrypt('hello'))).toBe('hello');
    expect(new Fernet(current).decrypt(service.encryptField('hello'))).toBe('hello');
  });

  it('reads process.env when it is given none', () => {
    const key = Fernet.generateKey();
    process.env['ENCRYPTION_KEY'] = key;
    const service = EncryptionService.fromEnv();
    expect(process.env['ENCRYPTION_KEY']).toBeUndefined();
    expect(service.decryptField(new Fernet(key).encrypt('hello'))).toBe('hello');
  });

  it('needs a key', () => {
    expect(refusalOf(() => EncryptionService.fromEnv({}))).toEqual({
      code: 'ERR_KEY_MISSING',
      message: 'ENCRYPTION_KEY is not set; make one with `fieldseal keygen`.',
    });
  });
});

describe('a batch', () => {
  const values = ['one', null, '', '한글', 'one'];

  it('is encrypted and decrypted in its order, nulls in their places', () => {
    const tokens = encryption.encryptFields(values);
    expect(tokens[1]).toBeNull();
    expect(new Set(tokens).size).toBe(5);
    expect(encryption.decryptFields(tokens)).toEqual(values);
    expect(encryption.encryptFields([])).toEqual([]);
  });

  it('that fails anywhere names the places, and no value', () => {
    const tokens = [foreign, ...encryption.encryptFields(['one', null]), 'hello'];
    expect(batchRefusalOf(() => encryption.decryptFields(tokens))).toEqual({
      code: 'ERR_DECRYPT_FAILED',
      message: '2 of 4 values failed; their indexes are in `indexes`.',
      indexes: [0, 3],
    });
    expect(batchRefusalOf(() => encryption.encryptFields(['one', '\ud800', 5 as never]))).toEqual({
      code: 'ERR_VALUE_NOT_TEXT',
      message: '2 of 3 values failed; their indexes are in `indexes`.',
      indexes: [1, 2],
    });
  });

  it('has no indexes on errors of single values', () => {
    try {
      encryption.decryptField(foreign);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(FieldsealError);
      expect((error as FieldsealError).indexes).toBeUndefined();
    }
  });

  it('can be decrypted as far as it goes', () => {
    const [token] = encryption.encryptFields(['one']) as [string];
    const notText = encryption.encryptField('x');
    expect(encryption.tryDecryptFields([foreign, token, null, 'hello', 7 as never, notText])).toEqual([
      { ok: false, code: 'ERR_DECRYPT_FAILED' },
      { ok: true, value: 'one' },
      { ok: true, value: null },
      { ok: false, code: 'ERR_DECRYPT_FAILED' },
      { ok: false, code: 'ERR_VALUE_TYPE' },
      { ok: true, value: 'x' },
    ]);
  });

  it('is encrypted under one key, whatever becomes of the ring', async () => {
    const ring = freshRing();
    const keyring = await openKeyring({ load: async () => ring });
    const tokens = new EncryptionService(keyring).encryptFields(Array(100).fill('x'));
    const reader = new EncryptionService(new Keyring(ring));
    expect(new Set(reader.decryptFields(tokens))).toEqual(new Set(['x']));
    await keyring.close();
  });
});

describe('rotation of a batch', () => {
  const env = { current: Fernet.generateKey(), previous: Fernet.generateKey() };
  const service = EncryptionService.fromEnv({ ENCRYPTION_KEY: env.current, ENCRYPTION_KEY_PREVIOUS: env.previous });
  const old = new Fernet(env.previous);

  it('puts every token under the primary key and keeps its time, nulls in their places', () => {
    const tokens = [old.encrypt('one', { timeSeconds: 1000 }), null, service.encryptField('two')];
    const rotated = service.rotateFields(tokens);
    const current = new Fernet(env.current);
    expect(rotated[1]).toBeNull();
    expect([0, 2].map((i) => current.decrypt(rotated[i] as string))).toEqual(['one', 'two']);
    expect(current.extractTimestamp(rotated[0] as string)).toBe(1000n);
    expect(rotated[2]).not.toBe(tokens[2]);
  });

  it('that fails anywhere names the places, or is done as far as it goes', () => {
    const tokens = ['hello', old.encrypt('one'), foreign];
    expect(batchRefusalOf(() => service.rotateFields(tokens))).toEqual({
      code: 'ERR_DECRYPT_FAILED',
      message: '2 of 3 values failed; their indexes are in `indexes`.',
      indexes: [0, 2],
    });
    const [bad, good, other] = service.tryRotateFields(tokens);
    expect([bad, other]).toEqual(Array(2).fill({ ok: false, code: 'ERR_DECRYPT_FAILED' }));
    expect(good?.ok && new Fernet(env.current).decrypt(good.value as string)).toBe('one');
  });
});

describe.each([0, 2])('a batch in turns, with %i other threads,', (workers) => {
  const encryption = new EncryptionService(freshKeyring(), {}, { workers });
  const values = Array.from({ length: 20_000 }, (_, i) => (i % 9 === 4 ? null : `value ${i}`));

  /** How often something else had its turn while `work` went on. */
  async function turnsDuring<T>(work: () => Promise<T>): Promise<{ result: T; turns: number }> {
    let turns = 0;
    let isDone = false;
    const tick = () => {
      turns++;
      if (!isDone) setImmediate(tick);
    };
    setImmediate(tick);
    const result = await work();
    isDone = true;
    return { result, turns };
  }

  it('is what the blocking call makes, and lets others work in between', async () => {
    const encrypted = await turnsDuring(() => encryption.encryptFieldsAsync(values));
    expect(encryption.decryptFields(encrypted.result)).toEqual(values);
    const decrypted = await turnsDuring(() => encryption.decryptFieldsAsync(encrypted.result));
    expect(decrypted.result).toEqual(values);
    // A thousand values a turn, or two thousand for other threads; the first and the last may be shared.
    const slices = workers === 0 ? 20 : 10;
    for (const { turns } of [encrypted, decrypted]) expect(turns).toBeGreaterThanOrEqual(slices - 1);
  });

  it('has its turns by size as well as by number', async () => {
    const large = Array.from({ length: 20 }, () => 'x'.repeat(300_000));
    const { result, turns } = await turnsDuring(() => encryption.encryptFieldsAsync(large));
    expect(turns).toBeGreaterThanOrEqual(19);
    expect(encryption.decryptFields(result)).toEqual(large);
  });

  it('takes the values and the ring as they were when it began, and runs beside another', async () => {
    const ring = freshRing();
    const service = new EncryptionService(new Keyring(ring), {}, { workers });
    const mine = [...values];
    const first = service.encryptFieldsAsync(mine);
    mine.fill('changed');
    const [one, two] = await Promise.all([first, service.encryptFieldsAsync(values)]);
    const opened = await Promise.all([service.decryptFieldsAsync(one), service.decryptFieldsAsync(two)]);
    expect(opened).toEqual([values, values]);
    expect(await service.encryptFieldsAsync([])).toEqual([]);
  });

  it('that fails names the places in the whole batch', async () => {
    const tokens = encryption.encryptFields(values);
    tokens[3] = foreign;
    tokens[15_000] = 'hello';
    const error = await encryption.decryptFieldsAsync(tokens).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'ERR_DECRYPT_FAILED',
      message: '2 of 20000 values failed; their indexes are in `indexes`.',
      indexes: [3, 15_000],
    });
  });
});
