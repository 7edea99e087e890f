/** The commands around the REST service: `serve` and `jwt`. */
import { type Command, Option } from 'commander';
import { FieldsealError } from 'fieldseal';
import type { Dependencies } from '../usecases/dependencies.js';
import type { JwtSettings } from '../usecases/principals.js';
import type { ServiceSettings } from '../usecases/service.js';
import { parseDuration } from './duration.js';
import type { Output } from './output.js';

/** What these commands, and those of API keys and the audit log, need of the program around them. */
export interface ServiceCommands {
  command(name: string, description: string, example: string): Command;
  dependencies(): Dependencies;
  output(): Output;
  settings(): ServiceSettings;
  jwt(): Promise<JwtSettings>;
  serve(output: Output): Promise<void>;
  /** The lines of standard input. */
  stdinLines(): Promise<string[]>;
  /** A variable of the environment. */
  env(name: string): string | undefined;
}

/** Adds the commands. */
export function addServiceCommands({ command, dependencies, output, jwt, serve }: ServiceCommands): void {
  command('serve', 'Serve the REST API; HOST and PORT say where (127.0.0.1:8000).', 'PORT=8080 fieldseal serve').action(
    async () => {
      await serve(output());
    },
  );

  command(
    'jwt',
    'Print a bearer token for the REST API, signed with AUTH_JWT_SECRET.',
    'fieldseal jwt --user 1 --admin --ttl 15m',
  )
    .requiredOption('--user <id>', 'the subject: whose keys and audit rows it concerns')
    .option('--admin', 'may see everybody’s, and rotate')
    .option('--scopes <list>', 'further scopes, comma-separated')
    .addOption(new Option('--ttl <duration>', 'how long it is valid').argParser(parseDuration).default(3600, '1h'))
    .option('--unaudited', 'leave no audit row: for a machine without the database')
    .action(async (flags: { user: string; admin?: true; scopes?: string; ttl: number; unaudited?: true }) => {
      if (!/^[!-~]{1,255}$/.test(flags.user))
        throw new FieldsealError('ERR_TOKEN_INVALID', '--user must be printable ASCII without spaces.');
      const scopes = (flags.scopes ?? '')
        .split(',')
        .map((scope) => scope.trim())
        .filter((scope) => scope !== '');
      const { signJwt } = await import('../usecases/principals.js');
      const claims = { subject: flags.user, isAdmin: flags.admin ?? false, scopes, ttlSeconds: flags.ttl };
      const token = await signJwt(await jwt(), claims, Math.floor(Date.now() / 1000));
      if (!flags.unaudited) {
        const { recordJwt } = await import('../usecases/record-jwt.js');
        await recordJwt(dependencies(), claims);
      }
      output().result({ token }, token);
    });
}
