/** Stored subjects in memory, with an erasure as the service does it, a switch that cuts the line and a time that reading takes. */
import type { SubjectName } from '../../src/keys/subject-name.js';
import type {
  StoredSubject,
  StoredSubjects,
  SubjectProvider,
  WrappedSubject,
} from '../../src/keys/subject-provider.js';
import { SubjectRoot } from '../../src/keys/subject-root.js';

export class MemorySubjects implements SubjectProvider {
  roots = [SubjectRoot.random()];
  state: { generation: number; rootFingerprint: string } | null = null;
  readonly rows = new Map<string, StoredSubject>();
  isCut = false;
  loadMs = 0;
  loads: (readonly SubjectName[])[] = [];
  rootReads = 0;
  /** Called between the reading of the database and its answer. */
  meanwhile: () => void = () => {};

  readonly root = {
    read: () => {
      this.rootReads++;
      return this.roots;
    },
  };

  async load(names: readonly SubjectName[]): Promise<StoredSubjects | null> {
    this.loads.push(names);
    if (this.isCut) throw new Error('no connection');
    const subjects = names.flatMap((name) => this.rows.get(JSON.stringify([name.tenant, name.subject])) ?? []);
    const answer = this.state && { ...this.state, subjects };
    const { meanwhile } = this;
    this.meanwhile = () => {};
    meanwhile();
    if (this.loadMs > 0) await new Promise((resolve) => setTimeout(resolve, this.loadMs));
    return answer;
  }

  async insert(subjects: readonly WrappedSubject[], rootFingerprint: string): Promise<void> {
    if (this.isCut) throw new Error('no connection');
    this.state ??= { generation: 1, rootFingerprint };
    if (this.state.rootFingerprint !== rootFingerprint) return;
    for (const row of subjects) {
      const key = JSON.stringify([row.tenant, row.subject]);
      if (!this.rows.has(key)) this.rows.set(key, row);
    }
  }

  /** As the service does it: every other secret under a new root, which alone is left. */
  erase(subject: string, tenant = ''): void {
    const [current] = this.roots;
    const next = SubjectRoot.random();
    if (!this.state || !current) throw new Error('there is no subject yet');
    for (const [key, row] of this.rows) {
      if (row.tenant === tenant && row.subject === subject) this.rows.set(key, { ...row, wrapped: null });
      else if (row.wrapped) this.rows.set(key, { ...row, wrapped: next.wrap(row, current.unwrap(row, row.wrapped)) });
    }
    this.state = { generation: this.state.generation + 1, rootFingerprint: next.fingerprint };
    this.roots = [next];
  }
}
