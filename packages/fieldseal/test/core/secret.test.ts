/** A secret is never printed, whatever prints it. */
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.js';

const bytes = Buffer.from('the-secret-bytes-of-this-test-32', 'latin1');
const secret = Secret.from(bytes);

/** Every way in which the bytes could stand in a text. */
const TRACES = [
  'secret-bytes',
  bytes.toString('hex'),
  bytes.toString('hex').replaceAll(/(..)(?!$)/g, '$1 '),
  bytes.toString('base64').slice(0, 40),
  bytes.subarray(0, 8).join(','),
  bytes.subarray(0, 8).join(', '),
  `[${bytes[0]}`,
];

function expectNoTrace(text: string): void {
  for (const trace of TRACES) expect(text).not.toContain(trace);
}

describe('a Secret', () => {
  it('says [Secret] as a string, in a template, in JSON and to util.inspect', () => {
    expect(String(secret)).toBe('[Secret]');
    expect(`${secret}`).toBe('[Secret]');
    expect(['a', secret, 'b'].join(' ')).toBe('a [Secret] b');
    expect(secret.toString()).toBe('[Secret]');
    expect(JSON.stringify({ secret })).toBe('{"secret":"[Secret]"}');
    expect(inspect(secret)).toBe('[Secret]');
    expect(inspect({ deep: { secret } })).toBe('{ deep: { secret: [Secret] } }');
  });

  it('shows nothing to any option of util.inspect', () => {
    const nested = { deep: [{ secret }, new Map([[secret, secret]]), new Error('x', { cause: { secret } })] };
    for (const customInspect of [true, false]) {
      for (const getters of [true, false]) {
        for (const showProxy of [true, false]) {
          const text = inspect(nested, { depth: null, showHidden: true, customInspect, getters, showProxy });
          expectNoTrace(text);
        }
      }
    }
    expectNoTrace(format('%s %o %O %j %d', secret, secret, secret, secret, secret));
  });

  it('leaves no trace in what the console prints', () => {
    let printed = '';
    const stdout = new Writable({
      write(chunk, _encoding, done) {
        printed += chunk;
        done();
      },
    });
    const output = new Console({ stdout });
    output.log(secret, [secret], { secret });
    output.log('%s %o %O', secret, secret, secret);
    output.dir({ secret }, { showHidden: true, depth: null });
    output.table([{ secret }]);
    expect(printed).toContain('[Secret]');
    expectNoTrace(printed);
  });

  it('has nothing to enumerate, spread or clone', () => {
    expect(Object.keys(secret)).toEqual([]);
    expect(Reflect.ownKeys(secret)).toEqual([]);
    expect({ ...secret }).toEqual({});
    expectNoTrace(inspect(structuredClone(secret), { showHidden: true }));
  });

  it('holds a copy, in memory of its own', () => {
    const given = Buffer.from('0123456789abcdef');
    const copy = Secret.from(given);
    given.fill(0);
    expect(copy.reveal().toString()).toBe('0123456789abcdef');
    for (const one of [copy, Secret.random(16)]) expect(one.reveal().buffer.byteLength).toBe(16);
    expect(copy.length).toBe(16);
  });

  it('is drawn at random', () => {
    expect(new Set(Array.from({ length: 100 }, () => Secret.random(16).reveal().toString('hex'))).size).toBe(100);
  });

  it('is compared by its bytes', () => {
    expect(secret.equals(Secret.from(bytes))).toBe(true);
    expect(secret.equals(Secret.from(bytes.subarray(1)))).toBe(false);
    expect(secret.equals(Secret.random(32))).toBe(false);
  });

  it('is zeroed when disposed of, and not to be had any more', () => {
    const gone = Secret.from(bytes);
    const memory = gone.reveal();
    gone.dispose();
    expect(memory.every((byte) => byte === 0)).toBe(true);
    expect(() => gone.reveal()).toThrow(new TypeError('the secret was disposed of'));
    expect(() => gone.equals(secret)).toThrow(new TypeError('the secret was disposed of'));
    expect(String(gone)).toBe('[Secret]');
    gone.dispose();
  });
});
