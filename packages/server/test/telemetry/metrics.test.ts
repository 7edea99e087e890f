import { describe, expect, it } from 'vitest';
import { type GaugeSource, Metrics } from '../../src/telemetry/metrics.js';

const good: GaugeSource = {
  name: 'good',
  gauges: { a_state: { help: 'A.', labels: ['state'] } },
  read: async () => [{ gauge: 'a_state', labels: { state: 'on' }, value: 3 }],
};

describe('the metrics', () => {
  it('have the figures of every source that answers, and count those that do not', async () => {
    let fails = true;
    const bad: GaugeSource = {
      name: 'bad',
      gauges: { b: { help: 'B.' } },
      read: async () => {
        if (fails) throw new Error('postgres://me:hunter2@db');
        return [{ gauge: 'b', value: 1 }];
      },
    };
    const metrics = new Metrics([bad, good]);
    const text = await metrics.text();
    expect(text).toContain('a_state{state="on"} 3');
    expect(text).toContain('fieldseal_scrape_errors_total{source="bad"} 1');
    expect(text).toContain('fieldseal_scrape_errors_total{source="good"} 0');
    expect(text).not.toContain('hunter2');
    expect(text).not.toMatch(/^b /m);
    fails = false;
    expect(await metrics.text()).toMatch(/^b 1$/m);
  });

  it('forget what a source no longer tells', async () => {
    let state = 'on';
    const read = async () => [{ gauge: 'a_state', labels: { state }, value: 1 }];
    const metrics = new Metrics([{ ...good, read }]);
    expect(await metrics.text()).toContain('a_state{state="on"} 1');
    state = 'off';
    const text = await metrics.text();
    expect([text.includes('{state="on"}'), text.includes('{state="off"} 1')]).toEqual([false, true]);
  });

  it('are read once for all who ask at the same time', async () => {
    let reads = 0;
    const read = async () => {
      reads++;
      return [];
    };
    const metrics = new Metrics([{ ...good, read }]);
    await Promise.all([metrics.text(), metrics.text(), metrics.text()]);
    expect(reads).toBe(1);
  });

  it('have one label for addresses without a route and for methods that nobody uses', async () => {
    const metrics = new Metrics([]);
    for (const method of ['GET', 'PROPFIND', 'BREW'])
      metrics.request({ method, route: null, status: 404, seconds: 0.01 });
    const counts = (await metrics.text())
      .split('\n')
      .filter((line) => line.startsWith('fieldseal_http_request_duration_seconds_count'));
    expect(counts).toEqual([
      'fieldseal_http_request_duration_seconds_count{method="GET",route="unmatched",status="404"} 1',
      'fieldseal_http_request_duration_seconds_count{method="other",route="unmatched",status="404"} 2',
    ]);
  });

  it('tell of the process as well', async () => {
    expect(await new Metrics([]).text()).toContain('nodejs_eventloop_lag_seconds');
  });
});
