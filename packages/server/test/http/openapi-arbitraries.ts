/** Requests made up out of the API's description: such as it asks for, and broken in every way that comes to mind. */
import fc, { type Arbitrary } from 'fast-check';
import type { JsonSchema, Operation, Parameter } from './openapi-document.ts';

/** A request before it gets a token. */
export interface FuzzedRequest {
  readonly operation: Operation;
  readonly method: string;
  readonly url: string;
  /** Which of the callers that the test has. */
  readonly caller: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Null: none. */
  readonly body: string | null;
}

function textOf({ pattern, minLength = 0, maxLength = 4096, format }: JsonSchema): Arbitrary<string> {
  if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  const bounds = { minLength, maxLength: Math.min(maxLength, 60) };
  const texts = fc.oneof(fc.string(bounds), fc.string({ ...bounds, unit: 'binary' }));
  if (pattern === undefined) return texts;
  const regex = new RegExp(pattern, 'u');
  const fits = (text: string) => regex.test(text) && text.length >= minLength;
  // fast-check makes texts of most patterns, but of none that looks ahead; those take words.
  if (!pattern.includes('(?='))
    return fc.stringMatching(regex).filter((text) => fits(text) && text.length <= maxLength);
  return fc.oneof(fc.stringMatching(/^[a-z][a-z:.]{0,20}[a-z]$/), texts).filter(fits);
}

/** Values that a schema takes. */
export function valuesOf(schema: JsonSchema): Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valuesOf));
  switch (schema.type) {
    case 'string':
      return textOf(schema);
    case 'integer': {
      const [min, max] = [schema.minimum ?? Number.MIN_SAFE_INTEGER, schema.maximum ?? Number.MAX_SAFE_INTEGER];
      // Small ones, which are there, as often as all others.
      return fc.oneof(fc.integer({ min, max: Math.min(max, min + 30) }), fc.integer({ min, max }));
    }
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(schema.items ? valuesOf(schema.items) : fc.jsonValue(), {
        maxLength: Math.min(schema.maxItems ?? 5, 5),
      });
    case 'object': {
      const properties = Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, property]) => [name, valuesOf(property)]),
      );
      return fc.record(properties, { requiredKeys: [...(schema.required ?? [])] });
    }
    default:
      return fc.jsonValue();
  }
}

const EVIL_TEXTS = [
  "' OR 1=1 --",
  '"; DROP TABLE api_keys; --',
  '\u0000',
  '\ud800',
  '%',
  '../../etc/passwd',
  '{{7*7}}',
  '$(id)',
  '-1',
  '0',
  '4.7',
  '0x1',
  '1e2',
  '9007199254740993',
  '99999999999999999999999999',
  'NaN',
  'true',
  'null',
  '',
  ' ',
  '２',
  'x'.repeat(300),
];
const evilText = fc.oneof(fc.constantFrom(...EVIL_TEXTS), fc.string(), fc.string({ unit: 'binary', maxLength: 20 }));

function urlText(text: string): string {
  return encodeURIComponent(text.toWellFormed?.() ?? text.replace(/[\ud800-\udfff]/g, '?'));
}

function parameterText({ schema }: Parameter): Arbitrary<string> {
  const good = valuesOf(schema).map((value) => urlText(String(value)));
  return fc.oneof(
    { weight: 6, arbitrary: good },
    { weight: 2, arbitrary: evilText.map(urlText) },
    { weight: 1, arbitrary: fc.constantFrom('%', '%zz', '%ff', '%2e%2e', '%2f', ';', '+', '%00') },
  );
}

