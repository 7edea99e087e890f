/** Prometheus metrics: counted as requests are answered, and read from the store when somebody asks. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds, from what a cache answers to what times out. */
const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** What a source may take: a scrape comes back with the others' figures while a database does not answer. */
const SOURCE_TIMEOUT_MS = 2_000;

/** A request that was answered. Routes are patterns such as `/keys/:id`; null: there is none at its address. */
export interface AnsweredRequest {
  readonly method: string;
  readonly route: string | null;
  readonly status: number;
  readonly seconds: number;
}

/** One value of a gauge. */
export interface Sample {
  readonly gauge: string;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Gauges that are read together when somebody asks. Labels hold versions, states and ids of few things: never a name, a user or a key. */
export interface GaugeSource {
  readonly name: string;
  /** Name → what it says, and its labels. */
  readonly gauges: Readonly<Record<string, { readonly help: string; readonly labels?: readonly string[] }>>;
  read(): Promise<Sample[]>;
}

const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** The metrics of one service, in a registry of their own. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #sources: readonly { readonly source: GaugeSource; readonly gauges: ReadonlyMap<string, Gauge> }[];
  readonly #requests: Histogram;
  readonly #operations: Counter;
  readonly #verifications: Counter;
  readonly #authentications: Counter;
  readonly #scrapeErrors: Counter;
  #scrape: Promise<string> | null = null;

  constructor(sources: readonly GaugeSource[]) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Histogram({
      name: 'fieldseal_http_request_duration_seconds',
      help: 'Requests that were answered, by route pattern, and how long they took.',
      labelNames: ['method', 'route', 'status'],
      buckets: LATENCY_BUCKETS,
      registers,
    });
    this.#operations = new Counter({
      name: 'fieldseal_operations_total',
      help: 'Changes that were made over HTTP.',
      labelNames: ['operation'],
      registers,
    });
    this.#verifications = new Counter({
      name: 'fieldseal_api_key_verifications_total',
      help: 'API keys that other services had verified, by the answer.',
      labelNames: ['code'],
      registers,
    });
    this.#authentications = new Counter({
      name: 'fieldseal_authentications_total',
      help: 'Callers of the API by what they came with; outcome is accepted or refused.',
      labelNames: ['credential', 'outcome'],
      registers,
    });
    this.#scrapeErrors = new Counter({
      name: 'fieldseal_scrape_errors_total',
      help: 'Times that figures could not be read; they are missing from that answer.',
      labelNames: ['source'],
      registers,
    });
    this.#sources = sources.map((source) => {
      const gauges = Object.entries(source.gauges).map(
        ([name, { help, labels = [] }]) => [name, new Gauge({ name, help, labelNames: labels, registers })] as const,
      );
      this.#scrapeErrors.inc({ source: source.name }, 0);
      return { source, gauges: new Map(gauges) };
    });
  }

  /** The `Content-Type` of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  request({ method, route, status, seconds }: AnsweredRequest): void {
    const labels = { method: METHODS.includes(method) ? method : 'other', route: route ?? 'unmatched', status };
    this.#requests.observe(labels, seconds);
  }

  operation(operation: string): void {
    this.#operations.inc({ operation });
  }

  verification(code: string): void {
    this.#verifications.inc({ code });
  }

  authentication(credential: 'jwt' | 'api_key' | 'none', outcome: 'accepted' | 'refused'): void {
    this.#authentications.inc({ credential, outcome });
  }

  /** Everything in Prometheus's text format. Whoever asks while it is being read gets the same answer. */
  text(): Promise<string> {
    this.#scrape ??= this.#read().finally(() => {
      this.#scrape = null;
    });
    return this.#scrape;
  }

  async #read(): Promise<string> {
    await Promise.all(
      this.#sources.map(async ({ source, gauges }) => {
        for (const [name, gauge] of gauges) {
          gauge.reset();
          // One without labels would stand there as 0, which nobody has read.
          if (source.gauges[name]?.labels === undefined) gauge.remove();
        }
        try {
          for (const { gauge, labels = {}, value } of await inTime(source.read()))
            gauges.get(gauge)?.set(labels, value);
        } catch {
          this.#scrapeErrors.inc({ source: source.name });
        }
      }),
    );
    return this.#registry.metrics();
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('too late')), SOURCE_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
