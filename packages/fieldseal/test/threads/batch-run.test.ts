/**
 * Large batches are worked on by other threads. The blocking calls are the twins of what comes out; what goes to the
 * threads and back is looked at on the way.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import type { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { SLICE_CHARACTERS, SLICE_VALUES } from '../../src/core/batch-slices.js';
import { Fernet } from '../../src/core/fernet.js';
import type { Secret } from '../../src/core/secret.js';
import { EncryptionService } from '../../src/encryption-service.js';
import { isFieldsealError } from '../../src/errors.js';
import { Keyring } from '../../src/keys/keyring.js';
import type { KeyringSnapshot } from '../../src/keys/keyring-snapshot.js';
import { TIMES_FOR_THREADS } from '../../src/threads/batch-run.js';
import type { Ready, SliceReply, SliceRequest } from '../../src/threads/field-worker.js';
import { type PackedTexts, unpackTexts } from '../../src/threads/packed-texts.js';
import { freshRing } from '../fresh-keyring.js';

interface Sent {
  readonly hashing: string;
  readonly keys: number;
  readonly values: number;
  readonly characters: number;
  readonly request: SliceRequest;
}

function sizeOf(texts: PackedTexts) {
  const values = unpackTexts(texts.slice());
  return { values: values.length, characters: values.reduce((sum, value) => sum + (value?.length ?? 0), 0) };
}

const threads: Worker[] = [];
const sent: Sent[] = [];
const replies: SliceReply[] = [];
const ready: Promise<void>[] = [];
let onReply: ((thread: Worker) => void) | null = null;
let refusals = 0;

process.on('worker', (thread) => {
  threads.push(thread);
  const post = thread.postMessage.bind(thread);
  thread.postMessage = (request: SliceRequest, memory: ArrayBuffer[]) => {
    if (refusals-- > 0) throw new RangeError('Array buffer allocation failed');
    const { hashing, keys, texts } = request;
    sent.push({ hashing, keys: keys.length, ...sizeOf(texts), request });
    post(request, memory);
  };
  const isReady = new Promise<void>((resolve) => thread.once('message', () => resolve()).once('exit', resolve));
  ready.push(isReady);
  thread.on('message', (message: Ready | SliceReply) => {
    if (message === 'ready') return;
    replies.push(message);
    onReply?.(thread);
  });
});

beforeEach(async () => {
  onReply = null;
  refusals = 0;
  // A large batch has the threads started, and does not wait for them.
  await serviceOn(freshRing(), 2).encryptFieldsAsync(values);
  await Promise.all(ready);
  sent.length = 0;
  replies.length = 0;
});

const serviceOn = (ring: KeyringSnapshot, workers: number, env = {}) =>
  new EncryptionService(new Keyring(ring), env, { workers });

/** The batch so often, and cut off, that it is `length` long. */
const repeated = <T>(batch: readonly T[], length: number): T[] =>
  Array.from({ length }, (_, i) => batch[i % batch.length] as T);

/** What a batch gives, or which of its values fail and how. */
async function outcomeOf(work: () => unknown) {
  try {
    return { values: await work() };
  } catch (error) {
    if (!isFieldsealError(error)) throw error;
    return { code: error.code, message: error.message, indexes: error.indexes };
  }
}

