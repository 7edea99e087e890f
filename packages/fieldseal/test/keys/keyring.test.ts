/** The keyring of an application: followed behind its back, safe when its source is lost. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { KeyProvider } from '../../src/keys/key-provider.js';
import { Keyring } from '../../src/keys/keyring.js';
import { addKey, promoteKey } from '../../src/keys/keyring-changes.js';
import { KeyringSnapshot } from '../../src/keys/keyring-snapshot.js';
import { openKeyring } from '../../src/keys/open-keyring.js';
import { freshRing, MADE_AT_MS } from '../fresh-keyring.js';
import { refusalOf, rejectionOf } from '../refusal.js';

const STALE = {
  code: 'ERR_KEYRING_STALE',
  message: 'The keyring could not be read for 60 seconds; nothing is encrypted until its database answers.',
};
const ROLLBACK = {
  code: 'ERR_KEYRING_ROLLBACK',
  message: 'The stored keyring is older than one seen before, or another one.',
};

/** A ring that is kept in memory, with a switch that cuts the line to it and a time that reading it takes. */
class MemoryProvider implements KeyProvider {
  ring = freshRing();
  isCut = false;
  loadMs = 0;
  loads = 0;
  closes = 0;
  readonly acknowledged: number[] = [];

  async load(): Promise<KeyringSnapshot> {
    this.loads++;
    if (this.isCut) throw new Error('no connection');
    const { ring } = this;
    if (this.loadMs > 0) await new Promise((resolve) => setTimeout(resolve, this.loadMs));
    return ring;
  }
  async acknowledge(generation: number): Promise<void> {
    if (this.isCut) throw new Error('no connection');
    this.acknowledged.push(generation);
  }
  async close(): Promise<void> {
    this.closes++;
  }
  rotate(): void {
    const { ring, version } = addKey(this.ring, null, 'pending', MADE_AT_MS);
    this.ring = promoteKey(ring, version);
  }
}

async function withKeyring(
  work: (keyring: Keyring, provider: MemoryProvider) => Promise<void>,
  options: { refreshSeconds?: number } = {},
): Promise<void> {
  const provider = new MemoryProvider();
  const keyring = await openKeyring(provider, options);
  await work(keyring, provider);
  await keyring.close();
}

const passSeconds = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('an opened keyring', () => {
  it('is loaded and acknowledged once it is open', () =>
    withKeyring(async (keyring, provider) => {
      expect(keyring.snapshot()).toBe(provider.ring);
      expect(keyring.writableSnapshot()).toBe(provider.ring);
      expect(provider.acknowledged).toEqual([1]);
    }));

  it('is read again every 10 seconds, and acknowledges the generation that it uses', () =>
    withKeyring(async (keyring, provider) => {
      provider.rotate();
      await passSeconds(9.999);
      expect(keyring.snapshot().generation).toBe(1);
      await passSeconds(0.001);
      expect(keyring.snapshot()).toBe(provider.ring);
      expect(keyring.writableSnapshot().primary.version).toBe('v2');
      await passSeconds(10);
      expect(provider.acknowledged).toEqual([1, 3, 3]);
    }));

  it('is read as often as it is told', () =>
    withKeyring(
      async (_keyring, provider) => {
        await passSeconds(60);
        expect(provider.loads).toBe(1 + 30);
      },
      { refreshSeconds: 2 },
    ));

  it('leaves a snapshot that was taken as it was', () =>
    withKeyring(async (keyring, provider) => {
      const taken = keyring.snapshot();
      provider.rotate();
      await passSeconds(10);
      expect(taken.primary.version).toBe('v1');
      expect(keyring.snapshot().primary.version).toBe('v2');
    }));

  it.each([0, -1, 30.1, Number.NaN])('cannot be refreshed every %d seconds', async (refreshSeconds) => {
    await expect(openKeyring(new MemoryProvider(), { refreshSeconds })).rejects.toThrow(
      new RangeError('refreshSeconds is more than 0 and at most 30: after 60 unconfirmed seconds writing stops'),
    );
  });

  it('does not open without its source', async () => {
    const provider = new MemoryProvider();
    provider.isCut = true;
    await expect(openKeyring(provider)).rejects.toThrow(new Error('no connection'));
  });

  it('needs a provider that loads, and nothing more', async () => {
    const ring = freshRing();
    const keyring = await openKeyring({ load: async () => ring });
    await passSeconds(600);
    expect(keyring.writableSnapshot()).toBe(ring);
    await keyring.close();
  });
});

