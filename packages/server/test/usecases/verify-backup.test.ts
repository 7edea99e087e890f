import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { Decrypter, Encrypter, generateX25519Identity } from 'age-encryption';
import { Fernet, takeEnvironmentKeys } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { verifyBackup } from '../../src/usecases/verify-backup.js';
import { type Vault, withVault } from '../backup/with-vault.js';
import { type Refusal, rejectionOf } from '../refusal.js';

const CHUNK_BYTES = 64 * 1024 + 16;

/** Where the parts of a backup begin. */
function partsOf(backup: Buffer) {
  const mac = backup.indexOf('\n--- ') + 1;
  const nonce = backup.indexOf('\n', mac) + 1;
  return { mac, nonce, payload: nonce + 16 };
}

/** The refusal of a backup whose bytes are `content`; fails when anything but it was written. */
async function refusalOfContent({ path, files, verify }: Vault, content: Uint8Array): Promise<Refusal> {
  writeFileSync(path('damaged.age'), content);
  const before = files();
  const refusal = await rejectionOf(() => verify({ from: path('damaged.age') }));
  expect(files()).toEqual(before);
  return refusal;
}

function invalid(vault: Vault, sentence: string, name = 'damaged.age'): Refusal {
  return { code: 'ERR_BACKUP_INVALID', message: `The backup ${vault.path(name)} ${sentence}.` };
}

/** An age file of the vault's recipient with any content. */
async function sealed({ recipient }: Vault, content: Uint8Array): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return encrypter.encrypt(content);
}

const DAMAGED = 'is damaged or cut short';
const DOES_NOT_OPEN = 'does not open: the identity is another one, or its header is damaged';
const NO_END = 'is damaged: its age header has no end';
const NEITHER = 'is neither a (binary) age file nor a SQLite database';

describe('a verified backup', () => {
  it('is as it was created, and nothing is written but an audit row', () =>
    withVault({ customers: 2000 }, async ({ create, verify, files, lastAudit }) => {
      const created = await create();
      const before = files();
      expect(await verify()).toEqual({ ...created, opensWithRootKey: true });
      expect(Object.keys(files())).toEqual(Object.keys(before));
      expect(await lastAudit()).toMatchObject({ action: 'backup_verified', resourceId: 'backup.age' });
    }));

  it('tells whether the root key at hand opens its keyring', () =>
    withVault({}, async ({ create, deps, identity, path }) => {
      await create();
      const options = { from: path('backup.age'), identities: [identity], passphrase: null, encrypted: true };
      const withKeys = (env: Record<string, string>) =>
        verifyBackup({ ...deps, keys: takeEnvironmentKeys({ ...env }) }, options);
      expect(await withKeys({ ENCRYPTION_KEY: Fernet.generateKey() })).toMatchObject({ opensWithRootKey: false });
      expect(await withKeys({})).toMatchObject({ opensWithRootKey: null });
    }));

  it('needs no database', () =>
    withVault({}, async ({ create, deps, identity, path, files }) => {
      await create();
      const before = files();
      const target = { dialect: 'postgres', connectionString: 'postgres://db.example/app' } as const;
      const options = { from: path('backup.age'), identities: [identity], passphrase: null, encrypted: true };
      expect(await verifyBackup({ ...deps, target }, options)).toMatchObject({ opensWithRootKey: true });
      expect(files()).toEqual(before);
    }));

  it('is opened by the one of several identities that fits', () =>
    withVault({}, async ({ create, verify, identity }) => {
      await create();
      await verify({ identities: [await generateX25519Identity(), identity], passphrase: 'not needed' });
    }));

  it('may be encrypted where plain ones are taken, too', () =>
    withVault({}, async ({ create, verify }) => {
      await create();
      expect(await verify({ encrypted: false })).toMatchObject({ encrypted: true });
    }));

  it('may be plain where encryption is off', () =>
    withVault({}, async ({ create, verify, path }) => {
      const from = path('plain.db');
      const created = await create({ to: from, recipients: [], encrypted: false });
      expect(await verify({ from, identities: [], encrypted: false })).toEqual({ ...created, opensWithRootKey: true });
    }));
});

