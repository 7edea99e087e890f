import { it } from 'vitest';
import { DATABASES } from './with-subjects.js';
for (const [name, withSubjects] of DATABASES) it(`100k on ${name}`, { timeout: 300_000 }, () => withSubjects(async (s) => {
  const { openSubjectKeys, subjectRootFile } = await import('fieldseal'); const { storeSubjects } = await import('../../src/usecases/store-subjects.js');
  let t = performance.now();
  const ids = Array.from({ length: 100_000 }, (_, i) => i);
  await s.store(async (store) => { const k = await openSubjectKeys(storeSubjects(store, subjectRootFile(s.rootPath)), { capacity: 100_000 }); await k.create(ids); await k.close(); });
  console.log(name, 'create', performance.now() - t); t = performance.now();
  Object.assign(s.deps, { stepDone: (x: string) => console.log(name, x, performance.now() - t) });
  const r = await s.erase('5'); console.log(name, 'erase', performance.now() - t, r.rewrapped, process.memoryUsage().rss / 1e6);
  t = performance.now(); await s.erase('6'); console.log(name, 'erase again', performance.now() - t);
  await s.store(async (store) => { const k = await openSubjectKeys(storeSubjects(store, subjectRootFile(s.rootPath)), { capacity: 100_000 });
    t = performance.now(); await k.load(ids.slice(0, 500)); console.log(name, 'load 500', performance.now() - t);
    t = performance.now(); await k.load(ids.slice(500, 600)); console.log(name, 'load 100', performance.now() - t);
    t = performance.now(); await k.load([777]); console.log(name, 'load 1', performance.now() - t); await k.close(); });
}));
