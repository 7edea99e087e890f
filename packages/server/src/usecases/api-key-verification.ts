/** Finding the key behind a text: by its outside, in memory while nothing has changed, else in the database. */
import { readApiKey } from '../auth/api-key-format.js';
import type { ApiKeySeal } from '../auth/api-key-seal.js';
import type { CheckedApiKeyRow, Store } from '../store/store.js';
import { ApiKeyCache, type KnownApiKey, knownApiKey } from './api-key-cache.js';
import { ApiKeyUses } from './api-key-uses.js';
import { type Clock, RevisionWatch, SYSTEM_CLOCK } from './watch-revision.js';

/** Keys in memory, unless told. */
export const API_KEY_CACHE_SIZE = 10_000;
/** A row is asked for again after that time: what somebody changed in it by hand, in SQL, raised no revision. */
const MAX_AGE_MS = 10_000;
/** A row that was altered leaves one audit row in this time. */
const TAMPERED_AGAIN_MS = 60_000;
const MAX_TAMPERED = 1000;

/** What does not change without the revision. */
interface KeysState {
  readonly revision: number;
  /** Whether a key of our shape may lack our checksum. */
  readonly hasUnchecked: boolean;
}

/** Prefixes that are asked for by one statement, and what it finds. */
interface Gathering {
  readonly prefixes: string[];
  readonly rows: Promise<ReadonlyMap<string, CheckedApiKeyRow>>;
}

/** A question to the database that is under way. */
interface LookUp {
  readonly state: KeysState | null;
  readonly row: Promise<CheckedApiKeyRow | null>;
  /** Whether a later one was begun, so that this one's answer is not to be remembered. */
  isOutdated: boolean;
}

async function readState({ apiKeys }: Store, known: KeysState | null): Promise<KeysState> {
  const revision = await apiKeys.revision();
  return known?.revision === revision ? known : { revision, hasUnchecked: await apiKeys.hasUnchecked() };
}

/** Of one open service. Until it is started, every key is asked of the database, and every use written at once. */
export class ApiKeyVerification {
  readonly #store: Store;
  readonly #seal: ApiKeySeal;
  readonly #clock: Clock;
  readonly #cache: ApiKeyCache;
  readonly #watch: RevisionWatch<KeysState>;
  readonly #uses: ApiKeyUses;
  readonly #tampered = new Map<number, number>();
  readonly #lookUps = new Map<string, LookUp>();
  #gathering: Gathering | null = null;
  /** How far the database's clock is ahead of our monotonic one: no less than it was when it was read. */
  #aheadMs = 0;
  #clockRead: Promise<void> | null = null;

