/** Reads DATABASE_URL: which database it names, without ever repeating what it says. */
import { FieldsealError } from 'fieldseal';

/** How many connections the service's store keeps, and for how long. */
export interface PoolSettings {
  /** At most so many at once; 10 when left out. */
  readonly size?: number;
  /** A connection of this age is replaced by a new one once it is idle; none is when left out. */
  readonly recycleSeconds?: number;
}

/** Who a process is: an operator's command, or the service and its workers. */
export type WrittenAs = 'operator' | 'system';

export type DatabaseTarget = {
  /** What audit rows that name no user say of who it was; nothing unless told. */
  readonly writtenAs?: WrittenAs;
} & (
  | { readonly dialect: 'sqlite'; readonly file: string }
  | { readonly dialect: 'postgres'; readonly connectionString: string; readonly pool?: PoolSettings }
);

const FORMS = 'sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE';
const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'];

const POOL_OPTIONS = { pool_size: 'size', pool_recycle: 'recycleSeconds' } as const;
const MOST_CONNECTIONS = 1000;

/**
 * `sqlite:relative.db`, `sqlite:/absolute.db`, `sqlite:///absolute.db`, `postgres://…` or `postgresql://…`, whose options
 * may have `pool_size` (connections) and `pool_recycle` (seconds) among them. The sslmodes
 * `prefer`, `require` and `verify-ca` mean `verify-full`, as they do to the driver, so that no weaker connection is made
 * than was asked for; whoever has no certificate to check against says `no-verify`.
 * @throws FieldsealError `ERR_DATABASE_URL`; its message never holds any part of `url`.
 */
export function parseDatabaseUrl(url: string): DatabaseTarget {
  if (/^sqlite:/i.test(url)) return { dialect: 'sqlite', file: sqliteFile(url.slice('sqlite:'.length)) };
  if (/^postgres(ql)?:\/\//i.test(url)) return postgresTarget(url);
  throw refusal(`it must be ${FORMS}`);
}

/** What messages call the database: a file, or a database and its host. Never the user or the password. */
export function databaseName(target: DatabaseTarget): string {
  if (target.dialect === 'sqlite') return `The database ${target.file}`;
  const url = new URL(target.connectionString);
  const host = url.searchParams.get('host') ?? url.host;
  return `The database ${decodeURIComponent(url.pathname.slice(1))}${host === '' ? '' : ` on ${host}`}`;
}

function sqliteFile(path: string): string {
  if (path.trim() === ':memory:') throw refusal('a database in memory would lose its keys; give a file: sqlite:PATH');
  if (path.includes('?')) throw refusal('a SQLite database takes no options; leave out the ? and what follows it');
  const file = path.startsWith('///') ? path.slice(2) : path;
  if (file.startsWith('//')) throw refusal('after sqlite: comes a path: sqlite:relative.db or sqlite:///absolute.db');
  if (file.trim() === '') throw refusal('it names no file; give one: sqlite:PATH');
  return file;
}

/** The pool's options are ours and not the driver's. */
function postgresTarget(url: string): DatabaseTarget {
  const [place, query] = checkedConnectionString(url).split('?') as [string, string?];
  const pool: { -readonly [Name in keyof PoolSettings]: number } = {};
  const driverOptions = (query ?? '').split('&').filter((option) => {
    const [name, value = ''] = option.split('=') as [string, string?];
    if (!isPoolOption(name)) return true;
    pool[POOL_OPTIONS[name]] = positiveNumber(name, value);
    return false;
  });
  const options = driverOptions.join('&');
  const connectionString = options === '' ? place : `${place}?${options}`;
  return { dialect: 'postgres', connectionString, ...(Object.keys(pool).length > 0 && { pool }) };
}

function isPoolOption(name: string): name is keyof typeof POOL_OPTIONS {
  return Object.hasOwn(POOL_OPTIONS, name);
}

function positiveNumber(name: keyof typeof POOL_OPTIONS, text: string): number {
  const value = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : 0;
  if (value > 0 && (name !== 'pool_size' || value <= MOST_CONNECTIONS)) return value;
  throw refusal(
    name === 'pool_size'
      ? `its pool_size is not a whole number of connections from 1 to ${MOST_CONNECTIONS}`
      : 'its pool_recycle is not a whole number of seconds from 1 on',
  );
}

function checkedConnectionString(given: string): string {
  // `user@/database?host=/folder/of/socket`: the driver takes that form, a URL needs some host in its place.
  const text = given.replace(/^([a-z]+:\/\/[^/?#]*@)\//i, '$1localhost/');
  const url = parsedUrl(text);
  if (url === null || url.hash !== '' || url.pathname.slice(1).includes('/')) {
    throw refusal(
      `it is not of the form ${FORMS}; characters such as @ / # ? % in a password are written %40 %2F %23 %3F %25`,
    );
  }
  const sslMode = url.searchParams.get('sslmode');
  if (sslMode !== null && !SSL_MODES.includes(sslMode)) {
    throw refusal(`its sslmode is none of ${SSL_MODES.join(', ')}`);
  }
  return text.replace(/([?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/, '$1verify-full');
}

/** Null when the driver would not understand it either: its own error would repeat the password. */
function parsedUrl(text: string): URL | null {
  try {
    const url = new URL(text);
    for (const part of [url.username, url.password, url.pathname, url.hostname]) decodeURIComponent(part);
    return url;
  } catch {
    return null;
  }
}

function refusal(reason: string): FieldsealError {
  return new FieldsealError('ERR_DATABASE_URL', `DATABASE_URL is not understood: ${reason}.`);
}
