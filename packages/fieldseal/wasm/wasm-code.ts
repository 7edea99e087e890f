/**
 * The few WebAssembly instructions that sha256-lanes.ts is written in, each a function from its operands' bytes to its
 * own (the core specification, chapter 5; vector instructions in §5.4.8). An expression is the list of its bytes.
 */

/** Bytes that compute something or do something, nested as they were put together. */
export type Code = number | readonly Code[];

/** The bytes in a row. */
export function flatten(code: Code, out: number[] = []): number[] {
  if (typeof code === 'number') out.push(code);
  else for (const part of code) flatten(part, out);
  return out;
}

/** The value types. */
export const I32 = 0x7f;
export const V128 = 0x7b;

/** An unsigned number of up to 32 bits, 7 bits a byte, the lowest first. */
export function unsigned(value: number): Code {
  return value < 0x80 ? value : [(value & 0x7f) | 0x80, unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const isLast = value >= -0x40 && value < 0x40;
  return isLast ? value & 0x7f : [(value & 0x7f) | 0x80, signed(value >> 7)];
}

/** A list with its length in front. */
export function list(items: readonly Code[]): Code {
  return [unsigned(items.length), items];
}

/** Bytes with their number in front. */
export function sized(code: Code): Code {
  const bytes = flatten(code);
  return [unsigned(bytes.length), bytes];
}

export const getLocal = (local: number): Code => [0x20, unsigned(local)];
export const setLocal = (local: number, value: Code): Code => [value, 0x21, unsigned(local)];
export const constant = (value: number): Code => [0x41, signed(value)];
export const addNumbers = (a: Code, b: Code): Code => [a, b, 0x6a];
export const call = (functionIndex: number, ...args: readonly Code[]): Code => [args, 0x10, unsigned(functionIndex)];

/**
 * Runs `body` `counter` times, and `between` after each time but the last; `counter` is a local above zero, and ends at
 * zero.
 */
export function repeat(counter: number, body: Code, between: Code = []): Code {
  const countDown = setLocal(counter, addNumbers(getLocal(counter), constant(-1)));
  // loop … if … br 1 (to the loop's beginning) … end end
  return [0x03, 0x40, body, countDown, getLocal(counter), 0x04, 0x40, between, 0x0c, 1, 0x0b, 0x0b];
}

const vector = (operation: number, ...operands: readonly Code[]): Code => [operands, 0xfd, unsigned(operation)];

/** Loads 16 bytes. The alignment of 1 is only a hint, and true of every address. */
export const load = (address: Code, offset = 0): Code => [vector(0x00, address), 0, unsigned(offset)];
/** Loads 4 bytes into each lane. */
export const loadToAllLanes = (address: Code, offset = 0): Code => [vector(0x09, address), 0, unsigned(offset)];
export const store = (address: Code, value: Code, offset = 0): Code => [
  vector(0x0b, address, value),
  0,
  unsigned(offset),
];
/** The 16 bytes of `a` and the 16 of `b`, numbered 0 to 31, in a new order. */
export const shuffle = (a: Code, b: Code, order: Code): Code => [vector(0x0d, a, b), order];
/** The same number in each lane. */
export const toAllLanes = (value: number): Code => vector(0x11, constant(value));
export const and = (a: Code, b: Code): Code => vector(0x4e, a, b);
export const or = (a: Code, b: Code): Code => vector(0x50, a, b);
export const xor = (first: Code, ...others: readonly Code[]): Code =>
  others.reduce((a, b) => vector(0x51, a, b), first);
/** Each bit of `a` where `mask` has a one, of `b` where it has a zero. */
export const select = (a: Code, b: Code, mask: Code): Code => vector(0x52, a, b, mask);
export const shiftLeft = (a: Code, bits: number): Code => vector(0xab, a, constant(bits));
export const shiftRight = (a: Code, bits: number): Code => vector(0xad, a, constant(bits));
/** Adds lane by lane, modulo 2^32. */
export const add = (first: Code, ...others: readonly Code[]): Code =>
  others.reduce((a, b) => vector(0xae, a, b), first);

/** A function: its parameters are its first locals, the others follow. It returns nothing. */
export interface WasmFunction {
  readonly name?: string;
  /** All are i32. */
  readonly params: number;
  /** How many more locals there are, of which type. */
  readonly locals: readonly (readonly [count: number, type: number])[];
  readonly body: Code;
}

const section = (id: number, content: Code): Code => [id, sized(content)];
const text = (value: string): Code => sized([...Buffer.from(value)]);

/** A module: the functions that have names are exported, and the memory as `memory`; `data` stands at its beginning. */
export function wasmModule(functions: readonly WasmFunction[], memoryPages: number, data: Uint8Array): Buffer {
  const types = functions.map(({ params }) => [0x60, list(Array.from({ length: params }, () => I32)), 0]);
  const exported = functions.flatMap(({ name }, index) =>
    name === undefined ? [] : [[text(name), 0, unsigned(index)]],
  );
  const bodies = functions.map(({ locals, body }) =>
    sized([list(locals.map(([count, type]) => [unsigned(count), type])), body, 0x0b]),
  );
  return Buffer.from(
    flatten([
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, list(types)),
      section(3, list(functions.map((_, index) => unsigned(index)))),
      // As large as it will ever be: a memory that grows takes its views away.
      section(5, list([[1, unsigned(memoryPages), unsigned(memoryPages)]])),
      section(7, list([...exported, [text('memory'), 2, 0]])),
      section(10, list(bodies)),
      section(11, list([[0, constant(0), 0x0b, sized([...data])]])),
    ]),
  );
}
