/** A SQLite file with two tables of the same shape: `p`, which a statement rewrites, and `t`, which ours sweeps. */
import Database from 'better-sqlite3';
import { EncryptionService, keyringFromEnv } from 'fieldseal';
import { plaintextOf } from './values.ts';

export class SqliteBench {
  readonly #db: Database.Database;
  readonly #rows: number;

  constructor(file: string, rows: number, key: string) {
    this.#db = new Database(file);
    this.#rows = rows;
    const service = new EncryptionService(keyringFromEnv({ ENCRYPTION_KEY: key }));
    this.#db.exec('CREATE TABLE p (id INTEGER PRIMARY KEY, c TEXT); CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT)');
    const [p, t] = ['p', 't'].map((name) => this.#db.prepare(`INSERT INTO ${name} VALUES (?, ?)`));
    this.#db.transaction(() => {
      for (let id = 1; id <= rows; id++) {
        p?.run(id, service.encryptField(plaintextOf(id)));
        t?.run(id, plaintextOf(id));
      }
    })();
  }

  /** (a) Rows per second. The value really changes: SQLite does not write what is as it was. */
  rewrite(): number {
    const startedMs = performance.now();
    this.#db.exec("UPDATE p SET c = substr(c, 2) || 'x'");
    return this.#rows / ((performance.now() - startedMs) / 1000);
  }

  close(): void {
    this.#db.close();
  }
}
