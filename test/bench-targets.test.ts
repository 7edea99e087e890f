import { describe, expect, it } from 'vitest';
import { type Baseline, baselineOf, compare, describeFall, ratiosOf } from '../bench/baseline.ts';
import {
  AT_ONCE,
  BATCH,
  BATCH_DECRYPT,
  HOOKS,
  LONGEST_DELAY,
  majorOf,
  NPM_FERNET,
  OPENSSL,
  PYCA,
  type Run,
  SINGLE,
  SINGLE_DECRYPTS,
} from '../bench/run.ts';
import { judge, limitText, quantity, TARGETS, type Target } from '../bench/targets.ts';

const field = (ours: number, batch: number) => ({
  [NPM_FERNET]: 120_000,
  [SINGLE]: ours,
  [BATCH]: batch,
  [PYCA]: 24_000,
  [OPENSSL]: 1000,
});
const large = { [SINGLE]: 120_000, [OPENSSL]: 100_000 };

/** A run in which every target holds. */
const good: Run = {
  node: 'v24.1.0',
  nodeOpenssl: '3.5.0',
  sqliteDriver: '13.2.0',
  sizes: [100, 65_536],
  rounds: 5,
  contestants: { [NPM_FERNET]: '0.4.0', [SINGLE]: '0.1.0' },
  times: {
    'encrypt 100': field(4000, 2000),
    'decrypt 100': field(4000, 2000),
    'rotate 100': field(4000, 1800),
    'encrypt 65536': large,
    'decrypt 65536': large,
    parallel: {
      'encrypt, 1 worker': 3e8,
      'encrypt, 2 workers': 2e8,
      'decrypt, 1 worker': 3e8,
      'decrypt, 2 workers': 2e8,
      [LONGEST_DELAY]: 8e6,
    },
    page: { [HOOKS]: 1.2e8, [SINGLE_DECRYPTS]: 1e8, [AT_ONCE]: 5.4e7, [BATCH_DECRYPT]: 5e7 },
  },
  leftOut: [],
};

/** The run with one time changed. */
function withTime(group: string, name: string, nanoseconds: number): Run {
  return { ...good, times: { ...good.times, [group]: { ...good.times[group], [name]: nanoseconds } } };
}

const missed = (run: Run) => judge(run).flatMap(({ holds, target }) => (holds ? [] : [target.what]));

describe('a target', () => {
  it('holds where the run reaches it', () => {
    expect(judge(good)).toHaveLength(TARGETS.length);
    expect(missed(good)).toEqual([]);
  });

  it('is missed where one time is too long', () => {
    expect(missed(withTime('decrypt 100', SINGLE, 5400))).toEqual([
      'decrypt 100 bytes: fieldseal: Fernet, times as fast as pyca/cryptography',
    ]);
    expect(missed(withTime('rotate 100', BATCH, 2001))).toEqual([
      'rotate 100 bytes: fieldseal: batch, times as long as C on OpenSSL',
    ]);
    expect(missed(withTime('parallel', 'encrypt, 2 workers', 2.5e8))).toEqual([
      'encrypt 100,000 values: two workers, times as fast as one',
    ]);
    expect(missed(withTime('parallel', LONGEST_DELAY, 10.1e6))).toEqual([
      'the event loop waits meanwhile, at the longest',
    ]);
    expect(missed(withTime('page', AT_ONCE, 5.6e7))).toEqual([
      'read 10,000 rows of 3 columns: decryptRows adds, times a batch of 30,000 decrypts',
    ]);
  });

  it('is not judged where the run has not measured it', () => {
    expect(judge({ times: {} })).toEqual([]);
    const { page, ...times } = good.times;
    expect(page).toBeDefined();
    expect(judge({ times })).toHaveLength(TARGETS.length - 2);
  });

  it('holds exactly at its limit', () => {
    const target = (limit: Target['limit']): Target => ({ what: 'it', limit, unit: 'times', valueOf: () => 2 });
    expect(judge(good, [target({ least: 2 }), target({ most: 2 })]).map(({ holds }) => holds)).toEqual([true, true]);
    expect(judge(good, [target({ least: 2.1 }), target({ most: 1.9 })]).map(({ holds }) => holds)).toEqual([
      false,
      false,
    ]);
  });

  it('names itself once, since its name is its key in the baseline', () => {
    expect(new Set(TARGETS.map(({ what }) => what)).size).toBe(TARGETS.length);
  });

  it('is written with its unit', () => {
    expect(limitText({ limit: { least: 4.5 }, unit: 'times' })).toBe('≥ 4.5×');
    expect(limitText({ limit: { most: 10 }, unit: 'ms' })).toBe('≤ 10 ms');
    expect([quantity(37.04, 'times'), quantity(1.207, 'times'), quantity(8.21, 'ms')]).toEqual([
      '37.0×',
      '1.21×',
      '8.2 ms',
    ]);
  });
});

describe('the baseline', () => {
  const baseline: Baseline = baselineOf([good], 'a machine', '2026-03-01');
  const falls = (run: Run) => compare(run, baseline)?.falls;

  it('has the ratios of each major version of Node, and no milliseconds', () => {
    expect(Object.keys(baseline.ratios)).toEqual(['24']);
    expect(Object.keys(baseline.ratios['24'] ?? {})).toHaveLength(TARGETS.length - 1);
    expect(ratiosOf(good)['encrypt 100 bytes: fieldseal: Fernet, times as fast as npm fernet']).toBe(30);
  });

  it('is reached by the run that it was made of, and by a better one', () => {
    expect(falls(good)).toEqual([]);
    expect(falls(withTime('encrypt 100', SINGLE, 1000))).toEqual([]);
    expect(falls(withTime('rotate 100', BATCH, 1000))).toEqual([]);
  });

  it('tolerates a fifth, whichever way the ratio goes', () => {
    expect(falls(withTime('encrypt 100', SINGLE, 4990))).toEqual([]);
    expect(falls(withTime('encrypt 100', SINGLE, 5010))?.map(({ what, was }) => [what, was])).toEqual([
      ['encrypt 100 bytes: fieldseal: Fernet, times as fast as npm fernet', 30],
      ['encrypt 100 bytes: fieldseal: Fernet, times as fast as pyca/cryptography', 6],
    ]);
    expect(falls(withTime('rotate 100', BATCH, 2240))).toEqual([]);
    expect(falls(withTime('rotate 100', BATCH, 2260))?.map(describeFall)).toEqual([
      'rotate 100 bytes: fieldseal: batch, times as long as C on OpenSSL: 2.26×, in the baseline 1.80×',
    ]);
  });

  it('does not count a longer delay, which is the machine', () => {
    expect(falls(withTime('parallel', LONGEST_DELAY, 1e9))).toEqual([]);
  });

  it('says what it has and a run did not measure', () => {
    const { page, ...times } = good.times;
    expect(page).toBeDefined();
    expect(compare({ ...good, times }, baseline)?.missing).toEqual([
      'read 10,000 rows of 3 columns: encryptedColumns adds, times 30,000 single decrypts',
      'read 10,000 rows of 3 columns: decryptRows adds, times a batch of 30,000 decrypts',
    ]);
  });

  it('knows nothing of another major version', () => {
    expect(compare({ ...good, node: 'v22.1.0' }, baseline)).toBeNull();
    expect(majorOf({ node: 'v22.1.0' })).toBe('22');
  });
});
