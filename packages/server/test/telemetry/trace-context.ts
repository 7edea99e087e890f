/** What an SDK for Node brings beside its spans: contexts that follow asynchronous work, and `traceparent`. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type ContextManager, ROOT_CONTEXT, type TextMapPropagator, trace } from '@opentelemetry/api';

export function asyncContexts(): ContextManager {
  const storage = new AsyncLocalStorage<typeof ROOT_CONTEXT>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (context, work, self, ...args) => storage.run(context, () => work.apply(self as never, args as never)),
    bind: (_context, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  return manager;
}

/** W3C Trace Context, as far as tests need it. */
export function traceparent(): TextMapPropagator {
  return {
    inject: () => {},
    fields: () => ['traceparent'],
    extract(context, carrier, getter) {
      const [, traceId, spanId] =
        /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/.exec(String(getter.get(carrier, 'traceparent'))) ?? [];
      return traceId && spanId
        ? trace.setSpanContext(context, { traceId, spanId, traceFlags: 1, isRemote: true })
        : context;
    },
  };
}
