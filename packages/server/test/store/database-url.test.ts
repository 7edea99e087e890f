import { describe, expect, it } from 'vitest';
import { databaseName, parseDatabaseUrl } from '../../src/store/database-url.js';

describe('a database URL', () => {
  it.each([
    ['sqlite:relative.db', 'relative.db'],
    ['sqlite:./folder/relative.db', './folder/relative.db'],
    ['sqlite:/absolute.db', '/absolute.db'],
    ['sqlite:///absolute.db', '/absolute.db'],
    ['SQLite:a file with spaces.db', 'a file with spaces.db'],
  ])('%s names the file %s', (url, file) => {
    expect(parseDatabaseUrl(url)).toEqual({ dialect: 'sqlite', file });
  });

  it.each([
    'postgres://user:secret@host:5433/app',
    'postgresql://user:p%40ss%2Fword@host/app?sslmode=verify-full',
    'postgres://user:secret@host/app?sslmode=no-verify&application_name=x',
    'postgres://[::1]:5432/app',
    'postgres:///app?host=/var/run/postgresql',
  ])('%s goes to the PostgreSQL driver as it is', (url) => {
    expect(parseDatabaseUrl(url)).toEqual({ dialect: 'postgres', connectionString: url });
  });

  it.each(['prefer', 'require', 'verify-ca'])('with sslmode=%s asks for a verified certificate', (mode) => {
    expect(parseDatabaseUrl(`postgres://h/app?a=1&sslmode=${mode}&b=2`)).toEqual({
      dialect: 'postgres',
      connectionString: 'postgres://h/app?a=1&sslmode=verify-full&b=2',
    });
  });

  it.each([
    [
      'postgres://u:a&b@h/app?pool_size=20&pool_recycle=3600',
      'postgres://u:a&b@h/app',
      { size: 20, recycleSeconds: 3600 },
    ],
    ['postgres://h/app?pool_size=1&sslmode=no-verify', 'postgres://h/app?sslmode=no-verify', { size: 1 }],
    ['postgres://h/app?a=1&pool_recycle=60&b=2', 'postgres://h/app?a=1&b=2', { recycleSeconds: 60 }],
  ])('%s sets the pool, and the driver does not see it', (url, connectionString, pool) => {
    expect(parseDatabaseUrl(url)).toEqual({ dialect: 'postgres', connectionString, pool });
  });

  it.each([
    ['', 'it must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE'],
    ['hunter2', 'it must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE'],
    ['mysql://root:hunter2@host/app', 'it must be sqlite:PATH'],
    ['postgresql+psycopg2://user:hunter2@host/app', 'it must be sqlite:PATH'],
    ['postgres:hunter2', 'it must be sqlite:PATH'],
    ['sqlite::memory:', 'a database in memory would lose its keys; give a file: sqlite:PATH'],
    ['sqlite:', 'it names no file; give one: sqlite:PATH'],
    ['sqlite:  ', 'it names no file'],
    ['sqlite://', 'after sqlite: comes a path'],
    ['sqlite://hunter2.db', 'after sqlite: comes a path: sqlite:relative.db or sqlite:///absolute.db'],
    ['sqlite:hunter2.db?mode=ro', 'a SQLite database takes no options'],
    [
      'postgres://user:hunter2#x@host/app',
      'characters such as @ / # ? % in a password are written %40 %2F %23 %3F %25',
    ],
    ['postgres://user:12/hunter2@host/app', 'characters such as @ / # ? % in a password'],
    ['postgres://user:hunter2%zz@host/app', 'characters such as @ / # ? % in a password'],
    ['postgres://user:hunter2@host:port/app', 'characters such as @ / # ? % in a password'],
    [
      'postgres://user:hunter2@host/app?pool_size=0',
      'its pool_size is not a whole number of connections from 1 to 1000',
    ],
    ['postgres://user:hunter2@host/app?pool_size=1001', 'its pool_size is not'],
    ['postgres://user:hunter2@host/app?pool_recycle=1h', 'its pool_recycle is not a whole number of seconds from 1 on'],
    ['postgres://user:hunter2@host/app?pool_recycle', 'its pool_recycle is not'],
    ['postgres://user:hunter2@host/app?sslmode=requrie', 'its sslmode is none of disable, prefer, require'],
  ])('%j is refused without being repeated', (url, reason) => {
    const refusal = expect.objectContaining({
      code: 'ERR_DATABASE_URL',
      message: expect.stringMatching(/^DATABASE_URL is not understood: .*\.$/),
    });
    expect(() => parseDatabaseUrl(url)).toThrow(refusal);
    expect(() => parseDatabaseUrl(url)).toThrow(reason);
    expect(() => parseDatabaseUrl(url)).not.toThrow(/hunter2|requrie/);
  });

  it.each([
    ['sqlite:app.db', 'The database app.db'],
    [
      'postgres://user:hunter2@db.example:5433/my%20app?sslmode=require&password=hunter2',
      'The database my app on db.example:5433',
    ],
    ['postgres://user:hunter2@/app?host=/var/run/postgresql', 'The database app on /var/run/postgresql'],
  ])('%s is called by its place in messages', (url, name) => {
    expect(databaseName(parseDatabaseUrl(url))).toBe(name);
  });
});
