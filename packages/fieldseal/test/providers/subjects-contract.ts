/** What `databaseSubjects` promises on every database: the contract suite, a function of the database under test. */
import { describe, expect, it } from 'vitest';
import { openSubjectKeys } from '../../src/keys/subject-keys.js';
import type { SubjectProvider } from '../../src/keys/subject-provider.js';
import { SubjectRoot } from '../../src/keys/subject-root.js';
import { databaseSubjects } from '../../src/providers/database-subjects.js';
import type { ProviderDatabase, Work } from './provider-database.js';

/** The contract, on databases that `withDatabase` opens. */
export function databaseSubjectsContract(name: string, withDatabase: (work: Work) => Promise<void>): void {
  const root = SubjectRoot.random();
  const PRINT = root.fingerprint;
  const withProvider = (work: (provider: SubjectProvider, database: ProviderDatabase) => Promise<void>) =>
    withDatabase((database) => work(databaseSubjects({ ...database, root: { read: () => [root] } }), database));
  const row = (subject: string, wrapped: string, tenant = '') => ({ tenant, subject, wrapped });

  describe(`databaseSubjects on ${name}`, () => {
    it('knows of no state before the first subject, and of its root from then on', () =>
      withProvider(async (provider) => {
        expect(await provider.load([])).toBeNull();
        expect(await provider.load([row('1', '')])).toBeNull();
        await provider.insert([], PRINT);
        const state = { generation: 1, rootFingerprint: PRINT, subjects: [] };
        expect(await provider.load([])).toEqual(state);
        expect(await provider.load([row('1', '')])).toEqual(state);
        await provider.insert([], 'another');
        expect(await provider.load([])).toEqual(state);
      }));

    it('stores what is absent, and gives back what was asked for', () =>
      withProvider(async (provider) => {
        await provider.insert([row('1', 'a'), row('2', 'b'), row('1', 'c', 't')], PRINT);
        await provider.insert([row('2', 'changed'), row('3', 'd')], PRINT);
        const names = [row('1', ''), row('2', ''), row('3', ''), row('4', ''), row('1', '', 't'), row('2', '', 't')];
        const loaded = await provider.load(names);
        expect(loaded?.subjects.toSorted((a, b) => String(a.wrapped).localeCompare(String(b.wrapped)))).toEqual([
          row('1', 'a'),
          row('2', 'b'),
          row('1', 'c', 't'),
          row('3', 'd'),
        ]);
        expect((await provider.load([row('2', '')]))?.subjects).toEqual([row('2', 'b')]);
      }));

    it('stores nothing under a root that is not the state’s', () =>
      withProvider(async (provider) => {
        await provider.insert([row('1', 'a')], PRINT);
        await provider.insert([row('2', 'b')], 'another');
        expect((await provider.load([row('2', '')]))?.subjects).toEqual([]);
      }));

    it('takes names as they are, also those that look like something else', () =>
      withProvider(async (provider) => {
        const odd = [
          "'; drop table subject_keys; --",
          '42',
          '042',
          '4.2e1',
          'Ä',
          'ä',
          'a',
          'A',
          ' a',
          'x'.repeat(2000),
          '$1',
          '?',
        ];
        await provider.insert(
          odd.map((subject, i) => row(subject, String(i), subject)),
          PRINT,
        );
        const loaded = await provider.load(odd.map((subject) => row(subject, '', subject)));
        expect(loaded?.subjects.length).toBe(odd.length);
        for (const { tenant, subject, wrapped } of loaded?.subjects ?? []) {
          expect([tenant, wrapped]).toEqual([subject, String(odd.indexOf(subject))]);
        }
      }));

    it('gives an erased subject without its secret, and does not store it again', () =>
      withProvider(async (provider, { dialect, query, schema }) => {
        await provider.insert([row('1', 'a')], PRINT);
        const table = dialect === 'postgres' ? `"${schema}".subject_keys` : 'subject_keys';
        await query(`UPDATE ${table} SET wrapped = NULL, erased_at = created_at RETURNING subject`, []);
        await provider.insert([row('1', 'again')], PRINT);
        expect((await provider.load([row('1', '')]))?.subjects).toEqual([{ tenant: '', subject: '1', wrapped: null }]);
      }));

    it('serves keys to processes that make the same subjects at the same time', () =>
      withProvider(async (provider) => {
        const ids = Array.from({ length: 700 }, (_, i) => i);
        const processes = await Promise.all([provider, provider, provider].map((each) => openSubjectKeys(each)));
        await Promise.all(processes.map((keys) => keys.create(ids)));
        const [first, ...others] = processes;
        for (const id of ids) {
          const secret = first?.get('', String(id)).secret;
          for (const keys of others) expect(secret?.equals(keys.get('', String(id)).secret)).toBe(true);
        }
        for (const keys of processes) await keys.close();
      }));
  });
}
