/** OpenTelemetry traces, where `@opentelemetry/api` is installed; nothing otherwise. Attributes hold no secret and no person. */

/** What is told of a span. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** What we use of a span. */
export interface Span {
  set(attributes: Attributes): void;
  /** Runs `work` with this span as the one that new spans belong to. */
  within<T>(work: () => T): T;
  /** @param failed whether what it stands for went wrong */
  end(failed?: boolean): void;
}

/** Starts spans. */
export interface Tracing {
  /** @param headers of a request whose `traceparent` the span goes on from; else it belongs to the span that is under way */
  start(name: string, attributes: Attributes, headers?: Readonly<Record<string, unknown>>): Span;
  /** A span around `work`. */
  around<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T>;
}

const NO_SPAN: Span = { set: () => {}, within: (work) => work(), end: () => {} };
/** Traces nothing. */
export const NO_TRACING: Tracing = { start: () => NO_SPAN, around: (_name, _attributes, work) => work() };

/** `SpanKind.INTERNAL` and `SpanKind.SERVER`; `SpanStatusCode.ERROR`. */
const [INTERNAL, SERVER, ERROR] = [0, 1, 2];

interface SpanLike {
  setAttributes(attributes: Attributes): unknown;
  setStatus(status: { code: number }): unknown;
  end(): void;
}

/** What we use of `@opentelemetry/api`, so that our types need no package that may be missing. */
export interface OpenTelemetryLike {
  readonly trace: {
    getTracer(
      name: string,
      version?: string,
    ): { startSpan(name: string, options: { kind: number; attributes: Attributes }, context: unknown): SpanLike };
    setSpan(context: unknown, span: SpanLike): unknown;
  };
  readonly context: { active(): unknown; with<T>(context: unknown, work: () => T): T };
  readonly propagation: { extract(context: unknown, carrier: unknown): unknown };
}

/** Traces by the given API. Whoever wants to see the spans registers an SDK before the process starts (`node --import`). */
export function tracingBy(api: OpenTelemetryLike, version: string): Tracing {
  const tracer = api.trace.getTracer('@fieldseal/server', version);
  const start: Tracing['start'] = (name, attributes, headers) => {
    const active = api.context.active();
    const parent = headers ? api.propagation.extract(active, headers) : active;
    const kind = (headers ? SERVER : INTERNAL) as number;
    const span = tracer.startSpan(name, { kind, attributes }, parent);
    const inside = api.trace.setSpan(parent, span);
    return {
      set: (more) => void span.setAttributes(more),
      within: (work) => api.context.with(inside, work),
      end(failed = false) {
        // No message and no exception: those of drivers quote what they were given.
        if (failed) span.setStatus({ code: ERROR as number });
        span.end();
      },
    };
  };
  return {
    start,
    async around(name, attributes, work) {
      const span = start(name, attributes);
      try {
        const result = await span.within(work);
        span.end();
        return result;
      } catch (error) {
        span.end(true);
        throw error;
      }
    },
  };
}

/** Tracing by the package if it is there. */
export async function loadTracing(version: string): Promise<Tracing> {
  let api: OpenTelemetryLike;
  try {
    api = (await import('@opentelemetry/api')) as unknown as OpenTelemetryLike;
  } catch {
    return NO_TRACING;
  }
  return tracingBy(api, version);
}