describe('a backup is invalid', () => {
  it('with any one byte of its header flipped', () =>
    withVault({}, async (vault) => {
      await vault.create();
      const backup = readFileSync(vault.path('backup.age'));
      const { nonce } = partsOf(backup);
      const sentences = new Set<string>();
      for (let at = 0; at < nonce; at++) {
        const damaged = Buffer.from(backup);
        damaged.writeUInt8(backup.readUInt8(at) ^ 0x01, at);
        const { code, message } = await refusalOfContent(vault, damaged);
        expect(code).toBe('ERR_BACKUP_INVALID');
        sentences.add(message);
      }
      const expected = [NEITHER, NO_END, DOES_NOT_OPEN].map((sentence) => invalid(vault, sentence).message);
      expect(expected).toEqual(expect.arrayContaining(Array.from(sentences)));
    }));

  it('with any one byte of its payload flipped', () =>
    withVault({ customers: 2000 }, async (vault) => {
      await vault.create();
      const backup = readFileSync(vault.path('backup.age'));
      const { nonce, payload } = partsOf(backup);
      const nonceBytes = Array.from({ length: 16 }, (_, i) => nonce + i);
      const lastTag = Array.from({ length: 16 }, (_, i) => backup.length - 16 + i);
      const chunkEdges = [0, 1, CHUNK_BYTES - 17, CHUNK_BYTES - 16, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1];
      const between = Array.from({ length: 20 }, (_, i) => payload + i * Math.floor((backup.length - payload) / 20));
      expect(backup.length).toBeGreaterThan(payload + 3 * CHUNK_BYTES);
      for (const at of [...nonceBytes, ...chunkEdges.map((edge) => payload + edge), ...between, ...lastTag]) {
        const damaged = Buffer.from(backup);
        damaged.writeUInt8(backup.readUInt8(at) ^ 0x80, at);
        expect(await refusalOfContent(vault, damaged)).toEqual(invalid(vault, DAMAGED));
      }
    }));

  it('when it is cut short, wherever that is, or goes on after its end', () =>
    withVault({ customers: 2000 }, async (vault) => {
      await vault.create();
      const backup = readFileSync(vault.path('backup.age'));
      const { mac, nonce, payload } = partsOf(backup);
      const cuts: [length: number, sentence: string][] = [
        [0, NEITHER],
        [5, NEITHER],
        [21, NEITHER],
        [22, NO_END],
        [40, NO_END],
        [mac, NO_END],
        [mac + 3, NO_END],
        [nonce - 1, NO_END],
        [nonce, DAMAGED],
        [nonce + 15, DAMAGED],
        [payload, DAMAGED],
        [payload + 15, DAMAGED],
        [payload + 16, DAMAGED],
        [payload + 1000, DAMAGED],
        [payload + CHUNK_BYTES - 1, DAMAGED],
        [payload + CHUNK_BYTES, DAMAGED],
        [payload + CHUNK_BYTES + 1, DAMAGED],
        [payload + 2 * CHUNK_BYTES, DAMAGED],
        [backup.length - 16, DAMAGED],
        [backup.length - 1, DAMAGED],
      ];
      for (const [length, sentence] of cuts) {
        expect([length, await refusalOfContent(vault, backup.subarray(0, length))]).toEqual([
          length,
          invalid(vault, sentence),
        ]);
      }
      expect(await refusalOfContent(vault, Buffer.concat([backup, Buffer.alloc(1)]))).toEqual(invalid(vault, DAMAGED));
    }));

  it('with two of its chunks in each other’s place', () =>
    withVault({ customers: 2000 }, async (vault) => {
      await vault.create();
      const backup = readFileSync(vault.path('backup.age'));
      const { payload } = partsOf(backup);
      const [first, second, rest] = [payload, payload + CHUNK_BYTES, payload + 2 * CHUNK_BYTES];
      const swapped = [
        backup.subarray(0, first),
        backup.subarray(second, rest),
        backup.subarray(first, second),
        backup.subarray(rest),
      ];
      expect(await refusalOfContent(vault, Buffer.concat(swapped))).toEqual(invalid(vault, DAMAGED));
    }));

  it.each<[what: string, content: Uint8Array, sentence: string]>([
    ['a text', Buffer.from('My holidays\n'), NEITHER],
    ['a text without an end of line', Buffer.alloc(3_000_000, 'a'), NEITHER],
    ['an armored age file', Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n'), NEITHER],
    ['another version of age', Buffer.from('age-encryption.org/v2\n-> X25519 a\n'), NEITHER],
    [
      'a header without an end',
      Buffer.concat([Buffer.from('age-encryption.org/v1\n-> X25519 '), Buffer.alloc(3_000_000, 'a')]),
      NO_END,
    ],
  ])('when it is %s', (_what, content, sentence) =>
    withVault({}, async (vault) => {
      expect(await refusalOfContent(vault, content)).toEqual(invalid(vault, sentence));
    }),
  );

  it.each<[what: string, content: Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['a text', Buffer.from('My holidays\n')],
    ['most of SQLite’s first line', Buffer.from('SQLite format 3')],
  ])('when it is an age file of %s', (_what, content) =>
    withVault({}, async (vault) => {
      expect(await refusalOfContent(vault, await sealed(vault, content))).toEqual(
        invalid(vault, 'holds no SQLite database'),
      );
    }),
  );

  it('when it is an age file of a damaged database', () =>
    withVault({ customers: 2000 }, async (vault) => {
      await vault.create();
      const decrypter = new Decrypter();
      decrypter.addIdentity(vault.identity);
      const database = Buffer.from(await decrypter.decrypt(readFileSync(vault.path('backup.age'))));
      const damaged = 'holds a damaged SQLite database (integrity_check)';
      for (const content of [
        database.subarray(0, 100),
        database.subarray(0, database.length - 4096 * 3),
        Buffer.from(database).fill(0xff, 4096 * 3, 4096 * 6),
        Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(5000, 1)]),
      ]) {
        expect(await refusalOfContent(vault, await sealed(vault, content))).toEqual(invalid(vault, damaged));
      }
    }));

  it('when it is plain while encryption is on', () =>
    withVault({}, async (vault) => {
      const from = vault.path('plain.db');
      await vault.create({ to: from, recipients: [], encrypted: false });
      expect(await rejectionOf(() => vault.verify({ from }))).toEqual(
        invalid(vault, 'is not encrypted; a plain one is taken only with BACKUP_ENCRYPTION_ENABLED=false', 'plain.db'),
      );
    }));

  it('when it is plain and cut short', () =>
    withVault({ customers: 2000 }, async (vault) => {
      const from = vault.path('plain.db');
      const { bytes } = await vault.create({ to: from, recipients: [], encrypted: false });
      truncateSync(from, bytes - 4096 * 2);
      expect(await rejectionOf(() => vault.verify({ from, encrypted: false }))).toEqual(
        invalid(vault, 'holds a damaged SQLite database (integrity_check)', 'plain.db'),
      );
    }));

  it('when it is not there, or is a folder', () =>
    withVault({}, async (vault) => {
      const unreadable = (code: string) => `cannot be read (${code}); check its path, and the rights to it`;
      const absent = vault.path('gone.age');
      expect(await rejectionOf(() => vault.verify({ from: absent }))).toEqual(
        invalid(vault, unreadable('ENOENT'), 'gone.age'),
      );
      expect(await rejectionOf(() => vault.verify({ from: vault.folder }))).toEqual({
        code: 'ERR_BACKUP_INVALID',
        message: `The backup ${vault.folder} ${unreadable('EISDIR')}.`,
      });
    }));
});