function addressOf({ path, parameters = [] }: Operation): Arbitrary<string> {
  const inPath = parameters.filter((parameter) => parameter.in === 'path');
  const inQuery = parameters.filter((parameter) => parameter.in === 'query');
  const filled = fc
    .tuple(...inPath.map(parameterText))
    .map((texts) => inPath.reduce((url, { name }, i) => url.replace(`{${name}}`, texts[i] as string), path));
  const known = inQuery.map((parameter) =>
    fc.option(
      parameterText(parameter).map((text) => `${parameter.name}=${text}`),
      { nil: null, freq: 2 },
    ),
  );
  const odd = fc.oneof(
    { weight: 12, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: fc.tuple(evilText, evilText).map((pair) => pair.map(urlText).join('=')) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('&&', '=', 'limit=1&limit=2', '__proto__=1', 'a[b]=1', 'token=x', 'constructor=1'),
    },
  );
  const query = fc
    .tuple(...known, odd)
    .map((parts) => parts.filter((part) => part !== null).join('&'))
    .map((text) => (text === '' ? '' : `?${text}`));
  const tail = fc.oneof(
    { weight: 40, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.constantFrom('/', '//', '/..', '/x', '%00', '.json', '#a') },
  );
  return fc.tuple(filled, tail, query).map((parts) => parts.join(''));
}

/** One field of a good body made wrong, left out or added. */
function brokenBody(schema: JsonSchema): Arbitrary<string> {
  const names = Object.keys(schema.properties ?? {});
  const name = fc.oneof(fc.constantFrom('unknown', '__proto__', 'constructor', ...names), fc.string());
  const value = fc.oneof(fc.jsonValue(), evilText, fc.constant(undefined));
  return fc.tuple(valuesOf(schema), name, value).map(([good, field, wrong]) => {
    const entries = Object.entries(good as object).filter(([key]) => key !== field);
    return JSON.stringify(Object.fromEntries(wrong === undefined ? entries : [...entries, [field, wrong]]));
  });
}

function bodyOf({ requestBody }: Operation): Arbitrary<string | null> {
  const schema = requestBody?.content['application/json']?.schema;
  const none = { weight: schema ? 1 : 8, arbitrary: fc.constant(null) };
  const raw = fc.oneof(
    evilText,
    fc.json({ maxDepth: 4 }),
    fc.constantFrom(
      '{',
      '[',
      '{"a":1,"a":2}',
      '['.repeat(2000),
      `${'['.repeat(40)}${']'.repeat(40)}`,
      '{"__proto__":{}}',
    ),
    fc.constant('x'.repeat(70_000)),
  );
  if (!schema) return fc.oneof(none, { weight: 1, arbitrary: raw });
  return fc.oneof(
    none,
    { weight: 6, arbitrary: valuesOf(schema).map((value) => JSON.stringify(value)) },
    { weight: 3, arbitrary: brokenBody(schema) },
    { weight: 1, arbitrary: raw },
  );
}

/** One to three headers that few clients send. */
const headers: Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({}) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Record<string, string>>(
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/json; charset=latin1' },
      { 'content-type': 'application/json; charset=UTF-8' },
      { 'content-type': 'application/problem+json' },
      { 'content-type': '' },
      { 'content-type': 'multipart/form-data; boundary=x' },
      { 'content-encoding': 'gzip' },
      { 'content-encoding': 'identity' },
      { 'transfer-encoding': 'chunked' },
      { accept: 'text/html' },
      { origin: 'https://evil.example' },
      { 'x-forwarded-for': '1.2.3.4, <script>' },
      { 'x-http-method-override': 'DELETE' },
      { 'accept-version': '2.x' },
      { 'content-length': '5' },
      { 'content-length': '-1' },
      { expect: '100-continue' },
      { cookie: 'a=b' },
      { host: '' },
      { 'request-id': "' OR 1=1" },
      { 'idempotency-key': 'x'.repeat(300) },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.string({ maxLength: 300 }).map((text) => ({ 'user-agent': text })),
  },
);

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'];

/** What reads the whole log, which grows all the while, comes less often. */
function weightOf({ path }: Operation): number {
  return path.endsWith('/export') ? 1 : 10;
}

/** Requests to any of the operations, from any of so many callers. */
export function requestsTo(operations: readonly Operation[], callers: number): Arbitrary<FuzzedRequest> {
  return fc.oneof(
    ...operations.map((operation) => ({
      weight: weightOf(operation),
      arbitrary: fc.record({
        operation: fc.constant(operation),
        method: fc.oneof(
          { weight: 20, arbitrary: fc.constant(operation.method) },
          { weight: 1, arbitrary: fc.constantFrom(...METHODS) },
        ),
        url: addressOf(operation),
        caller: fc.nat({ max: callers - 1 }),
        headers,
        body: bodyOf(operation),
      }),
    })),
  );
}
