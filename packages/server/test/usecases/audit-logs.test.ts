import { Fernet, takeEnvironmentKeys } from 'fieldseal';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/open-store.js';
import { exportAuditLogs } from '../../src/usecases/export-audit-logs.js';
import { getAuditLog, listAuditLogs, searchAuditLogs } from '../../src/usecases/list-audit-logs.js';
import { recordAudit } from '../../src/usecases/record-audit.js';
import { type Actor, auditRow, OPERATOR_ACTOR, openService, type Service } from '../../src/usecases/service.js';
import { withPostgresSchema } from '../postgres.js';
import { withSqliteFile } from '../store/sqlite-file.js';

type Place = (work: (open: () => Promise<Service>) => Promise<void>) => Promise<void>;

function opener(make: () => ReturnType<typeof openStore>, work: Parameters<Place>[0]): Promise<void> {
  const key = Fernet.generateKey();
  const stores: Awaited<ReturnType<typeof openStore>>[] = [];
  return work(async () => {
    const store = await make();
    stores.push(store);
    return (await openService(store, takeEnvironmentKeys({ ENCRYPTION_KEY: key }))).service;
  }).finally(async () => {
    for (const store of stores) await store.close();
  });
}

const onSqlite: Place = (work) =>
  withSqliteFile((file) => opener(() => openStore({ dialect: 'sqlite', file, writtenAs: 'system' }), work));
const onPostgres: Place = (work) =>
  withPostgresSchema(({ url, schema }) =>
    opener(() => openStore({ dialect: 'postgres', connectionString: url, writtenAs: 'system' }, { schema }), work),
  );

const user = (subject: string, scopes: readonly string[] | null = null): Actor => ({
  principal: { kind: 'user', subject, isAdmin: false, scopes, apiKeyId: null },
  ipAddress: '10.0.0.1',
  requestId: null,
  userAgent: null,
});
const ROW = { action: 'email_changed', resourceType: 'user', status: 'success' } as const;
const PAGE = { limit: 10 };

