/** What is left of a batch that AES fails in. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { BatchResult } from '../../src/core/batch.js';
import type { FernetKey } from '../../src/core/fernet-key.js';

describe('when AES itself fails in the middle of a batch', () => {
  const MARKER = 'MARKER-OF-PLAINTEXT';
  const values = Array.from({ length: 900 }, (_, i) => `${MARKER} ${i} ${'.'.repeat(100)}`);

  afterEach(() => {
    vi.restoreAllMocks();
    vi.resetModules();
  });

  /** Lets `update` of Node's ciphers or deciphers do `fault` at its n-th call. */
  function breakUpdate(direction: 'cipher' | 'decipher', at: number, fault: (out: Buffer) => Buffer) {
    const make = direction === 'cipher' ? createCipheriv : createDecipheriv;
    const prototype = Object.getPrototypeOf(make('aes-128-cbc', Buffer.alloc(16), Buffer.alloc(16)));
    const original = prototype.update;
    let calls = 0;
    return vi.spyOn(prototype, 'update').mockImplementation(function (this: unknown, ...args: unknown[]) {
      const out = original.apply(this, args);
      return ++calls === at ? fault(out) : out;
    });
  }

  /** Modules of their own, and all memory that they allocated for good. */
  async function openModules() {
    vi.resetModules();
    const alloc = vi.spyOn(Buffer, 'alloc');
    // Zeroed, so that nothing is found in it that was in freed memory.
    const allocations = [alloc, vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((size) => Buffer.alloc(size))];
    const batch = await import('../../src/core/fernet-batch.js');
    const { FernetKey: Key } = await import('../../src/core/fernet-key.js');
    const { HmacLanes } = await import('../../src/core/hmac-lanes.js');
    const lanes = vi.spyOn(HmacLanes, 'open');
    const memories = () => [
      ...allocations.flatMap(({ mock }) => mock.results.map(({ value }) => value as Buffer)),
      ...lanes.mock.results.flatMap(({ value }) => (value ? [value.memory as Buffer] : [])),
    ];
    return {
      batch,
      keys: [5, 6].map((byte) => new Key(Buffer.alloc(32, byte))) as [FernetKey, FernetKey],
      holdsPlaintext: () => memories().some((memory) => memory.includes(MARKER)),
    };
  }

  const faults: [string, (out: Buffer) => Buffer, string][] = [
    [
      'it throws',
      () => {
        throw new Error('out of memory');
      },
      'out of memory',
    ],
    ['too little comes out', (out) => out.subarray(16), 'the cipher returned another length'],
    ['too much comes out', (out) => Buffer.concat([out, Buffer.alloc(16)]), 'the cipher returned another length'],
  ];

  it.each(faults)(
    '%s: the batch is given up, nothing of it is left, and the next one works',
    async (_fact, fault, message) => {
      const {
        batch,
        keys: [one, other],
        holdsPlaintext,
      } = await openModules();
      const tokens = batch.encryptMany(one, values).values;
      expect(holdsPlaintext()).toBe(false);
      const works = (['lanes', 'native'] as const).flatMap(
        (how): [direction: 'cipher' | 'decipher', work: () => BatchResult][] => [
          ['cipher', () => batch.encryptMany(one, values, how)],
          ['decipher', () => batch.decryptMany([one], tokens, how)],
          ['decipher', () => batch.rotateMany([other, one], tokens, how)],
          ['cipher', () => batch.rotateMany([other, one], tokens, how)],
          ['decipher', () => batch.renewMany([one, other], tokens, how)],
        ],
      );
      for (const [direction, work] of works) {
        const broken = breakUpdate(direction, 2, fault);
        expect(work).toThrow(new Error(message));
        broken.mockRestore();
        expect(holdsPlaintext()).toBe(false);
        const { values: again } = work();
        const opened = again[0]?.startsWith(MARKER) ? again : batch.decryptMany([other, one], again).values;
        expect(opened).toEqual(values);
        expect(holdsPlaintext()).toBe(false);
        expect(batch.decryptMany([one], tokens).values).toEqual(values);
      }
    },
  );
});
