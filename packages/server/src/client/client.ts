/** The client of the REST API. */
import { errorOf, type FieldsealApiError } from './api-error.js';
import {
  type InputOf,
  type ItemOf,
  type Operation,
  type OperationName,
  type OutputOf,
  operations,
  type PagedName,
} from './operations.js';

const API_PREFIX = '/api/encryption';
const TIMEOUT_MS = 30_000;
const RETRIES = 2;
/** The operations that look at an `Idempotency-Key`; others would be done twice. */
const ONCE: readonly OperationName[] = ['createKey', 'rerollKey'];
/** Whoever is told to wait for longer is told so by the error instead. */
const MOST_WAIT_SECONDS = 10;

/** How to reach the service. */
export interface ClientOptions {
  /** `https://keys.example.com`; where the service stands behind a path, with it. */
  readonly baseUrl: string;
  /** A JWT or an API key; a function is asked before each request. */
  readonly token: string | (() => string | Promise<string>);
  /** For each try of a request, until its answer is there or, of an export, begins; 30,000 unless told. */
  readonly timeoutMs?: number;
  /** How often a request is sent again that was answered 429 or 503 and may be repeated; 2 unless told. */
  readonly retries?: number;
  /** In the place of the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/** How to make one request. */
export interface RequestOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Sent as `Idempotency-Key`, where the operation takes one; the request may then be repeated. */
  readonly idempotencyKey?: string;
}

/** A method for each operation. Input that has no required part may be left out. */
export type OperationMethods = {
  readonly [Name in OperationName]: Record<never, never> extends InputOf<Name>
    ? (input?: InputOf<Name>, options?: RequestOptions) => Promise<OutputOf<Name>>
    : (input: InputOf<Name>, options?: RequestOptions) => Promise<OutputOf<Name>>;
};

interface Asked {
  readonly url: URL;
  readonly method: string;
  readonly as: Operation<unknown, unknown>['as'];
  readonly body: object | null;
  readonly mayRepeat: boolean;
}

interface Answer {
  readonly response: Response;
  readonly body: unknown;
}

