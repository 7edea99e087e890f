import { describe, expect, it } from 'vitest';
import { barChart } from '../bench/plot.ts';
import { markdownOf, plotOf, terminalText } from '../bench/report.ts';
import type { Run } from '../bench/run.ts';
import { median, takeTurns } from '../bench/turns.ts';

const run: Run = {
  node: 'v24.1.0',
  nodeOpenssl: '3.5.0',
  sqliteDriver: '13.2.0',
  sizes: [100, 65_536],
  rounds: 5,
  contestants: {
    'npm fernet': '0.4.0',
    'fieldseal: Fernet': '0.1.0',
    'fieldseal: batch': '0.1.0',
    'node:crypto': 'v24.1.0',
  },
  times: {
    'encrypt 100': { 'npm fernet': 150_400, 'fieldseal: Fernet': 4060 },
    'decrypt 100': { 'npm fernet': 80_000, 'fieldseal: Fernet': 4000 },
    'rotate 100': { 'fieldseal: Fernet': 12_345_678 },
    page: { 'the read, unencrypted': 19_400_000 },
    parts: { 'encryptRow, 3 columns': 11_900 },
  },
  leftOut: ['the page: no driver'],
};
const older: Run = { ...run, node: 'v20.1.0', times: { 'encrypt 100': { 'fieldseal: Fernet': 8000 } }, leftOut: [] };
const circumstances = { machine: 'A machine, 2 processors', date: '2026-03-01' };
const linesOf = (text: string) => text.split('\n');

describe('the page', () => {
  const page = linesOf(markdownOf([older, run], circumstances));

  it('has a column for each Node and a row for each contestant', () => {
    expect(page).toContain('| µs to encrypt / decrypt / rotate | Node 20 | Node 24 |');
    expect(page).toContain('| fieldseal: Fernet | 8.00 / – / – | 4.06 / 4.00 / 12,346 |');
    expect(page).toContain('| npm fernet | – / – / – | 150 / 80.0 / – |');
    expect(page).toContain('### 64 KiB');
  });

  it('judges each target, and leaves a dash where a Node has not measured it', () => {
    expect(page).toContain(
      '| encrypt 100 bytes: fieldseal: Fernet, times as fast as npm fernet | ≥ 30× | – | 37.0× PASS |',
    );
    expect(page).toContain(
      '| decrypt 100 bytes: fieldseal: Fernet, times as fast as npm fernet | ≥ 22× | – | 20.0× **FAIL** |',
    );
  });

  it('names the machine, the day, the versions and what was left out', () => {
    expect(page.join('\n')).toContain('Measured on 2026-03-01: A machine, 2 processors.');
    expect(page).toContain('- Node v20.1.0 (OpenSSL 3.5.0), v24.1.0 (OpenSSL 3.5.0)');
    expect(page.filter((line) => /^- .*: 0\./.test(line))).toEqual(['- npm fernet: 0.4.0', '- fieldseal: 0.1.0']);
    expect(page).toContain('- Node 24: the page: no driver');
  });
});

describe('the terminal', () => {
  it('says how many times faster than npm fernet, and every judgement', () => {
    const lines = linesOf(terminalText(run));
    expect(lines.find((line) => line.startsWith('fieldseal: Fernet'))).toMatch(
      /^fieldseal: Fernet +4\.06 +37\.0× +4\.00 +20\.0× +12,346 *$/,
    );
    expect(lines).toContain('PASS  encrypt 100 bytes: fieldseal: Fernet, times as fast as npm fernet: 37.0×, ≥ 30×');
    expect(lines).toContain('FAIL  decrypt 100 bytes: fieldseal: Fernet, times as fast as npm fernet: 20.0×, ≥ 22×');
    expect(lines).toContain('Left out: the page: no driver');
  });
});

describe('a chart', () => {
  const chart = {
    title: 'Fast & slow',
    axis: 'µs',
    series: ['encrypt', 'decrypt'],
    bars: [
      { label: 'a<b', values: [1, 10] },
      { label: 'c', values: [100, null] },
    ],
  };
  const widths = (svg: string) =>
    [...svg.matchAll(/<rect class="s\d" x="250" y="\d+" width="(\d+)"/g)].map(([, width]) => Number(width));

  it('has bars whose length goes with the logarithm', () => {
    const [one, ten, hundred, ...rest] = widths(barChart(chart).replace(/<rect[^>]*y="44"[^>]*>/g, ''));
    expect(rest).toEqual([]);
    expect(one).toBe(1);
    expect(hundred).toBe(2 * (ten as number));
  });

  it('labels the axis in powers of ten, and escapes what it is given', () => {
    const svg = barChart(chart);
    for (const label of ['>1<', '>10<', '>100<', 'Fast &amp; slow', 'a&lt;b', '>µs, logarithmic<']) {
      expect(svg).toContain(label);
    }
    expect(svg).not.toContain('a<b');
  });

  it.each([[[]], [[{ label: 'a', values: [0] }]], [[{ label: 'a', values: [null] }]]])(
    'is refused without a value above 0: %j',
    (bars) => {
      expect(() => barChart({ ...chart, bars })).toThrow(new RangeError('a chart shows values above 0'));
    },
  );

  it('is of the last Node', () => {
    expect(plotOf([older, run])).toContain('One value of 100 bytes on Node 24');
    expect(plotOf([older])).toContain('One value of 100 bytes on Node 20');
  });
});

describe('turns', () => {
  it('are taken one after the other, and the median of all but the first round counts', async () => {
    const order: string[] = [];
    const turn = (name: string, results: number[]) => ({
      name,
      measure: async () => {
        order.push(name);
        return results.shift() as number;
      },
    });
    // Two to warm up, the first round, and three that count.
    const all = [turn('a', [9, 9, 90, 3, 1, 2]), turn('b', [9, 9, 90, 6, 5, 7])];
    expect(await takeTurns(all, { rounds: 3, turnMs: 0, warmUp: 1 })).toEqual({ a: 2, b: 6 });
    expect(order.join('')).toBe('aabbabababab');
  });

  it('are as long as asked for', async () => {
    const asked: number[] = [];
    const measure = async (times: number) => {
      asked.push(times);
      return 1000;
    };
    await takeTurns([{ name: 'a', measure }], { rounds: 1, turnMs: 2, warmUp: 7 });
    expect(asked).toEqual([7, 7, 2000, 2000]);
  });

  it('are not taken by who does nothing', async () => {
    const idle = { name: 'idle', measure: async () => null };
    expect(await takeTurns([idle], { rounds: 1, turnMs: 1, warmUp: 1 })).toEqual({});
  });

  it('have the middle one as their median', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(3);
  });
});
