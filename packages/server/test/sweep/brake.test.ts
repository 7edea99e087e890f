import { describe, expect, it } from 'vitest';
import { Brake, LOCKED, restMs, SLOW } from '../../src/sweep/brake.js';

describe('the rest after a batch', () => {
  it.each([
    ['is none when it took what it should', 100, 100, 50_000, 0],
    ['is none up to four times that', 400, 100, 50_000, 0],
    ['is as long as the batch took above that', 401, 100, 50_000, 401],
    ['ends after five seconds', 60_000, 100, 50_000, 5_000],
    ['is none for large values, which take their time anyway', 3_000, 100, 1024 * 1024 + 1, 0],
  ])('%s', (_name, tookMs, targetMs, characters, expected) => {
    expect(restMs(tookMs, targetMs, characters)).toBe(expected);
  });
});

describe('the brake', () => {
  const never = new AbortController().signal;

  it('holds all lanes while the watch has a reason, looks once for all of them, and tells each change once', async () => {
    const told: (string | null)[] = [];
    const reasons = ['2 s behind', '3 s behind', null];
    let looks = 0;
    const look = async () => reasons[looks++] ?? null;
    let looksAtFirst = 0;
    const brake = new Brake({ look }, async (reason) => {
      if (told.push(reason) === 1) looksAtFirst = looks;
    });
    await Promise.all([brake.hold(never), brake.hold(never), brake.hold(never)]);
    expect(told).toEqual(['2 s behind', '3 s behind', null]);
    expect(looksAtFirst).toBe(1);
  });

  it('lets go at once of who is stopped, and looks no more', async () => {
    const stop = new AbortController();
    const told: (string | null)[] = [];
    let looks = 0;
    const look = async () => {
      looks++;
      return 'behind';
    };
    const brake = new Brake({ look }, async (reason) => {
      told.push(reason);
      stop.abort();
    });
    await brake.hold(stop.signal);
    expect([looks, told]).toEqual([1, ['behind', null]]);
  });

  it('throws what the watch throws', async () => {
    const brake = new Brake({ look: () => Promise.reject(new Error('away')) }, async () => {});
    await expect(brake.hold(never)).rejects.toThrow('away');
  });

  it('goes on telling one lane’s reason until no lane has any, though somebody cannot be told', async () => {
    const told: (string | null)[] = [];
    const brake = new Brake(null, async (reason) => {
      told.push(reason);
      throw new Error('the database is away');
    });
    const [one, other] = [{}, {}];
    await brake.hold(never);
    await brake.say(one, SLOW);
    await brake.say(other, SLOW);
    await brake.say(one, null);
    await brake.say(other, LOCKED);
    await brake.say(other, null);
    await brake.say(other, null);
    expect(told).toEqual([SLOW, LOCKED, null]);
  });
});
