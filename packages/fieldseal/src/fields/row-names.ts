/** The names that the rows of a table come with. */
import type { ContextRow } from './place.js';

/** So many names are remembered: the rows of a program have the same ones again and again. */
const JUDGED_NAMES = 1000;
/** Where rows come from outside, so may their names; no database has longer ones. */
const LONGEST_JUDGED = 128;

/** `phoneNumber`, `PHONE_NUMBER` and `phone_number` are one name: ORMs and databases write it in each way. */
function plainName(name: string): string {
  return name.toLowerCase().replaceAll('_', '');
}

/** Knows the names of a declared table, and takes copies of rows. */
export class RowNames {
  readonly #table: string;
  /** Declared columns and indexes, by what is left of their names when they are spelt in any way. */
  readonly #declared: ReadonlyMap<string, string>;
  readonly #columns: ReadonlySet<string>;
  /** Names that are known to be no other spelling of a declared one. */
  readonly #judged = new Set<string>();
  /** Whether a name is one that every object inherits something by: `constructor`. */
  readonly #isInherited: boolean;

  /**
   * @param columns the declared columns and indexes
   * @param context the columns that values are bound to
   */
  constructor(table: string, columns: readonly string[], context: readonly string[]) {
    this.#table = table;
    this.#columns = new Set(columns);
    this.#declared = new Map(columns.map((column) => [plainName(column), column]));
    this.#isInherited = [...columns, ...context].some((column) => column in Object.prototype);
  }

  /**
   * A copy that is all that is looked at: no getter answers twice, and nothing is inherited that a sound `Object.prototype`
   * has.
   * @throws TypeError for a declared column under a name that is not its own: it would pass through as it is
   */
  copy(row: ContextRow): Record<string, unknown> {
    // An object without a prototype costs ten times as much, and only such a name could tell the difference.
    const given: Record<string, unknown> = this.#isInherited ? Object.assign(Object.create(null), row) : { ...row };
    for (const name in given) if (!this.#judged.has(name)) this.#judge(name);
    return given;
  }

  #judge(name: string): void {
    const declared = this.#declared.get(plainName(name));
    if (declared !== undefined && declared !== name && !this.#columns.has(name)) {
      throw new TypeError(
        `${this.#table}: the row has ${name}, and the declaration ${declared}; rows have the names of the database`,
      );
    }
    if (name.length > LONGEST_JUDGED) return;
    if (this.#judged.size === JUDGED_NAMES) this.#judged.clear();
    this.#judged.add(name);
  }
}