class Client {
  readonly #options: ClientOptions;
  readonly #base: URL;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#base = new URL(`${options.baseUrl.replace(/\/+$/, '')}${API_PREFIX}/`);
    const { protocol, username, password, search, hash } = this.#base;
    if (!/^https?:$/.test(protocol) || `${username}${password}${search}${hash}` !== '')
      throw new TypeError('baseUrl must be an http or https address without credentials, query and fragment');
    for (const name of Object.keys(operations) as OperationName[]) {
      const method = (input = {}, request?: RequestOptions) => this.request(name, input as never, request);
      Object.defineProperty(this, name, { value: method, enumerable: true });
    }
  }

  /**
   * Makes the request of an operation.
   * @throws FieldsealApiError for an answer from 400 up; DOMException `TimeoutError` or `AbortError`; TypeError where the
   * service cannot be reached
   */
  async request<Name extends OperationName>(
    name: Name,
    input: InputOf<Name>,
    options: RequestOptions = {},
  ): Promise<OutputOf<Name>> {
    return (await this.#ask(name, input as object, null, options)).body as OutputOf<Name>;
  }

  /** What a list has in it, page after page, newest first, as far as is read. @throws as {@link request} */
  async *pages<Name extends PagedName>(
    name: Name,
    input: InputOf<Name> = {} as InputOf<Name>,
    options: RequestOptions = {},
  ): AsyncGenerator<ItemOf<Name>, void, void> {
    let asked: object = input as object;
    for (let next: string | null = null; ; ) {
      const { response, body } = await this.#ask(name, asked, next, options);
      const isBare = Array.isArray(body);
      const items = (isBare ? body : (body as { logs: unknown[] }).logs) as { id: number }[];
      yield* items as Awaited<ItemOf<Name>>[];
      next = nextQuery(response.headers.get('link'));
      const last = items.at(-1);
      if (next === null && (isBare || last === undefined)) return;
      // Pages that are no bare list go on behind their last row.
      if (next === null) asked = { ...asked, before: last?.id };
    }
  }

  /** @param query in the place of that of a GET */
  async #ask(name: OperationName, input: object, query: string | null, options: RequestOptions): Promise<Answer> {
    const { method, path, as } = operations[name];
    const { url, rest } = this.#address(path, input as Readonly<Record<string, unknown>>);
    const isRead = method === 'GET';
    if (query !== null) url.search = query;
    else if (isRead) {
      for (const [key, value] of Object.entries(rest))
        if (value !== undefined) url.searchParams.set(key, String(value));
    }
    const mayRepeat = isRead || (options.idempotencyKey !== undefined && ONCE.includes(name));
    return this.#send({ url, method, as, body: isRead ? null : rest, mayRepeat }, options);
  }

  #address(path: string, input: Readonly<Record<string, unknown>>): { url: URL; rest: Record<string, unknown> } {
    const rest = { ...input };
    const filled = path.slice(1).replace(/:(\w+)/g, (_match, name: string) => {
      const value = rest[name];
      delete rest[name];
      // `..` and its like would lead to another operation.
      if ((typeof value !== 'number' && typeof value !== 'string') || !/^[\w-]+$/.test(String(value)))
        throw new TypeError(`${name} must be an id`);
      return String(value);
    });
    return { url: new URL(filled, this.#base), rest };
  }

  async #send(asked: Asked, options: RequestOptions): Promise<Answer> {
    for (let left = asked.mayRepeat ? (this.#options.retries ?? RETRIES) : 0; ; left--) {
      const answer = await this.#try(asked, options);
      if (answer.response.ok) return answer;
      const error = answer.body as FieldsealApiError;
      const { status, retryAfterSeconds } = error;
      const isPassing = status === 429 || status === 503;
      if (!isPassing || left <= 0 || retryAfterSeconds === null || retryAfterSeconds > MOST_WAIT_SECONDS) throw error;
      await wait(retryAfterSeconds * 1000, options.signal);
    }
  }

  async #try(asked: Asked, options: RequestOptions): Promise<Answer> {
    const { token, timeoutMs = TIMEOUT_MS } = this.#options;
    const bearer = typeof token === 'string' ? token : await token();
    // `fetch` would quote the whole header in its error.
    if (!/^[!-~]+$/.test(bearer)) throw new TypeError('token must be printable ASCII without spaces');
    const timeout = new AbortController();
    const late = () => timeout.abort(new DOMException('The service did not answer in time.', 'TimeoutError'));
    const timer = setTimeout(late, options.timeoutMs ?? timeoutMs);
    try {
      return await this.#fetch(asked, bearer, options, timeout.signal);
    } finally {
      // A body that is left to be read takes as long as it takes; `signal` ends it.
      clearTimeout(timer);
    }
  }

  async #fetch(
    { url, method, as, body }: Asked,
    bearer: string,
    options: RequestOptions,
    timeout: AbortSignal,
  ): Promise<Answer> {
    const response = await (this.#options.fetch ?? fetch)(url, {
      method,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${bearer}`,
        ...(body && { 'content-type': 'application/json' }),
        ...(options.idempotencyKey !== undefined && { 'idempotency-key': options.idempotencyKey }),
      },
      ...(body && { body: JSON.stringify(body) }),
      // The token is for this service alone.
      redirect: 'error',
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    });
    if (!response.ok) return { response, body: await errorOf(response) };
    if (as === 'response') return { response, body: response };
    const text = await response.text();
    return { response, body: as === 'text' ? text : text === '' ? null : JSON.parse(text) };
  }
}

/** Also outside Node. @throws whatever `signal` is aborted with */
function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}

/** The query of the next page out of a `Link` header. Only its query: the address stays the one that was asked. */
function nextQuery(link: string | null): string | null {
  const target = /<([^>]*)>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  return target === undefined ? null : new URL(target, 'http://localhost').search.slice(1);
}

/**
 * The REST API as methods.
 * @example
 * const client = new FieldsealClient({ baseUrl: 'http://127.0.0.1:8000', token });
 * const { key } = await client.createKey({ name: 'Integration', scopes: ['read:projects'] });
 * for await (const { name, expires_at } of client.pages('listKeys')) console.log(name, expires_at);
 */
export type FieldsealClient = Client & OperationMethods;
export const FieldsealClient = Client as unknown as new (options: ClientOptions) => FieldsealClient;
