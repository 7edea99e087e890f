/** What takes part in the benchmark, and how its time is taken. */

export const VERBS = ['encrypt', 'decrypt', 'rotate'] as const;
export type Verb = (typeof VERBS)[number];

/** One way to encrypt fields. */
export interface Contestant {
  readonly name: string;
  readonly version: string;
  /** Whether it reads the others' tokens and they read its own; formats of their own are only compared in time. */
  readonly speaksFernet: boolean;
  /** Nanoseconds of processor time for one value of so many bytes, over about so many; null for what it does not do. */
  measure(verb: Verb, bytes: number, values: number): Promise<number | null>;
  /** A token of the text, for the others to open. */
  seal(text: string): Promise<string>;
  open(token: string): Promise<string>;
  /** Ends what it started. */
  close?(): void;
}

/** One value at a time, or a batch of them. */
export type Work = Readonly<Partial<Record<Verb, (inputs: readonly string[]) => readonly string[]>>>;

/** What a contestant in this process is called. */
export interface Entry {
  readonly name: string;
  readonly version: string;
  readonly speaksFernet?: boolean;
}

/** Different tokens in turn, so that no one token stays in a cache. */
const BATCH_VALUES = 1000;
const LARGE_BYTES = 16 * 1024;

/**
 * Of all threads of this process, so that a collector of garbage that works beside it counts, and other processes do
 * not.
 */
export function processorNanoseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

/** A contestant in this process; `work` takes a batch, which a single call is spread over by {@link each}. */
export class OwnProcess implements Contestant {
  readonly name: string;
  readonly version: string;
  readonly speaksFernet: boolean;
  readonly #work: Work;
  /** Bytes → values and their tokens. */
  readonly #inputs = new Map<number, { readonly texts: string[]; readonly tokens: string[] }>();

  constructor({ name, version, speaksFernet = true }: Entry, work: Work) {
    this.name = name;
    this.version = version;
    this.speaksFernet = speaksFernet;
    this.#work = work;
  }

  async measure(verb: Verb, bytes: number, values: number): Promise<number | null> {
    const work = this.#work[verb];
    if (!work) return null;
    const { texts, tokens } = this.#inputsOf(bytes);
    const inputs = verb === 'encrypt' ? texts : tokens;
    let done = 0;
    let characters = 0;
    const start = processorNanoseconds();
    while (done < values) {
      const some = values - done < inputs.length ? inputs.slice(0, values - done) : inputs;
      characters += work(some).reduce((sum, { length }) => sum + length, 0);
      done += some.length;
    }
    const elapsed = processorNanoseconds() - start;
    if (characters < done * bytes) throw new Error(`${this.name} made too little`);
    return elapsed / done;
  }

  async seal(text: string): Promise<string> {
    return this.#work.encrypt?.([text])[0] ?? '';
  }

  async open(token: string): Promise<string> {
    return this.#work.decrypt?.([token])[0] ?? '';
  }

  #inputsOf(bytes: number): { readonly texts: string[]; readonly tokens: string[] } {
    let inputs = this.#inputs.get(bytes);
    if (!inputs) {
      const texts = Array.from({ length: bytes > LARGE_BYTES ? 16 : BATCH_VALUES }, () => 'x'.repeat(bytes));
      inputs = { texts, tokens: [...(this.#work.encrypt?.(texts) ?? [])] };
      this.#inputs.set(bytes, inputs);
    }
    return inputs;
  }
}

/** A batch of single calls. */
export function each(work: (input: string) => string): (inputs: readonly string[]) => string[] {
  return (inputs) => inputs.map((input) => work(input));
}
