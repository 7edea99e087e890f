/** The embedded PostgreSQL with two tables of tokens: `p`, under keys that the other ways know, and `t`, which ours sweeps. */
import { randomBytes } from 'node:crypto';
import { EncryptionService, Fernet, keyringFromEnv, MultiFernet } from 'fieldseal';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import startPostgres from '../../packages/server/test/postgres-global-setup.ts';
import { plaintextOf } from './values.ts';

const INSERT_ROWS = 5_000;

/** The rotation of a Fernet token inside the database: check, decrypt, encrypt under a fresh IV, sign. Its time stays. */
const ROTATE = `CREATE EXTENSION pgcrypto;
  CREATE FUNCTION rotate_token(token text, old_sign bytea, old_crypt bytea, new_sign bytea, new_crypt bytea) RETURNS text
  LANGUAGE plpgsql AS $$
  DECLARE
    raw bytea := decode(translate(token, '-_', '+/'), 'base64');
    n int := length(raw);
    iv bytea := gen_random_bytes(16);
    body bytea;
  BEGIN
    IF hmac(substr(raw, 1, n - 32), old_sign, 'sha256') <> substr(raw, n - 31) THEN RAISE 'no token of this key'; END IF;
    body := substr(raw, 1, 9) || iv || encrypt_iv(
      decrypt_iv(substr(raw, 26, n - 57), old_crypt, substr(raw, 10, 16), 'aes-cbc'), new_crypt, iv, 'aes-cbc');
    RETURN translate(replace(encode(body || hmac(body, new_sign, 'sha256'), 'base64'), E'\\n', ''), '+/', '-_');
  END $$`;

export class PostgresBench {
  readonly url: string;
  readonly #client: pg.Client;
  readonly #stop: () => Promise<void>;
  readonly #rows: number;
  /** The key of `p` first, and the next one. */
  #keys = [newKey(), newKey()] as [string, string];

  private constructor(url: string, client: pg.Client, stop: () => Promise<void>, rows: number) {
    this.url = url;
    this.#client = client;
    this.#stop = stop;
    this.#rows = rows;
  }

  static async start(rows: number): Promise<PostgresBench> {
    let url = '';
    const stop = await startPostgres({
      provide: (_name: string, given: string) => (url = given),
    } as unknown as TestProject);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const bench = new PostgresBench(url, client, stop, rows);
    // No checkpoint of the server's and no autovacuum inside a measurement.
    for (const setting of ["max_wal_size = '16GB'", "checkpoint_timeout = '1h'", 'autovacuum = off']) {
      await client.query(`ALTER SYSTEM SET ${setting}`);
    }
    await client.query('SELECT pg_reload_conf()');
    await client.query(ROTATE);
    await bench.fill();
    return bench;
  }

  async close(): Promise<void> {
    await this.#client.end();
    await this.#stop();
  }

  /** Makes both tables anew: tokens in `p`, plaintexts in `t`. */
  async fill(): Promise<void> {
    const service = new EncryptionService(keyringFromEnv({ ENCRYPTION_KEY: this.#keys[0] }));
    await this.#client.query('CREATE TABLE p (id bigint PRIMARY KEY, c text); CREATE TABLE t (LIKE p INCLUDING ALL)');
    for (let first = 1; first <= this.#rows; first += INSERT_ROWS) {
      const ids = Array.from({ length: Math.min(INSERT_ROWS, this.#rows - first + 1) }, (_, i) => first + i);
      const insert = (table: string, values: unknown[]) =>
        this.#client.query(`INSERT INTO ${table} SELECT * FROM unnest($1::bigint[], $2::text[])`, [ids, values]);
      const texts = ids.map(plaintextOf);
      await insert('p', service.encryptFields(texts));
      await insert('t', texts);
    }
  }

  /** Dead rows make the next way slower, whoever left them. */
  async vacuum(): Promise<void> {
    await this.#client.query('VACUUM (ANALYZE) p');
    await this.#client.query('VACUUM (ANALYZE) t');
    await this.#client.query('CHECKPOINT');
  }

  /** (a) Rows per second. */
  async rewrite(): Promise<number> {
    return this.#timed(this.#rows, () => this.#client.query("UPDATE p SET c = c || ''"));
  }

  /** (b) Rows per second. */
  async insideDatabase(): Promise<number> {
    const [old, next] = this.#keys.map((key) => Buffer.from(key, 'base64url'));
    const halves = [old, next].flatMap((key) => [key?.subarray(0, 16), key?.subarray(16)]);
    const perSecond = await this.#timed(this.#rows, () =>
      this.#client.query('UPDATE p SET c = rotate_token(c, $1, $2, $3, $4)', halves),
    );
    this.#keys = [this.#keys[1], this.#keys[0]];
    return perSecond;
  }

  /** (c) Rows per second, of the first `sample` rows. */
  async rowByRow(sample: number): Promise<number> {
    const rotation = new MultiFernet([new Fernet(this.#keys[0])]);
    return this.#timed(sample, async () => {
      for (let id = 1; id <= sample; id++) {
        const { rows } = await this.#client.query('SELECT c FROM p WHERE id = $1', [id]);
        await this.#client.query('UPDATE p SET c = $2 WHERE id = $1', [id, rotation.rotate(rows[0].c)]);
      }
    });
  }

  async #timed(rows: number, work: () => Promise<unknown>): Promise<number> {
    const startedMs = performance.now();
    await work();
    return rows / ((performance.now() - startedMs) / 1000);
  }
}

function newKey(): string {
  return randomBytes(32).toString('base64url').concat('=');
}