describe('a backup does not open', () => {
  it('with another identity, or none', () =>
    withVault({}, async (vault) => {
      await vault.create();
      const other = [await generateX25519Identity()];
      expect(await rejectionOf(() => vault.verify({ identities: other }))).toEqual(
        invalid(vault, DOES_NOT_OPEN, 'backup.age'),
      );
      expect(await rejectionOf(() => vault.verify({ identities: [], passphrase: 'guess' }))).toEqual(
        invalid(vault, 'is encrypted to a recipient, and no identity was given', 'backup.age'),
      );
      expect(await rejectionOf(() => vault.verify({ identities: [] }))).toEqual({
        code: 'ERR_CONFIG_INVALID',
        message: `The backup ${vault.path('backup.age')} is encrypted; give the identity (BACKUP_IDENTITY) or the passphrase (BACKUP_PASSPHRASE) that opens it.`,
      });
    }));

  it('with another passphrase, or none', () =>
    withVault({}, async (vault) => {
      await vault.create({ recipients: [], passphrase: 'a quiet lighthouse' });
      expect(await rejectionOf(() => vault.verify({ identities: [], passphrase: 'a quiet Lighthouse' }))).toEqual(
        invalid(vault, 'does not open: the passphrase is another one, or its header is damaged', 'backup.age'),
      );
      expect(await rejectionOf(() => vault.verify())).toEqual(
        invalid(vault, 'is encrypted with a passphrase, and none was given', 'backup.age'),
      );
    }));

  it('with what is no identity, which is not repeated', () =>
    withVault({}, async ({ create, verify, identity }) => {
      await create();
      for (const wrong of [identity.slice(0, -1), identity.toLowerCase(), 'ssh-ed25519 AAAA']) {
        expect(await rejectionOf(() => verify({ identities: [wrong] }))).toEqual({
          code: 'ERR_CONFIG_INVALID',
          message: 'An identity is not an age secret key (AGE-SECRET-KEY-1…).',
        });
      }
    }));
});

it('the tables of a newer Fieldseal are refused', () =>
  withVault({}, async ({ create, verify, path, db }) => {
    const from = path('plain.db');
    await create({ to: from, recipients: [], encrypted: false });
    db((open) => open.exec('insert into fieldseal_migrations (version) values (900)'), 'plain.db');
    expect(await rejectionOf(() => verify({ from, encrypted: false }))).toMatchObject({
      code: 'ERR_STORE_NEWER',
      message: expect.stringContaining('The tables of the store are of version 900'),
    });
  }));