describe('a keyring whose source is lost', () => {
  it('goes on reading, and stops writing after 60 seconds', () =>
    withKeyring(async (keyring, provider) => {
      await passSeconds(10);
      provider.isCut = true;
      await passSeconds(60);
      expect(keyring.writableSnapshot()).toBe(provider.ring);
      await passSeconds(0.001);
      expect(refusalOf(() => keyring.writableSnapshot())).toEqual(STALE);
      await passSeconds(24 * 3600);
      expect(keyring.snapshot()).toBe(provider.ring);
    }));

  it('writes again once its source is back', () =>
    withKeyring(async (keyring, provider) => {
      provider.isCut = true;
      await passSeconds(100);
      expect(refusalOf(() => keyring.writableSnapshot())).toEqual(STALE);
      provider.isCut = false;
      provider.rotate();
      await passSeconds(10);
      expect(keyring.writableSnapshot().primary.version).toBe('v2');
    }));

  it('counts its 60 seconds from before the last read, which may have missed what changed during it', () =>
    withKeyring(async (keyring, provider) => {
      provider.loadMs = 55_000;
      await passSeconds(10 + 55);
      provider.isCut = true;
      await passSeconds(5);
      expect(keyring.writableSnapshot()).toBe(provider.ring);
      await passSeconds(0.001);
      expect(refusalOf(() => keyring.writableSnapshot())).toEqual(STALE);
    }));

  it('reads once at a time, however long it takes', () =>
    withKeyring(async (_keyring, provider) => {
      provider.loadMs = 35_000;
      await passSeconds(44);
      expect(provider.loads).toBe(2);
      await passSeconds(6);
      expect(provider.loads).toBe(3);
      provider.loadMs = 0;
      await passSeconds(40);
    }));

  it('does not count as confirmed while it cannot say which generation it uses', () =>
    withKeyring(async (keyring, provider) => {
      provider.acknowledge = async () => {
        throw new Error('read only');
      };
      provider.rotate();
      await passSeconds(61);
      expect(keyring.snapshot().primary.version).toBe('v2');
      expect(refusalOf(() => keyring.writableSnapshot())).toEqual(STALE);
    }));
});

describe('a keyring whose source goes back', () => {
  const older = freshRing(2);
  const newer = promoteKey(older, 'v2');

  it('refuses a lower generation, and another ring', () => {
    const keyring = new Keyring(newer);
    expect(refusalOf(() => keyring.replace(older))).toEqual(ROLLBACK);
    expect(refusalOf(() => keyring.replace(freshRing()))).toEqual(ROLLBACK);
    const another = new KeyringSnapshot('ab'.repeat(16), 99, newer.keys);
    expect(refusalOf(() => keyring.replace(another))).toEqual(ROLLBACK);
    expect(keyring.snapshot()).toBe(newer);
  });

  it('takes a newer one, and keeps its own of the same generation', () => {
    const keyring = new Keyring(older);
    keyring.replace(newer);
    expect(keyring.snapshot()).toBe(newer);
    keyring.replace(new KeyringSnapshot(newer.id, newer.generation, newer.keys));
    expect(keyring.snapshot()).toBe(newer);
  });

  it('keeps the newer ring, acknowledges nothing and stops writing', () =>
    withKeyring(async (keyring, provider) => {
      const before = provider.ring;
      provider.rotate();
      await passSeconds(10);
      const after = provider.ring;
      provider.ring = before;
      expect(await rejectionOf(() => keyring.refresh(provider))).toEqual(ROLLBACK);
      await passSeconds(61);
      expect(keyring.snapshot()).toBe(after);
      expect(provider.acknowledged).toEqual([1, 3]);
      expect(refusalOf(() => keyring.writableSnapshot())).toEqual(STALE);
    }));
});

describe('a closed keyring', () => {
  it('is not read again, has signed off once, and stays readable', () =>
    withKeyring(async (keyring, provider) => {
      await keyring.close();
      await keyring.close();
      await passSeconds(600);
      expect(provider.loads).toBe(1);
      expect(provider.closes).toBe(1);
      expect(keyring.snapshot()).toBe(provider.ring);
    }));

  it('signs off after a read that is under way', () =>
    withKeyring(async (keyring, provider) => {
      provider.loadMs = 5_000;
      await passSeconds(11);
      const closed = keyring.close();
      await passSeconds(1);
      expect(provider.closes).toBe(0);
      await passSeconds(4);
      await closed;
      expect(provider.closes).toBe(1);
      expect(provider.acknowledged).toEqual([1, 1]);
    }));

  it('that nobody else can change never goes stale, and closes without a word', async () => {
    const ring = freshRing();
    const keyring = new Keyring(ring);
    await passSeconds(24 * 3600);
    expect(keyring.writableSnapshot()).toBe(ring);
    await keyring.close();
    expect(keyring.writableSnapshot()).toBe(ring);
  });
});
