/** The keys of subjects that an application holds: dropped when a subject is erased, whatever happens in between. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openSubjectKeys, type SubjectKeys, type SubjectKeysOptions } from '../../src/keys/subject-keys.js';
import { SubjectRoot } from '../../src/keys/subject-root.js';
import { DECRYPT_FAILED, refusalOf, rejectionOf } from '../refusal.js';
import { MemorySubjects } from './memory-subjects.js';

const UNCONFIRMED = {
  code: 'ERR_SUBJECT_KEY_NOT_LOADED',
  message: 'The keys of subjects could not be confirmed for 60 seconds; none is given until their database answers.',
};
const notLoaded = (who: string) => ({
  code: 'ERR_SUBJECT_KEY_NOT_LOADED',
  message: `The key of ${who} is not loaded; await subjects.load([…]) first.`,
});
const wasErased = (who: string) => ({
  code: 'ERR_SUBJECT_ERASED',
  message: `${who} was erased: nothing of it can be read or written.`,
});
const OTHER_ROOT = {
  code: 'ERR_SUBJECT_ROOT',
  message:
    'The subject root is not the one that the stored subject keys are wrapped under; use the file of that database. In a ' +
    'database restored from a backup older than an erasure, run `fieldseal subject-keys import FILE --restored`.',
};

async function withSubjects(
  work: (keys: SubjectKeys, stored: MemorySubjects) => Promise<void>,
  options: SubjectKeysOptions = {},
): Promise<void> {
  const stored = new MemorySubjects();
  const keys = await openSubjectKeys(stored, options);
  await work(keys, stored);
  await keys.close();
}

const passSeconds = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the keys of subjects', () => {
  it('are made once, loaded by whoever asks, and the same for everybody', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([42, '43', { tenant: 7, subject: 42n }]);
      const other = await openSubjectKeys(stored);
      await other.create([42, 44]);
      await other.load(['42', 43n, { tenant: '7', subject: '42' }]);
      for (const [tenant, subject] of [
        ['', '42'],
        ['', '43'],
        ['7', '42'],
      ] as const) {
        const key = other.get(tenant, subject);
        expect([key.tenant, key.subject]).toEqual([tenant, subject]);
        expect(key.secret.equals(keys.get(tenant, subject).secret)).toBe(true);
      }
      expect(keys.get('', '42').secret.equals(keys.get('7', '42').secret)).toBe(false);
      expect([...stored.rows.keys()]).toEqual(['["","42"]', '["","43"]', '["7","42"]', '["","44"]']);
      await other.close();
    }));

  it('are not given before they are loaded', () =>
    withSubjects(async (keys, stored) => {
      expect(refusalOf(() => keys.get('', '42'))).toEqual(notLoaded('the subject "42"'));
      await keys.create([42]);
      const other = await openSubjectKeys(stored);
      expect(refusalOf(() => other.get('', '42'))).toEqual(notLoaded('the subject "42"'));
      expect(refusalOf(() => other.get('a"', '42'))).toEqual(notLoaded('the subject "42" of the tenant "a\\""'));
      await other.close();
    }));

  it('that are held are not read again', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1, 2]);
      const before = stored.loads.length;
      await keys.load([1, 2, '1']);
      expect(stored.loads.length).toBe(before);
      const held = keys.get('', '1');
      await keys.load([1, 2]);
      expect(keys.get('', '1')).toBe(held);
    }));

  it('that do not exist are named, and the others are loaded', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1]);
      const other = await openSubjectKeys(stored);
      expect(await rejectionOf(() => other.load([8, 1, 9]))).toEqual({
        code: 'ERR_SUBJECT_NOT_FOUND',
        message:
          'There is no key for the subject "8" and 1 more; make it with subjects.create([…]) or `fieldseal subject-keys create`.',
      });
      expect(other.get('', '1').secret.equals(keys.get('', '1').secret)).toBe(true);
      await other.close();
    }));

  it.each([[''], [1.5], [{ subject: '' }], [{ tenant: 1.5, subject: 1 }]])('have no subject such as %j', (id) =>
    withSubjects(async (keys) => {
      const what = typeof id === 'object' && 'tenant' in id ? 'A tenant' : 'A subject';
      const refusal = {
        code: 'ERR_CONTEXT_TYPE',
        message: `${what} is a whole number or a text that is not empty.`,
      };
      expect(await rejectionOf(() => keys.load([id]))).toEqual(refusal);
      expect(await rejectionOf(() => keys.create([id]))).toEqual(refusal);
    }),
  );

  it('are read 500 at a time', () =>
    withSubjects(async (keys, stored) => {
      const ids = Array.from({ length: 1201 }, (_, i) => i);
      await keys.create(ids);
      const other = await openSubjectKeys(stored);
      stored.loads = [];
      await other.load(ids);
      expect(stored.loads.map((names) => names.length)).toEqual([500, 500, 201]);
      for (const id of ids) expect(other.get('', String(id)).subject).toBe(String(id));
      await other.close();
    }));

  it('are held up to a number, the ones used last', () =>
    withSubjects(
      async (keys) => {
        await keys.create([1, 2, 3]);
        const first = keys.get('', '1');
        await keys.create([4]);
        expect(refusalOf(() => keys.get('', '2'))).toEqual(notLoaded('the subject "2"'));
        expect(keys.get('', '1')).toBe(first);
        // What is asked for again is not dropped for what is asked for with it.
        await keys.load([3, 2]);
        await keys.load([3, 1, 2]);
        for (const id of ['1', '2', '3']) expect(keys.get('', id).subject).toBe(id);
        // A key that was dropped goes on working for whoever has it.
        expect(first.secret.reveal().length).toBe(32);
        await expect(keys.load([1, 2, 3, 4])).rejects.toThrow(
          new RangeError('4 subjects at once are more than the 3 that are held; raise capacity'),
        );
      },
      { capacity: 3 },
    ));

  it.each([0, 31, Number.NaN])('are not refreshed every %d seconds', async (refreshSeconds) => {
    await expect(openSubjectKeys(new MemorySubjects(), { refreshSeconds })).rejects.toThrow(
      new RangeError('refreshSeconds is more than 0 and at most 30: after 60 unconfirmed seconds no key is given'),
    );
  });

  it.each([0, 1.5])('are not held up to %d', async (capacity) => {
    await expect(openSubjectKeys(new MemorySubjects(), { capacity })).rejects.toThrow(
      new RangeError('capacity is a whole number above 0'),
    );
  });

  it('do not open without their database, or under another root', async () => {
    const stored = new MemorySubjects();
    await stored.insert([], SubjectRoot.random().fingerprint);
    expect(await rejectionOf(() => openSubjectKeys(stored))).toEqual(OTHER_ROOT);
    stored.isCut = true;
    await expect(openSubjectKeys(stored)).rejects.toThrow(new Error('no connection'));
  });

  it('without a key can be left out of a list that is loaded', () =>
    withSubjects(async (keys) => {
      await keys.create([1]);
      await keys.load([1, 2], { ignoreAbsent: true });
      expect(keys.get('', '1').subject).toBe('1');
      expect(refusalOf(() => keys.get('', '2')).code).toBe('ERR_SUBJECT_KEY_NOT_LOADED');
    }));

  it('whose stored secret is damaged are not given, and the others are', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1, 2]);
      const [one] = stored.rows.values();
      stored.rows.set('["","2"]', { tenant: '', subject: '2', wrapped: one?.wrapped ?? null });
      const other = await openSubjectKeys(stored);
      await other.load([1, 2]);
      expect(other.get('', '1').secret.equals(keys.get('', '1').secret)).toBe(true);
      expect(refusalOf(() => other.get('', '2'))).toEqual(DECRYPT_FAILED);
      await other.close();
    }));
});

describe('an erasure', () => {
  it('is learned of within 10 seconds: the subject is gone, the others stay', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1, 2]);
      const [generation, kept] = [keys.generation, keys.get('', '2').secret];
      stored.erase('1');
      await passSeconds(9.999);
      expect(keys.get('', '1').subject).toBe('1');
      await passSeconds(0.001);
      expect(refusalOf(() => keys.get('', '1'))).toEqual(wasErased('The subject "1"'));
      expect(keys.get('', '2').secret.equals(kept)).toBe(true);
      expect(keys.generation).toBe(generation + 1);
      await passSeconds(60);
      expect(keys.generation).toBe(generation + 1);
    }));

  it('is learned of although somebody set the generation back: the root tells', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1, 2]);
      const { generation } = keys;
      stored.erase('1');
      stored.state = { generation, rootFingerprint: stored.state?.rootFingerprint as string };
      await keys.refresh();
      expect(refusalOf(() => keys.get('', '1'))).toEqual(wasErased('The subject "1"'));
      expect(keys.get('', '2').subject).toBe('2');
    }));

  it('is learned of by the next load too, and the root is read again', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1, 2, 3]);
      stored.erase('1');
      const other = await openSubjectKeys(stored);
      await other.create([4]);
      await keys.load([4]);
      expect(refusalOf(() => keys.get('', '1'))).toEqual(wasErased('The subject "1"'));
      expect(keys.get('', '4').secret.equals(other.get('', '4').secret)).toBe(true);
      await other.close();
    }));

  it('is for good: nothing makes the subject’s key again', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1, { tenant: 'a', subject: 1 }]);
      stored.erase('1', 'a');
      const other = await openSubjectKeys(stored);
      await other.load([1, { tenant: 'a', subject: 1 }]);
      const refusal = wasErased('The subject "1" of the tenant "a"');
      expect(refusalOf(() => other.get('a', '1'))).toEqual(refusal);
      expect(await rejectionOf(() => other.create([9, { tenant: 'a', subject: 1 }]))).toEqual(refusal);
      expect(await rejectionOf(() => other.load([9]))).toMatchObject({ code: 'ERR_SUBJECT_NOT_FOUND' });
      // Also where the erasure was not known of yet.
      expect(
        await rejectionOf(() =>
          keys
            .create([9, 8, { tenant: 'a', subject: 1 }])
            .then(() => keys.refresh())
            .then(() => keys.create([{ tenant: 'a', subject: 1 }])),
        ),
      ).toEqual(refusal);
      await other.close();
    }));

  it('in the middle of a load leaves nothing of the subject', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1, 2]);
      const other = await openSubjectKeys(stored);
      // What was read is of before; what it is held against is of after.
      stored.meanwhile = () => stored.erase('1');
      await other.load([1, 2]);
      await other.refresh();
      expect(refusalOf(() => other.get('', '1'))).toEqual(wasErased('The subject "1"'));
      expect(other.get('', '2').subject).toBe('2');
      await other.close();
    }));

  it('during a slow load does not bring the subject back when the load ends after the refresh', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1]);
      const other = await openSubjectKeys(stored);
      stored.loadMs = 15_000;
      const loaded = other.load([1]);
      stored.erase('1');
      stored.loadMs = 0;
      await passSeconds(10);
      expect(other.generation).toBe(2);
      await passSeconds(5);
      await loaded;
      expect(refusalOf(() => other.get('', '1'))).toEqual(wasErased('The subject "1"'));
      await other.close();
    }));

  it('during a create leaves the new key under the new root', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1]);
      const insert = stored.insert.bind(stored);
      stored.insert = async (...args) => {
        stored.insert = insert;
        stored.erase('1');
        await insert(...args);
      };
      await keys.create([2]);
      const other = await openSubjectKeys(stored);
      await other.load([2]);
      expect(other.get('', '2').secret.equals(keys.get('', '2').secret)).toBe(true);
      await other.close();
    }));

  it('that cannot be learned of stops everything after 60 seconds, until the database answers', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1, 2]);
      await passSeconds(10);
      stored.isCut = true;
      await passSeconds(60);
      expect(keys.get('', '1').subject).toBe('1');
      await passSeconds(0.001);
      expect(refusalOf(() => keys.get('', '1'))).toEqual(UNCONFIRMED);
      await expect(keys.load([1])).rejects.toThrow(new Error('no connection'));
      stored.erase('1');
      stored.isCut = false;
      await passSeconds(10);
      expect(refusalOf(() => keys.get('', '1'))).toEqual(wasErased('The subject "1"'));
      expect(keys.get('', '2').subject).toBe('2');
    }));

  it('with a root that this process cannot get stops everything after 60 seconds', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1, 2]);
      const { roots } = stored;
      stored.erase('1');
      const after = stored.roots;
      stored.roots = roots;
      expect(await rejectionOf(() => keys.refresh())).toEqual(OTHER_ROOT);
      await passSeconds(61);
      expect(refusalOf(() => keys.get('', '2'))).toEqual(UNCONFIRMED);
      stored.roots = after;
      await keys.load([2]);
      expect(keys.get('', '2').subject).toBe('2');
    }));

  it('while two roots are in the file goes by the one that the database names', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1]);
      const next = SubjectRoot.random();
      stored.roots = [...stored.roots, next];
      const before = await openSubjectKeys(stored);
      await before.load([1]);
      stored.roots = [next, ...stored.roots];
      const also = await openSubjectKeys(stored);
      await also.load([1]);
      expect(also.get('', '1').secret.equals(keys.get('', '1').secret)).toBe(true);
      await before.close();
      await also.close();
    }));
});

describe('closed keys', () => {
  it('are not given and not refreshed any more', () =>
    withSubjects(async (keys, stored) => {
      await keys.create([1]);
      await keys.close();
      const before = stored.loads.length;
      await passSeconds(600);
      expect(stored.loads.length).toBe(before);
      expect(refusalOf(() => keys.get('', '1'))).toEqual(notLoaded('the subject "1"'));
    }));
});