  constructor(store: Store, seal: ApiKeySeal, cacheSize: number, clock: Clock = SYSTEM_CLOCK) {
    this.#store = store;
    this.#seal = seal;
    this.#clock = clock;
    this.#cache = new ApiKeyCache(cacheSize);
    this.#watch = new RevisionWatch(async (known) => {
      await this.#readClock();
      return readState(store, known);
    }, clock);
    this.#uses = new ApiKeyUses((uses) => store.apiKeyUsage.markUsed(uses), clock);
  }

  /** From now on keys are kept in memory, and uses collected. For a process that goes on; {@link ApiKeyVerification.stop} ends it. */
  async start(): Promise<void> {
    await this.#watch.start();
  }

  /** Writes the uses that were collected. Before the store is closed. */
  async stop(): Promise<void> {
    await this.#watch.stop();
    this.#cache.clear();
    await this.#uses.stop();
  }

  /** Asks for the revision now, as happens twice a second anyway. */
  poll(): Promise<void> {
    return this.#watch.poll();
  }

  /** After this process has changed a key: in it, that counts from now on, before the promise is settled. */
  refresh(): Promise<void> {
    return this.#watch.refresh();
  }

  /** The key, for whoever holds all of it; null for everybody else. */
  async find(key: string): Promise<KnownApiKey | null> {
    const presented = readApiKey(key);
    if (!presented) return null;
    const before = this.#watch.fresh;
    // A typing mistake, or a guess: nobody has such a key.
    if (presented.checksum === 'wrong' && before?.hasUnchecked === false) return null;
    const hash = this.#seal.hashKey(key);
    const remembered = before && this.#cache.get(before, hash);
    const askedMs = this.#clock.monotonicMs();
    if (remembered && askedMs - remembered.askedMs < MAX_AGE_MS) return remembered;
    // What is read now may be newer, and what is remembered fresh again once a poll is answered that began before.
    this.#cache.delete(hash);
    const lookUp = this.#lookUpOnce(before, hash, presented.prefixes);
    const row = await lookUp.row;
    if (!row) return null;
    if (!this.#seal.isIntact(row)) {
      await this.#tellOfTampering(row);
      return null;
    }
    const known = knownApiKey(row, askedMs);
    // What was read before a change must not outlive it: only if nothing has changed since before the read.
    if (before && this.#watch.fresh === before && !lookUp.isOutdated) this.#cache.set(before, hash, known);
    return known;
  }

  /**
   * Now in unix milliseconds by the database's clock, which is the one that ends are set by: a key that was ended by a reroll
   * is no longer valid where a process's clock is behind, or was set back.
   */
  async nowMs(): Promise<number> {
    if (!this.#watch.fresh) {
      this.#clockRead ??= this.#readClock().finally(() => {
        this.#clockRead = null;
      });
      await this.#clockRead;
    }
    return this.#clock.monotonicMs() + this.#aheadMs;
  }

  async #readClock(): Promise<void> {
    const beganMs = this.#clock.monotonicMs();
    this.#aheadMs = Date.parse(await this.#store.audit.now()) - beganMs;
  }

  /** Shared by all who ask for a key under one state that still holds: what was read under it is as good as what is remembered. */
  #lookUpOnce(state: KeysState | null, hash: string, prefixes: readonly string[]): LookUp {
    const underWay = this.#lookUps.get(hash);
    if (state && underWay?.state === state) return underWay;
    // Its answer may be older than the one to come.
    if (underWay) underWay.isOutdated = true;
    const row = this.#lookUp(prefixes, hash).finally(() => {
      if (this.#lookUps.get(hash) === lookUp) this.#lookUps.delete(hash);
    });
    const lookUp: LookUp = { state, row, isOutdated: false };
    this.#lookUps.set(hash, lookUp);
    return lookUp;
  }

  async #lookUp(prefixes: readonly string[], hash: string): Promise<CheckedApiKeyRow | null> {
    this.#gathering ??= this.#gather();
    this.#gathering.prefixes.push(...prefixes);
    const rows = await this.#gathering.rows;
    return prefixes.map((prefix) => rows.get(prefix)).find((row) => this.#seal.hasHash(row, hash)) ?? null;
  }

  /** What is asked for in one turn of the event loop goes in one statement: the busier the process, the less each costs. */
  #gather(): Gathering {
    const prefixes: string[] = [];
    const rows = new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
      // Who comes from now on must be told of what is committed from now on.
      this.#gathering = null;
      const found = await this.#store.apiKeys.findByPrefixes(prefixes);
      return new Map(found.map((row) => [row.prefix, row]));
    });
    return { prefixes, rows };
  }

  /** Remembers that a key was used. */
  async noteUse(id: number): Promise<void> {
    this.#uses.note(id);
    if (!this.#watch.isStarted) await this.#uses.stop();
  }

  /** Somebody holds the key, but its row is not as it was issued. */
  async #tellOfTampering({ id, prefix }: CheckedApiKeyRow): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const toldMs = this.#tampered.get(id);
    if (toldMs !== undefined && nowMs - toldMs < TAMPERED_AGAIN_MS) return;
    if (this.#tampered.size >= MAX_TAMPERED) this.#tampered.clear();
    this.#tampered.set(id, nowMs);
    const row = {
      action: 'api_key_tampered',
      resourceType: 'api_key',
      resourceId: String(id),
      status: 'failure' as const,
      details: JSON.stringify({ prefix }),
    };
    // The key is refused either way; a row that was not written is tried again with the next use.
    await this.#store.audit.insert(row).catch(() => this.#tampered.delete(id));
  }
}
