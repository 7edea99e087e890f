/** Reads DATABASE_URL: which database it names, without ever repeating what it says. */
import { FieldsealError } from 'fieldseal';

export type DatabaseTarget =
  | { readonly dialect: 'sqlite'; readonly file: string }
  | { readonly dialect: 'postgres'; readonly connectionString: string };

const FORMS = 'sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE';
const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'];

/**
 * `sqlite:relative.db`, `sqlite:/absolute.db`, `sqlite:///absolute.db`, `postgres://…` or `postgresql://…`. The sslmodes
 * `prefer`, `require` and `verify-ca` mean `verify-full`, as they do to the driver, so that no weaker connection is made
 * than was asked for; whoever has no certificate to check against says `no-verify`.
 * @throws FieldsealError `ERR_DATABASE_URL`; its message never holds any part of `url`.
 */
export function parseDatabaseUrl(url: string): DatabaseTarget {
  if (/^sqlite:/i.test(url)) return { dialect: 'sqlite', file: sqliteFile(url.slice('sqlite:'.length)) };
  if (/^postgres(ql)?:\/\//i.test(url)) return { dialect: 'postgres', connectionString: checkedConnectionString(url) };
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
