/** The log: one JSON object a line, written by pino. */
import { type Logger, pino } from 'pino';
import { LOG_LEVELS, type LogLevel } from '../config/settings.js';

/** A line: `level` and `event`, and what there is to say of it. */
export type LogLine = Readonly<Record<string, unknown>>;

/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

/**
 * Fields that hold secrets wherever they are used. No line of ours has one: this is the second line of defence, for a field that
 * somebody adds one day.
 */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'Authorization',
  'cookie',
  'set-cookie',
  'token',
  'key',
  'apiKey',
  'api_key',
  'encrypted_key',
  'encryptedKey',
  'secret',
  'password',
  'plaintext',
  'connectionString',
]);
/** Deeper than any line of ours; what lies deeper is left out. */
const MOST_DEPTH = 8;

/**
 * Texts that are a secret by their shape: our API keys, JWTs, Fernet tokens, Fernet keys, credentials of HTTP and in a
 * database's address.
 */
const SECRET_SHAPES =
  /[A-Za-z][A-Za-z0-9]{0,15}_[0-9A-Za-z]{6}_[0-9A-Za-z]{32}|eyJ[\w-]{5,}\.[\w-]+\.[\w-]*|gAAAAA[\w-]{20,}={0,2}|(?<![\w-])[\w-]{43}=|(?<=\b(?:Bearer|Basic) )[\w.~+/-]+=*|(?<=:\/\/[^\s:/@"]{0,64}:)[^\s@"]+(?=@)/g;

/** What each of those shapes has in it, since looking for these costs a fraction of the expression: no line of a request has one. */
const SECRET_MARKS = ['_', 'eyJ', 'gAAAAA', '=', 'Bearer ', 'Basic ', '://'];

function withoutSecretShapes(line: string): string {
  return SECRET_MARKS.some((mark) => line.includes(mark)) ? line.replace(SECRET_SHAPES, REDACTED) : line;
}

/**
 * Lines as one write for each turn of the event loop. What is left when the process ends is written then; only a process that
 * is killed loses the lines of its last turn.
 */
export function gatherLines(write: (lines: string) => void): (line: string) => void {
  let lines = '';
  const flush = () => {
    const gathered = lines;
    lines = '';
    if (gathered !== '') write(gathered);
  };
  process.on('exit', flush);
  return (line) => {
    if (lines === '') setImmediate(flush);
    lines += line;
  };
}

/**
 * @param write takes a whole line
 * @example
 * const log = createLog('info', (line) => process.stdout.write(line));
 * log({ level: 'info', event: 'request', status: 200 }); // {"level":"info","time":"2026-…","event":"request","status":200}
 */
export function createLog(level: LogLevel, write: (line: string) => void): (line: LogLine) => void {
  const logger: Logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: withoutSecretShapes },
    },
    { write },
  );
  return ({ level: of, ...line }) => logger[isLogLevel(of) ? of : 'info'](withoutSecrets(line, 0));
}

/** A copy in which no field of a secret's name has its value. Pino's own `redact` takes thirty times as long for our depths. */
function withoutSecrets(value: object, depth: number): object {
  const inner = (one: unknown) => {
    if (typeof one !== 'object' || one === null || 'toJSON' in one) return one;
    return depth < MOST_DEPTH ? withoutSecrets(one, depth + 1) : REDACTED;
  };
  if (Array.isArray(value)) return value.map(inner);
  const copy: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(value)) copy[name] = SECRET_FIELDS.has(name) ? REDACTED : inner(one);
  return copy;
}

function isLogLevel(text: unknown): text is LogLevel {
  return (LOG_LEVELS as readonly unknown[]).includes(text);
}