/** The niceness of every thread of this process, as Linux tells it (proc(5): 16 numbers behind the name in brackets). */
const nicenesses = () =>
  readdirSync('/proc/self/task').map((task) => {
    const stat = readFileSync(`/proc/self/task/${task}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });

const values = Array.from({ length: 9_500 }, (_, i) =>
  i % 9 === 4 ? null : `value ${i} ${'한글 é 😀 '.repeat(i % 5)}`,
);

describe('a batch of more than 8,000 values', () => {
  const ring = freshRing(3);
  const service = serviceOn(ring, 2);
  const twin = serviceOn(ring, 0);

  it('is worked on by as many threads as it may be, one slice at a time', async () => {
    const tokens = await service.encryptFieldsAsync(values);
    expect(threads).toHaveLength(2);
    expect(replies).toHaveLength(5);
    expect(twin.decryptFields(tokens)).toEqual(values);
    expect(await service.decryptFieldsAsync(tokens)).toEqual(values);
    expect(replies).toHaveLength(10);
    expect(threads).toHaveLength(2);
    for (const request of sent) {
      expect(request.values).toBeLessThanOrEqual(TIMES_FOR_THREADS * SLICE_VALUES);
      expect(request.characters).toBeLessThanOrEqual(TIMES_FOR_THREADS * SLICE_CHARACTERS);
      expect(request.hashing).toBe('lanes');
    }
    // Who encrypts gets the one key that writes.
    expect(sent.map(({ keys }) => keys)).toEqual([...Array(5).fill(32), ...Array(5).fill(96)]);
  });

  it.runIf(process.platform === 'linux')('leaves the processor to every other thread that wants it', async () => {
    const ours = getPriority(0);
    await service.encryptFieldsAsync(values);
    expect(replies).toHaveLength(5);
    // Nothing is nicer than 19.
    const nicer = Array(ours === 19 ? 0 : 2).fill(Math.min(19, ours + 10));
    expect(nicenesses().filter((niceness) => niceness > ours)).toEqual(nicer);
    expect(getPriority(0)).toBe(ours);
  });

  it('hands its memory over, and leaves no text in what comes back', async () => {
    const tokens = await service.encryptFieldsAsync(values);
    expect(await service.decryptFieldsAsync(tokens)).toEqual(values);
    for (const { request } of sent) {
      expect([request.keys, request.texts].map(({ byteLength }) => byteLength)).toEqual([0, 0]);
    }
    expect(replies).toHaveLength(10);
    for (const { texts } of replies) expect(texts.every((byte) => byte === 0)).toBe(true);
  });

  it('decrypts as the blocking call does: tokens of every key, nulls and what is no token at any place', async () => {
    const primary = twin.encryptFields(['', 'one', 'x'.repeat(5000), '한글'.repeat(100)]) as string[];
    const secretOf = (version: string) => ring.key(version).secret as Secret;
    const previous = ring.readable.map(({ version }) => new Fernet(secretOf(version)).encrypt(`under ${version}`));
    const notText = new Fernet(secretOf(ring.primary.version)).encrypt(Buffer.from([0xff, 0xfe]));
    const foreign = new Fernet(Fernet.generateKey()).encrypt('hello');
    const good = fc.constantFrom(...primary, ...previous, null);
    const bad = fc.oneof(
      fc.constantFrom(foreign, notText, '', 'hello', '한글', '\ud800', 7 as never, undefined as never),
      fc.constantFrom(...primary).map((token) => token.slice(0, -1)),
      fc.constantFrom(...primary).map((token) => `${token.slice(0, 30)}é${token.slice(31)}`),
      fc.constantFrom(...primary).map((token) => `${token.slice(0, 30)}=${token.slice(31)}`),
    );
    const batch = fc.array(fc.oneof({ weight: 20, arbitrary: good }, { weight: 1, arbitrary: bad }), {
      minLength: 1,
      maxLength: 2000,
    });
    await fc.assert(
      fc.asyncProperty(batch, async (tokens) => {
        const many = repeated(tokens, 8_500);
        const [here, there] = [
          await outcomeOf(() => twin.decryptFields(many)),
          await outcomeOf(() => service.decryptFieldsAsync(many)),
        ];
        expect(there).toEqual(here);
      }),
      { numRuns: 10 },
    );
    expect(replies.length).toBeGreaterThan(0);
  });

  it('encrypts as the blocking call does: any text, nulls and what is no text at any place', async () => {
    const good = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme-ascii' }), fc.constant(null));
    const bad = fc.constantFrom<unknown>('\ud800', 'a\udc00', 7, undefined, Symbol('s'), { toString: () => 'x' });
    const batch = fc.array(fc.oneof({ weight: 300, arbitrary: good }, { weight: 1, arbitrary: bad }), {
      minLength: 1,
      maxLength: 1000,
    }) as fc.Arbitrary<(string | null)[]>;
    await fc.assert(
      fc.asyncProperty(batch, async (given) => {
        const many = repeated(given, 8_500);
        const there = await outcomeOf(() => service.encryptFieldsAsync(many));
        if ('values' in there) expect(twin.decryptFields(there.values as string[])).toEqual(many);
        else expect(there).toEqual(await outcomeOf(() => twin.encryptFields(many)));
      }),
      { numRuns: 10 },
    );
    expect(replies.length).toBeGreaterThan(0);
  });

  it('names the places that fail in the whole batch, in their order', async () => {
    const tokens = twin.encryptFields(values);
    const failing = [0, 999, 1000, 5_000, 9_499];
    for (const index of failing) tokens[index] = 'hello';
    expect(await outcomeOf(() => service.decryptFieldsAsync(tokens))).toEqual({
      code: 'ERR_DECRYPT_FAILED',
      message: '5 of 9500 values failed; their indexes are in `indexes`.',
      indexes: failing,
    });
  });

  it('runs beside others under other keys, each under its own', async () => {
    const others = [freshRing(), freshRing()].map((other) => serviceOn(other, 2));
    const all = [service, ...others];
    const encrypted = await Promise.all([...all, ...all].map((one) => one.encryptFieldsAsync(values)));
    const opened = await Promise.all([...all, ...all].map((one, i) => one.decryptFieldsAsync(encrypted[i] ?? [])));
    expect(opened).toEqual(Array(6).fill(values));
    const [, first = []] = encrypted;
    const { code, indexes } = (await outcomeOf(() => service.decryptFieldsAsync(first))) as {
      code: string;
      indexes: number[];
    };
    expect(code).toBe('ERR_DECRYPT_FAILED');
    expect(indexes).toHaveLength(values.filter((value) => value !== null).length);
  });

  it('takes the values and the keys as they were when the call began', async () => {
    const keyring = new Keyring(ring);
    const mine = [...values];
    const encrypting = new EncryptionService(keyring, {}, { workers: 2 }).encryptFieldsAsync(mine);
    mine.fill('changed');
    expect(twin.decryptFields(await encrypting)).toEqual(values);
  });

  it('hashes with node:crypto alone, if that is the wish', async () => {
    const native = serviceOn(ring, 2, { FIELDSEAL_WASM: '0' });
    expect(await native.decryptFieldsAsync(await native.encryptFieldsAsync(values))).toEqual(values);
    expect(new Set(sent.map(({ hashing }) => hashing))).toEqual(new Set(['native']));
    expect(replies).toHaveLength(10);
  });

  it('comes out whole and in order when a thread dies of it', async () => {
    const before = threads.length;
    const many = repeated(values, 100_000);
    onReply = (thread) => void thread.terminate();
    const tokens = await service.encryptFieldsAsync(many);
    expect(twin.decryptFields(tokens)).toEqual(many);
    expect(replies.length).toBeLessThan(sent.length);
    onReply = null;
    // Another thread takes the place of the one that is gone.
    expect(await service.decryptFieldsAsync(tokens)).toEqual(many);
    expect(threads.length).toBeGreaterThan(before);
  });

  it('comes out whole when a slice cannot be handed over', async () => {
    const service = serviceOn(freshRing(), 2);
    refusals = 3;
    const tokens = await service.encryptFieldsAsync(values);
    expect(refusals).toBeLessThan(0);
    expect(service.decryptFields(tokens)).toEqual(values);
  });

  it('is done by this thread while a value in a slice is no text, and by the others again after it', async () => {
    const mixed = [...values];
    mixed[1500] = 7 as never;
    expect(await outcomeOf(() => service.encryptFieldsAsync(mixed))).toMatchObject({ indexes: [1500] });
    expect(replies).toHaveLength(4);
  });
});

describe('a batch of large values', () => {
  it('goes to threads value by value, and no more of them at a time than there are threads', async () => {
    const ring = freshRing();
    const large = Array.from({ length: 9 }, (_, i) => `${i}é`.repeat(300_000));
    const service = serviceOn(ring, 2);
    let mostUnanswered = 0;
    onReply = () => {
      mostUnanswered = Math.max(mostUnanswered, sent.length - replies.length + 1);
    };
    const tokens = await service.encryptFieldsAsync(large);
    expect(sent.map((request) => request.values)).toEqual(Array(9).fill(1));
    expect(serviceOn(ring, 0).decryptFields(tokens)).toEqual(large);
    expect(await service.decryptFieldsAsync(tokens)).toEqual(large);
    expect(replies).toHaveLength(18);
    expect(mostUnanswered).toBeLessThanOrEqual(2);
  });
});

describe('no other thread', () => {
  it('sees a small batch', async () => {
    const service = serviceOn(freshRing(), 2);
    const small = values.slice(0, 8_000);
    expect(await service.decryptFieldsAsync(await service.encryptFieldsAsync(small))).toEqual(small);
    expect(sent).toEqual([]);
  });

  it('sees a batch of a service that is to have none', async () => {
    const service = serviceOn(freshRing(), 0);
    expect(await service.decryptFieldsAsync(await service.encryptFieldsAsync(values))).toEqual(values);
    expect(sent).toEqual([]);
  });

  it.each([-1, 1.5, Number.NaN])('can be had by the number %s', (workers) => {
    expect(() => serviceOn(freshRing(), workers)).toThrow(new RangeError('workers is a whole number from 0 on'));
  });
});

describe('this thread', () => {
  it('does one slice between two turns of its event loop, however many batches are under way', async () => {
    const services = [0, 1, 2].map((workers) => serviceOn(freshRing(), workers));
    let turns = 0;
    let isDone = false;
    const tick = () => {
      turns++;
      if (!isDone) setImmediate(tick);
    };
    setImmediate(tick);
    await Promise.all(services.map((service) => service.encryptFieldsAsync(values)));
    isDone = true;
    // Ten slices, five, and five. Timers and sockets come with every turn; the first and the last may be shared.
    expect(turns).toBeGreaterThanOrEqual(19);
  });
});