async function textOf(parts: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const part of parts) text += part;
  return text;
}

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres],
])('on %s', (_name, on) => {
  it('a sensitive value is in no table, and finds its rows again, also in another process', () =>
    on(async (open) => {
      const [first, second] = [await open(), await open()];
      const email = 'ada@example.com';
      const [one, same] = await Promise.all([first.hashValues({ email }), second.hashValues({ email })]);
      expect(one).toEqual(same);
      await recordAudit(first, { ...ROW, userId: '1', sensitive: { email }, details: '{"field":"email"}' });
      await recordAudit(second, { ...ROW, userId: '2', sensitive: { email: 'brook@example.com' } });
      const sensitive = await second.hashValues({ email });
      await second.store.transaction((tx) => tx.audit.insert(auditRow(user('3'), { ...ROW, sensitive })));
      const found = await searchAuditLogs(second, OPERATOR_ACTOR, { name: 'email', value: email }, PAGE);
      expect(found.total).toBe(2);
      expect(found.logs.map(({ userId }) => userId)).toEqual(['3', '1']);
      const details = JSON.parse(found.logs[1]?.details ?? '');
      expect(details).toEqual({ field: 'email', email: { hmac: expect.stringMatching(/^[0-9a-f]{64}$/) } });
      // Under another name the same value is another hash; and a user finds what is theirs.
      expect((await searchAuditLogs(first, OPERATOR_ACTOR, { name: 'mail', value: email }, PAGE)).total).toBe(0);
      expect((await searchAuditLogs(first, user('1'), { name: 'email', value: email }, PAGE)).total).toBe(1);
      await second.repeats.close();
      const everything = await textOf(await exportAuditLogs(second, OPERATOR_ACTOR, {}, 'ndjson'));
      expect(everything).not.toContain('example.com');
      const searches = everything.split('\n').filter((line) => line.includes('audit_searched'));
      expect(searches.map((line) => JSON.parse(line).details.name).sort()).toEqual(['email', 'email', 'mail']);
      // One key for it, in the ring, whichever process came first.
      const keys = (await first.store.keyring.load())?.keys.filter(({ purpose }) => purpose === 'audit-hmac');
      expect(keys).toHaveLength(1);
    }));

  it('what cannot be hashed is refused without being told', () =>
    on(async (open) => {
      const service = await open();
      for (const [sensitive, details] of [
        [{ 'e mail': 'secret' }, '{}'],
        [{ email: '' }, '{}'],
        [{ email: 'secret'.repeat(1000) }, '{}'],
        [{ email: 'secret' }, 'secret'],
        [{ email: 'secret' }, '["secret"]'],
      ] as const) {
        const refused = recordAudit(service, { ...ROW, sensitive, details });
        await expect(refused).rejects.toMatchObject({
          code: 'ERR_INPUT_INVALID',
          message: expect.not.stringContaining('secret'),
        });
      }
      expect(await service.store.audit.count({ action: ROW.action })).toBe(0);
    }));

  it('a row that names no user says who it was, and a reader of what others did leaves one', () =>
    on(async (open) => {
      const service = await open();
      const own = await recordAudit(service, { ...ROW, userId: '1' });
      const { logs } = await listAuditLogs(service, OPERATOR_ACTOR, { action: 'keyring_created' }, PAGE);
      expect(JSON.parse(logs[0]?.details ?? '')).toMatchObject({ via: 'system' });
      expect(await getAuditLog(service, user('1'), own.id)).toEqual(own);
      await expect(getAuditLog(service, user('2'), own.id)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
      await expect(getAuditLog(service, user('2'), 999)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
      await expect(listAuditLogs(service, user('2'), { userId: '1' }, PAGE)).rejects.toMatchObject({
        code: 'ERR_FORBIDDEN',
      });
      await expect(listAuditLogs(service, user('1', ['keys:read']), {}, PAGE)).rejects.toMatchObject({
        code: 'ERR_FORBIDDEN',
      });
      await expect(listAuditLogs(service, user('1'), { from: '2026-99-99T00:00:00Z' }, PAGE)).rejects.toMatchObject({
        code: 'ERR_INPUT_INVALID',
      });
      expect((await listAuditLogs(service, user('1'), { userId: '1' }, PAGE)).total).toBe(1);
      for (let count = 0; count < 3; count++) await listAuditLogs(service, OPERATOR_ACTOR, {}, PAGE);
      await service.repeats.close();
      const { logs: views } = await listAuditLogs(service, OPERATOR_ACTOR, { action: 'audit_viewed' }, PAGE);
      expect(views.map(({ details }) => JSON.parse(details ?? ''))).toMatchObject([
        { filter: {}, via: 'operator', repeated: { count: 2 } },
        { filter: {}, via: 'operator' },
        { filter: { action: 'keyring_created' }, via: 'operator' },
      ]);
      await service.repeats.close();
    }));

  it('an export holds every row that fits, once, and is in the log before it is read', () =>
    on(async (open) => {
      const service = await open();
      const { store } = service;
      await store.transaction(async (tx) => {
        for (let count = 0; count < 1203; count++) await tx.audit.insert({ ...ROW, userId: String(count % 3) });
      });
      const own = await exportAuditLogs(service, user('1'), {}, 'ndjson');
      expect((await store.audit.list({ action: 'audit_exported', limit: 2 }))[0]).toMatchObject({
        userId: '1',
        details: JSON.stringify({ format: 'ndjson', filter: {} }),
      });
      const lines = (await textOf(own)).trimEnd().split('\n');
      expect(lines).toHaveLength(401);
      expect(new Set(lines.map((line) => JSON.parse(line).id)).size).toBe(401);
      expect(JSON.parse(lines[0] as string)).toMatchObject({ user_id: '1', resource_type: 'user', details: null });
      await store.audit.insert({ ...ROW, action: '=cmd|calc', resourceId: '@a,"b"\nc', userAgent: '-1' });
      const csv = await textOf(await exportAuditLogs(service, OPERATOR_ACTOR, { action: '=cmd|calc' }, 'csv'));
      const [header, row] = [csv.slice(0, csv.indexOf('\r\n')), csv.slice(csv.indexOf('\r\n') + 2)];
      expect(header).toBe(
        'id,timestamp,user_id,action,resource_type,resource_id,status,ip_address,request_id,user_agent,details',
      );
      expect(row).toMatch(/^\d+,20\S+Z,,'=cmd\|calc,user,"'@a,""b""\nc",success,,,'-1,"{""via"":""system""}"\r\n$/);
    }));
});
