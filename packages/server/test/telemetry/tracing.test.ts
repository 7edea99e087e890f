import { context, propagation, SpanStatusCode, trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Metrics } from '../../src/telemetry/metrics.js';
import { loadTracing, NO_TRACING, type OpenTelemetryLike, tracingBy } from '../../src/telemetry/tracing.js';
import { withApp } from '../http/with-app.ts';
import { asyncContexts, traceparent } from './trace-context.ts';

/** What the package has fits what is declared of it. */
const api: OpenTelemetryLike = { trace, context, propagation };
const exporter = new InMemorySpanExporter();
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';

beforeAll(() => {
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  context.setGlobalContextManager(asyncContexts());
  propagation.setGlobalPropagator(traceparent());
});
beforeEach(() => exporter.reset());
afterAll(() => {
  for (const one of [trace, context, propagation]) one.disable();
});

describe('a request', () => {
  it('is a span of its caller’s trace, by its route; no attribute holds a secret', async () => {
    const telemetry = { metrics: new Metrics([]), tracing: await loadTracing('0.0.0') };
    await withApp({ telemetry }, async ({ app, token }) => {
      const headers = { authorization: `Bearer ${token}`, traceparent: `00-${TRACE}-${CALLER}-01` };
      const created = await app.inject({
        method: 'POST',
        url: '/api/encryption/keys',
        headers,
        payload: { name: 'k' },
      });
      const { id, key } = created.json();
      await app.inject({ method: 'DELETE', url: `/api/encryption/keys/${id}`, headers });
      await app.inject({ method: 'GET', url: `/nowhere/${key}?key=${key}`, headers });
      const spans = exporter.getFinishedSpans();
      expect(spans.map(({ name, attributes }) => [name, attributes['http.response.status_code']])).toEqual([
        ['POST /api/encryption/keys', 201],
        ['DELETE /api/encryption/keys/:id', 200],
        ['GET unmatched', 400],
      ]);
      for (const span of spans) {
        expect([span.spanContext().traceId, span.parentSpanContext?.spanId]).toEqual([TRACE, CALLER]);
        expect(span.attributes['fieldseal.request_id']).toMatch(/^[0-9a-f]{24}$/);
      }
      const told = JSON.stringify(spans.map(({ name, attributes, events }) => [name, attributes, events]));
      for (const secret of [key, token]) expect(told).not.toContain(secret);
    });
  });

  it('is what the work in its handler belongs to, also behind a body', async () => {
    const tracing = tracingBy(api, '0.0.0');
    await withApp({ telemetry: { metrics: new Metrics([]), tracing } }, async ({ app }) => {
      app.post('/work', async () => tracing.around('work', {}, async () => ({ done: true })));
      const address = await app.listen({ host: '127.0.0.1', port: 0 });
      const headers = { 'content-type': 'application/json' };
      await (await fetch(`${address}/work`, { method: 'POST', headers, body: `{"a":"${'x'.repeat(30_000)}"}` })).text();
      const [work, request] = exporter.getFinishedSpans();
      expect([work?.name, request?.name]).toEqual(['work', 'POST /work']);
      expect(work?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
    });
  });
});

describe('a span around work', () => {
  it('ends as failed with what it throws, and says nothing of it', async () => {
    const { around } = tracingBy(api, '0.0.0');
    await expect(around('work', { a: 1 }, () => Promise.reject(new Error('hunter2')))).rejects.toThrow('hunter2');
    const [span] = exporter.getFinishedSpans();
    expect([span?.status, span?.attributes, span?.events]).toEqual([{ code: SpanStatusCode.ERROR }, { a: 1 }, []]);
  });

  it('is nothing where nobody traces', async () => {
    expect(await NO_TRACING.around('work', {}, async () => 7)).toBe(7);
    expect(NO_TRACING.start('work', {}).within(() => 8)).toBe(8);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});
