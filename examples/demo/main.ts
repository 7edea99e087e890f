/** `npm run demo`: personal data in SQLite becomes encrypted, rotates beside a writer, is served and backed up. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { faker } from '@faker-js/faker';
import Database from 'better-sqlite3';
import { eq, isNotNull } from 'drizzle-orm';
import { Fernet, isFieldsealError } from 'fieldseal';
import { openApplication } from './application.ts';
import { showService } from './service.ts';

const CUSTOMERS = Number(process.argv[3] ?? 20_000);
const SHOWN = 4711;
const here = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));
const launcher = join(root, 'packages/server/bin/fieldseal.js');
const folder = resolve(process.argv[2] ?? join(root, 'fieldseal-demo'));
const file = join(folder, 'customers.db');
const key = Fernet.generateKey();

function step(title: string): void {
  console.log(`\n\u001b[1m── ${title}\u001b[0m`);
}

/** What an earlier run left goes; nothing else in the folder is touched. */
function makeFolder(): void {
  mkdirSync(folder, { recursive: true });
  for (const name of ['customers.db', 'restored.db', 'backup.age']) {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(join(folder, name + suffix), { force: true });
  }
  copyFileSync(join(here, 'fieldseal.config.ts'), join(folder, 'fieldseal.config.ts'));
  const variables = {
    ENCRYPTION_KEY: key,
    DATABASE_URL: 'sqlite:customers.db',
    AUTH_JWT_SECRET: Fernet.generateKey(),
    BACKUP_PASSPHRASE: Fernet.generateKey(),
  };
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(folder, '.env'), lines.join(''), { mode: 0o600 });
}

function makeCustomers(): void {
  faker.seed(20_261_124);
  const db = new Database(file);
  db.exec(`CREATE TABLE customers (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, phone TEXT, email TEXT, ssn TEXT, city TEXT NOT NULL, email_index TEXT)`);
  const insert = db.prepare('INSERT INTO customers (name, phone, email, ssn, city) VALUES (?, ?, ?, ?, ?)');
  db.transaction(() => {
    for (let i = 1; i <= CUSTOMERS; i++) {
      const name = faker.person.fullName();
      const email = faker.internet.email().toLowerCase();
      const ssn = i % 10 === 0 ? null : faker.helpers.fromRegExp('[1-5][0-9]{2}-[1-9][0-9]-[1-9][0-9]{3}');
      insert.run(name, faker.phone.number({ style: 'international' }), email, ssn, faker.location.city());
    }
  })();
  db.close();
}

