/** Who takes part: other packages, what one would write with node:crypto, ourselves, Python and C. */
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { decryptStringSync, encryptStringSync, generateKey, parseKeySync } from '@47ng/cloak';
import fernet from 'fernet';
import { Fernet as FernetNodejs } from 'fernet-nodejs';
import { codecs, EncryptionService, encrypted, Fernet, Field, keyringFromEnv, MultiFernet } from 'fieldseal';
import { type Contestant, each, OwnProcess, type Work } from './contestant.ts';
import { NodeCryptoFernet } from './node-crypto-fernet.ts';
import { typeormEncrypted } from './npm-folder.ts';
import { openssl, pyca } from './other-process.ts';
import { BATCH, NPM_FERNET, OURS, SINGLE } from './run.ts';

const versionOf = (name: string): string => createRequire(import.meta.url)(`${name}/package.json`).version;

function otherPackages(key: string): Contestant[] {
  const secret = new fernet.Secret(key);
  const nodejs = new FernetNodejs(key);
  const cloakKey = parseKeySync(generateKey());
  return [
    new OwnProcess(
      { name: NPM_FERNET, version: versionOf('fernet') },
      {
        encrypt: each((text) => new fernet.Token({ secret }).encode(text)),
        // No TTL, as with the others.
        decrypt: each((token) => new fernet.Token({ secret, token, ttl: 0 }).decode()),
      },
    ),
    new OwnProcess(
      { name: 'fernet-nodejs', version: versionOf('fernet-nodejs') },
      {
        encrypt: each((text) => nodejs.encrypt(text)),
        decrypt: each((token) => nodejs.decrypt(token)),
      },
    ),
    new OwnProcess(
      { name: '@47ng/cloak', version: versionOf('@47ng/cloak'), speaksFernet: false },
      {
        encrypt: each((text) => encryptStringSync(text, cloakKey)),
        decrypt: each((token) => decryptStringSync(token, cloakKey)),
      },
    ),
  ];
}

/** The part of typeorm-encrypted that is used here. */
interface TypeormEncryptedLike {
  readonly EncryptionTransformer: new (options: {
    key: string;
    algorithm: string;
    ivLength: number;
  }) => { to(value: string): string; from(value: string): string };
}

/** Its transformer as TypeORM calls it, with AES-256-GCM; null where npm cannot bring it. */
function typeormTransformer(): Contestant | null {
  const load = typeormEncrypted();
  if (!load) return null;
  const { EncryptionTransformer } = load('typeorm-encrypted') as TypeormEncryptedLike;
  const transformer = new EncryptionTransformer({
    key: randomBytes(32).toString('hex'),
    algorithm: 'aes-256-gcm',
    ivLength: 12,
  });
  const { version } = load('typeorm-encrypted/package.json');
  return new OwnProcess(
    { name: 'typeorm-encrypted', version, speaksFernet: false },
    {
      encrypt: each((text) => transformer.to(text)),
      decrypt: each((token) => transformer.from(token)),
    },
  );
}

function withNodeCrypto(key: string): Contestant {
  const plain = new NodeCryptoFernet(key);
  return new OwnProcess(
    { name: 'node:crypto', version: process.version },
    {
      encrypt: each((text) => plain.encrypt(text)),
      decrypt: each((token) => plain.decrypt(token)),
      rotate: each((token) => plain.encrypt(plain.decrypt(token))),
    },
  );
}

function batch(service: EncryptionService): Work {
  return {
    encrypt: (texts) => service.encryptFields(texts) as string[],
    decrypt: (tokens) => service.decryptFields(tokens) as string[],
    rotate: (tokens) => service.rotateFields(tokens) as string[],
  };
}

function ourselves(key: string): Contestant[] {
  const version = versionOf('fieldseal');
  const ours = new Fernet(key);
  const multi = new MultiFernet([ours]);
  const keyring = keyringFromEnv({ ENCRYPTION_KEY: key });
  const service = new EncryptionService(keyring);
  const xaes = new Field('users', 'email', encrypted(codecs.string(), { scheme: 'xaes' }));
  return [
    new OwnProcess(
      { name: SINGLE, version },
      {
        encrypt: each((text) => ours.encrypt(text)),
        decrypt: each((token) => ours.decrypt(token)),
        rotate: each((token) => multi.rotate(token)),
      },
    ),
    new OwnProcess(
      { name: `${OURS}: EncryptionService`, version },
      {
        encrypt: each((text) => service.encryptField(text)),
        decrypt: each((token) => service.decryptField(token)),
      },
    ),
    new OwnProcess({ name: BATCH, version }, batch(service)),
    new OwnProcess(
      { name: `${OURS}: batch, no WASM`, version },
      batch(new EncryptionService(keyring, { FIELDSEAL_WASM: '0' })),
    ),
    new OwnProcess(
      { name: `${OURS}: Field, xaes`, version, speaksFernet: false },
      {
        encrypt: each((text) => xaes.encrypt(keyring, text) as string),
        decrypt: each((token) => xaes.decrypt(keyring, token)),
      },
    ),
  ];
}

/** Those who can take part here, in the order of the tables, and why others cannot. */
export async function contestants(
  key: string,
): Promise<{ readonly all: readonly Contestant[]; readonly leftOut: readonly string[] }> {
  const [transformer, python, c] = [typeormTransformer(), await pyca(key), await openssl(key)];
  const maybe = [...otherPackages(key), transformer, withNodeCrypto(key), ...ourselves(key), python, c];
  const leftOut = [
    transformer === null && 'typeorm-encrypted: npm could not bring it',
    python === null && 'pyca/cryptography: there is no python3 that has it',
    c === null && 'C on OpenSSL: there is no C compiler, or no OpenSSL to compile with',
  ];
  return {
    all: maybe.filter((one) => one !== null),
    leftOut: leftOut.filter((reason) => reason !== false),
  };
}

/** Nobody wins by writing something else. @throws Error naming two who do not understand each other */
export async function assertInteroperable(all: readonly Contestant[]): Promise<void> {
  const text = 'A field of one hundred characters: +49 170 1234567, Ada Lovelace, 12 St James Square, London SW1 4JH';
  for (const writer of all) {
    const token = await writer.seal(text);
    const readers = writer.speaksFernet ? all.filter(({ speaksFernet }) => speaksFernet) : [writer];
    for (const reader of readers) {
      if ((await reader.open(token)) !== text) {
        throw new Error(`${reader.name} does not read the token of ${writer.name}`);
      }
    }
  }
}
