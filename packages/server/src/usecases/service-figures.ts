/** The service in figures: sweeps, runs, keys, API keys, schedules and sealing, as a scrape finds them. */
import { KEY_STATES } from 'fieldseal';
import { FINAL_STATUSES, RUN_STATUSES, type Store } from '../store/store.js';
import { sealingLag } from './seal-audit.js';

/** One value. */
export interface Figure {
  readonly gauge: string;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Gauges that are read together; one that cannot be read takes no other with it. */
export interface FigureSource {
  readonly name: string;
  readonly gauges: Readonly<Record<string, { readonly help: string; readonly labels?: readonly string[] }>>;
  read(): Promise<Figure[]>;
}

const DAY_MS = 86_400_000;
/** There is rarely more than one; a scrape stays small whatever happens. */
const MOST_RUNS = 20;
const EXPIRY_DAYS = [7, 30] as const;

function sweeps(store: Store): FigureSource {
  const labels = ['run', 'kind'];
  return {
    name: 'sweeps',
    gauges: {
      fieldseal_runs: { help: 'Runs by kind and status.', labels: ['kind', 'status'] },
      fieldseal_sweep_records: {
        help: 'Records of a run that is not over: all of them, and what became of them so far.',
        labels: [...labels, 'outcome'],
      },
      fieldseal_sweep_ranges: {
        help: 'Ranges of the present pass of a run that is not over.',
        labels: [...labels, 'state'],
      },
      fieldseal_sweep_pass: { help: 'The pass that a run is in.', labels },
      fieldseal_sweep_driven: { help: '1 while a process drives the run, else 0.', labels },
    },
    async read() {
      const figures: Figure[] = [];
      const counts = await store.figures.runs();
      for (const { kind, status, count } of counts)
        figures.push({ gauge: 'fieldseal_runs', labels: { kind, status }, value: count });
      // An alert on a status needs its zero, not its absence.
      for (const status of RUN_STATUSES) {
        if (!counts.some((one) => one.kind === 'rotate' && one.status === status))
          figures.push({ gauge: 'fieldseal_runs', labels: { kind: 'rotate', status }, value: 0 });
      }
      for (const { id } of (await store.runs.unfinished()).slice(0, MOST_RUNS)) {
        const run = await store.runs.get(id);
        if (!run || (FINAL_STATUSES as readonly string[]).includes(run.status)) continue;
        const of = { run: String(id), kind: run.kind };
        for (const [outcome, value] of Object.entries(run.counts))
          figures.push({ gauge: 'fieldseal_sweep_records', labels: { ...of, outcome }, value });
        for (const { state, count } of await store.figures.ranges(id, run.pass))
          figures.push({ gauge: 'fieldseal_sweep_ranges', labels: { ...of, state }, value: count });
        figures.push({ gauge: 'fieldseal_sweep_pass', labels: of, value: run.pass });
        figures.push({ gauge: 'fieldseal_sweep_driven', labels: of, value: run.leased ? 1 : 0 });
      }
      return figures;
    },
  };
}

function keyring(store: Store): FigureSource {
  return {
    name: 'keyring',
    gauges: {
      fieldseal_key_age_days: {
        help: 'Age of each key of the ring that is not destroyed.',
        labels: ['purpose', 'version', 'state'],
      },
      fieldseal_keyring_generation: { help: 'Grows by one with each change of the ring.' },
    },
    async read() {
      const ring = await store.keyring.load();
      if (!ring) return [];
      // The ring is not opened, and its MAC not checked: figures are no reason to hold a root key.
      const known = ring.keys.filter(({ state }) => KEY_STATES.includes(state) && state !== 'destroyed');
      const figures: Figure[] = known.map(({ purpose, version, state, createdAt }) => ({
        gauge: 'fieldseal_key_age_days',
        labels: { purpose, version, state },
        value: Math.max(0, Date.now() - Date.parse(createdAt)) / DAY_MS,
      }));
      return [...figures, { gauge: 'fieldseal_keyring_generation', value: ring.generation }];
    },
  };
}

function apiKeys(store: Store): FigureSource {
  return {
    name: 'api_keys',
    gauges: {
      fieldseal_api_keys: { help: 'API keys by state.', labels: ['state'] },
      fieldseal_api_keys_expiring: {
        help: 'API keys, not revoked, that expire within so many days.',
        labels: ['within_days'],
      },
    },
    async read() {
      const states = Object.entries(await store.figures.apiKeyStates());
      const figures: Figure[] = states.map(([state, value]) => ({
        gauge: 'fieldseal_api_keys',
        labels: { state },
        value,
      }));
      for (const days of EXPIRY_DAYS) {
        const value = await store.figures.apiKeysExpiring(days);
        figures.push({ gauge: 'fieldseal_api_keys_expiring', labels: { within_days: String(days) }, value });
      }
      return figures;
    },
  };
}

function schedules(store: Store): FigureSource {
  return {
    name: 'schedules',
    gauges: {
      fieldseal_schedule_next_timestamp_seconds: {
        help: 'When each schedule comes next, in Unix seconds.',
        labels: ['schedule', 'kind'],
      },
    },
    async read() {
      return (await store.schedules.list()).map(({ id, kind, nextAt }) => ({
        gauge: 'fieldseal_schedule_next_timestamp_seconds',
        labels: { schedule: String(id), kind },
        value: Date.parse(nextAt) / 1000,
      }));
    },
  };
}

function sealing(store: Store): FigureSource {
  return {
    name: 'sealing',
    gauges: {
      fieldseal_audit_unsealed_rows: { help: 'Rows of the audit log that are not sealed yet.' },
      fieldseal_audit_unsealed_oldest_seconds: { help: 'Age of the oldest of them; 0 when there is none.' },
    },
    async read() {
      const { rows, oldestSeconds } = await sealingLag(store);
      return [
        { gauge: 'fieldseal_audit_unsealed_rows', value: rows },
        { gauge: 'fieldseal_audit_unsealed_oldest_seconds', value: oldestSeconds },
      ];
    },
  };
}

/** What a service tells of its store. Whatever else a scrape shall say is one more source here. */
export function figureSources(store: Store): FigureSource[] {
  return [sweeps, keyring, apiKeys, schedules, sealing].map((source) => source(store));
}
