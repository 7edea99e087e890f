/** Keys on the command line: in full, `env:NAME`, or `-` for a line of standard input. */
import { decodeNamedKey, type Environment, FieldsealError, type Secret } from 'fieldseal';

/** Where the arguments of a command may be read from. */
export interface KeySources {
  readonly env: Environment;
  /** The lines of standard input, read once. */
  stdinLines(): Promise<string[]>;
}

/** One key in 64 begins with `-`, and would be taken for an option; with a space before it, which is trimmed, it is none. */
export function protectKey(argument: string): string {
  return /^-[\w-]{42}=$/.test(argument) ? ` ${argument}` : argument;
}

/**
 * Reads one key argument. Several `-` take one line of standard input each, in order.
 * @param name what the message calls it: OLD or NEW
 * @throws FieldsealError `ERR_KEY_MISSING`, `ERR_KEY_MALFORMED`; the message never repeats the argument
 */
export async function readKeyArgument(argument: string, name: string, sources: KeySources): Promise<Secret> {
  let text: string | undefined = argument;
  if (argument === '-') text = (await sources.stdinLines()).shift();
  else if (argument.startsWith('env:')) text = sources.env[argument.slice(4)];
  text = text?.trim();
  if (!text) {
    if (argument === '-') throw new FieldsealError('ERR_KEY_MISSING', `Standard input has no line for ${name}.`);
    const isVariable = argument.startsWith('env:');
    throw new FieldsealError(
      'ERR_KEY_MISSING',
      isVariable ? `The environment has no variable ${argument.slice(4)} for ${name}.` : `${name} is empty.`,
    );
  }
  return decodeNamedKey(name, text);
}