/** Runs one command of the real command line, with its output on this terminal. */
function fieldseal(...args: string[]): void {
  console.log(`$ fieldseal ${args.join(' ')}`);
  const { status } = spawnSync(process.execPath, [launcher, ...args], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error(`fieldseal ${args[0]} ended with exit code ${status}`);
}

async function rotateBesideWriter(): Promise<Map<number, string>> {
  const writer = spawn(process.execPath, ['--import', 'tsx', join(here, 'writer.ts')], {
    cwd: root,
    env: { ...process.env, DEMO_DATABASE: file, DEMO_KEY: key, DEMO_CUSTOMERS: String(CUSTOMERS) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    await nextMessage(writer);
    console.log('$ fieldseal rotate');
    const rotation = spawn(process.execPath, [launcher, 'rotate'], {
      cwd: folder,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const [status] = await once(rotation, 'exit');
    if (status !== 0) throw new Error(`fieldseal rotate ended with exit code ${status}`);
    const lastWrites = nextMessage(writer);
    writer.send('stop');
    return new Map((await lastWrites) as [number, string][]);
  } finally {
    if (writer.exitCode === null) writer.kill();
  }
}

/** The child's next message; rejects when it ends without one. */
async function nextMessage(child: ChildProcess): Promise<unknown> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the writer ended with exit code ${code}`);
  });
  ended.catch(() => {});
  const [message] = await Promise.race([once(child, 'message'), ended]);
  return message;
}

async function showCustomer(): Promise<void> {
  const sqlite = new Database(file, { readonly: true });
  const stored = sqlite.prepare('SELECT phone, email, ssn FROM customers WHERE id = ?').get(SHOWN) as Record<
    string,
    string
  >;
  sqlite.close();
  const application = await openApplication(file, key);
  const { customers, db } = application;
  const seen = db.select().from(customers).where(eq(customers.id, SHOWN)).get();
  await application.close();
  console.log(
    'as stored:',
    Object.fromEntries(Object.entries(stored).map(([name, token]) => [name, `${token.slice(0, 40)}…`])),
  );
  console.log('as the application sees it:', seen);
}

/** Finds a customer by an e-mail address that the database does not hold in plain, and shows what a moved value does. */
async function search(): Promise<void> {
  const application = await openApplication(file, key);
  const { sqlite, rows } = application;
  const stored = sqlite.prepare('SELECT * FROM customers WHERE id = ?').get(SHOWN) as Record<string, unknown>;
  const wanted = { email: ` ${String(rows.decryptRow(stored)['email']).toUpperCase()}` };
  const values = rows.lookup('email_index', wanted);
  const found = sqlite
    .prepare(`SELECT * FROM customers WHERE email_index IN (${values.map(() => '?').join(', ')})`)
    .all(...values) as Record<string, unknown>[];
  const matching = found.map((row) => rows.decryptRow(row)).filter((row) => rows.matches('email_index', wanted, row));
  console.log(
    `Looked for${wanted.email}: ${found.length} of ${CUSTOMERS} rows have its index value ${values}, and ` +
      `${matching.length} of them the address: customer ${matching.map((row) => row['id'])}.`,
  );
  try {
    rows.decryptRow({ ...stored, id: SHOWN + 1 });
    throw new Error('a value that was moved to another row opened there');
  } catch (error) {
    if (!isFieldsealError(error)) throw error;
    console.log(`Moved to another row: ${error.message}`);
  }
  await application.close();
  if (!matching.some((row) => row['id'] === SHOWN)) throw new Error('the customer was not found');
}

/** Reads everything as the application does, and compares the writer's last writes with what is there. */
async function checkWrites(lastWrites: Map<number, string>): Promise<void> {
  const application = await openApplication(file, key);
  const { customers, db } = application;
  const rows = db.select().from(customers).where(isNotNull(customers.phone)).all();
  await application.close();
  const lost = rows.filter((row) => lastWrites.has(row.id) && lastWrites.get(row.id) !== row.phone);
  if (rows.length !== CUSTOMERS || lost.length > 0) throw new Error(`${lost.length} late writes were lost`);
  console.log(
    `All ${rows.length} customers read; all ${lastWrites.size} rows that were written meanwhile hold their last write.`,
  );
}

const startedMs = performance.now();
makeFolder();
step(`1. ${CUSTOMERS} customers, made up but always the same, in plaintext`);
makeCustomers();
fieldseal('scan');
step('2. Encrypted in place');
fieldseal('encrypt');
step('3. One row');
await showCustomer();
step('4. Found by a blind index');
await search();
step('5. Rotated to a new key while another process goes on updating rows');
const lastWrites = await rotateBesideWriter();
step('6. Every value reads, and every late write survived');
fieldseal('verify');
await checkWrites(lastWrites);
step('7. The REST service: an API key, a rotation, the audit log');
await showService(launcher, folder);
step('8. An encrypted backup, and what it restores to');
fieldseal('backup', 'create', 'backup.age');
fieldseal('backup', 'restore', 'backup.age', '--to', 'restored.db');
step('What to try next');
const cd = relative(process.cwd(), folder);
const bin = relative(folder, join(root, 'node_modules/.bin/fieldseal'));
console.log(`The database, its configuration and its key (.env) are in ${cd}/. There:

  cd ${cd}
  alias fieldseal=${bin}
  fieldseal status              the runs and their reports
  fieldseal keyring list        the keys, without their bytes
  fieldseal rotate              again, to v4; press Ctrl-C, and start it again to go on
  fieldseal decrypt --dry-run   what going back would do
  fieldseal serve               the REST API on port 8000; docs/api.md has its calls
  sqlite3 customers.db 'SELECT * FROM customers LIMIT 3'

README.md says how to add it to an application of your own. (${((performance.now() - startedMs) / 1000).toFixed(0)} s)`);
