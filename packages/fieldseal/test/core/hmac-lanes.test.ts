/** The HMACs of four lanes, held against node:crypto and the twin. */
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FREE_AT, HmacLanes, INNER_AT, OUTER_AT, paddedBlocks, STATE_AT } from '../../src/core/hmac-lanes.js';
import { HmacSha256 } from '../../src/core/hmac-sha256.js';
import { sha256LanesModule } from '../../wasm/sha256-lanes.js';
import { sha256LanesSource } from '../../wasm/write.js';
import { twinHmac } from './sha256-twin.js';

const lanes = HmacLanes.open() as HmacLanes;
const [SLOT_BYTES, OUT_AT] = [8 * 1024, FREE_AT + 32 * 1024];
type Four<T> = [T, T, T, T];

/** The HMACs of four messages that fill equally many blocks. */
function hmacs(key: Uint8Array, messages: Four<Uint8Array>): string[] {
  const at = [0, 1, 2, 3].map((lane) => FREE_AT + 1 + lane * SLOT_BYTES) as Four<number>;
  const out = [0, 1, 2, 3].map((lane) => OUT_AT + lane * 32) as Four<number>;
  lanes.memory.fill(0xaa, FREE_AT);
  for (const [lane, message] of messages.entries()) {
    lanes.memory.set(message, at[lane] as number);
    lanes.pad(at[lane] as number, message.length);
  }
  lanes.withKey(new HmacSha256(key), (four) => four(...at, paddedBlocks(messages[0].length), ...out));
  return out.map((from) => lanes.memory.toString('hex', from, from + 32));
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.doUnmock('node:crypto');
  vi.resetModules();
});

describe('HMAC-SHA256 in four lanes', () => {
  it('is createHmac for messages of every length that a batch hashes in it, and beyond', () => {
    for (let length = 0; length <= 1300; length++) {
      const key = randomBytes(length % 65);
      // Of other lengths, as far as they fill as many blocks.
      const messages = [0, 1, 2, 3].map((less) => {
        const other = Math.max(0, length - less);
        return randomBytes(paddedBlocks(other) === paddedBlocks(length) ? other : length);
      }) as Four<Buffer>;
      const expected = messages.map((message) => createHmac('sha256', key).update(message).digest('hex'));
      expect(hmacs(key, messages)).toEqual(expected);
    }
  });

  it('is its twin, and node:crypto is too', () => {
    const message = fc.uint8Array({ maxLength: 400 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), message, fc.nat(3), (key, bytes, lane) => {
        const messages = [0, 1, 2, 3].map((i) => (i === lane ? bytes : randomBytes(bytes.length))) as Four<Buffer>;
        const twin = twinHmac(key, bytes).toString('hex');
        expect(hmacs(key, messages)[lane]).toBe(twin);
        expect(createHmac('sha256', key).update(bytes).digest('hex')).toBe(twin);
      }),
      { numRuns: 200 },
    );
  });

  it('leaves nothing of key or message in its own part of the memory, not after an error either', () => {
    const isErased = () => lanes.memory.subarray(STATE_AT, FREE_AT).every((byte) => byte === 0);
    hmacs(Buffer.alloc(16, 0x4b), [0, 1, 2, 3].map(() => Buffer.alloc(100, 0x4c)) as Four<Buffer>);
    expect(isErased()).toBe(true);
    const work = () =>
      lanes.withKey(new HmacSha256(Buffer.alloc(16, 0x4b)), () => {
        expect(lanes.memory.subarray(INNER_AT, OUTER_AT).some((byte) => byte !== 0)).toBe(true);
        throw new Error('stopped');
      });
    expect(work).toThrow(new Error('stopped'));
    expect(isErased()).toBe(true);
  });

  it('touches nothing of the caller’s but what it is told to', () => {
    const before = Buffer.from(lanes.memory.subarray(FREE_AT));
    const at = FREE_AT + 100;
    lanes.withKey(new HmacSha256(Buffer.alloc(16)), (four) => four(at, at, at, at, 1, OUT_AT, OUT_AT, OUT_AT, OUT_AT));
    lanes.memory.copy(before, OUT_AT - FREE_AT, OUT_AT, OUT_AT + 32);
    expect(lanes.memory.subarray(FREE_AT).equals(before)).toBe(true);
  });

  it('is the module that the source in wasm/ makes', () => {
    const file = readFileSync(new URL('../../src/core/sha256-lanes-bytes.ts', import.meta.url), 'utf8');
    expect(file).toBe(sha256LanesSource());
  });
});

describe('the lanes', () => {
  it('are not opened when what comes out is not what node:crypto says', async () => {
    // The last constant of the last round; any other byte would do.
    const module = sha256LanesModule();
    const broken = Buffer.from(module);
    broken[broken.length - 1] = (broken.at(-1) as number) ^ 1;
    for (const [bytes, opens] of [
      [module, true],
      [broken, false],
      [module.subarray(0, 100), false],
    ] as const) {
      vi.resetModules();
      vi.doMock('../../src/core/sha256-lanes-bytes.js', () => ({ SHA256_LANES_BASE64: bytes.toString('base64') }));
      const { HmacLanes: Lanes } = await import('../../src/core/hmac-lanes.js');
      expect(Lanes.open() !== null).toBe(opens);
    }
    vi.doUnmock('../../src/core/sha256-lanes-bytes.js');
  });

  /** How many modules of WebAssembly a batch makes, in a library of its own. */
  async function instancesOf(env: Record<string, string>, fips: 0 | 1): Promise<number> {
    vi.resetModules();
    vi.doMock('node:crypto', async (original) => ({ ...(await original<object>()), getFips: () => fips }));
    const { EncryptionService, Fernet } = await import('../../src/index.js');
    const { WebAssembly } = globalThis as unknown as { WebAssembly: { Instance: new () => object } };
    const instances = vi.spyOn(WebAssembly, 'Instance');
    const service = EncryptionService.fromEnv({ ENCRYPTION_KEY: Fernet.generateKey(), ...env });
    const values = Array.from({ length: 50 }, (_, i) => `${i}`);
    for (let i = 0; i < 3; i++) {
      expect(service.decryptFields(service.rotateFields(service.encryptFields(values)))).toEqual(values);
    }
    const { length } = instances.mock.calls;
    instances.mockRestore();
    return length;
  }

  it('are opened once, and never in FIPS mode or with FIELDSEAL_WASM=0', async () => {
    expect(await instancesOf({}, 0)).toBe(1);
    expect(await instancesOf({ FIELDSEAL_WASM: '1' }, 0)).toBe(1);
    expect(await instancesOf({ FIELDSEAL_WASM: '0' }, 0)).toBe(0);
    expect(await instancesOf({}, 1)).toBe(0);
  });
});
