/** How a subject is called: by its id, and by its tenant where there are tenants. */
import { ownerText } from '../core/context-text.js';

/** A subject as it is stored. */
export interface SubjectName {
  /** The tenant's text; empty where there are no tenants. */
  readonly tenant: string;
  readonly subject: string;
}

/** A subject as a caller names it: `42`, `'42'` and `42n` are the same one. A stored name is one too. */
export type SubjectId =
  | string
  | number
  | bigint
  | { readonly tenant?: string | number | bigint | null; readonly subject: string | number | bigint };

/** The stored name of a subject. @throws FieldsealError `ERR_CONTEXT_TYPE` */
export function subjectName(id: SubjectId): SubjectName {
  const given = typeof id === 'object' && id !== null ? id : { subject: id };
  const { tenant = null, subject } = given;
  return {
    // The empty text is that of a stored name.
    tenant: tenant === null || tenant === '' ? '' : ownerText(tenant, 'A tenant'),
    subject: ownerText(subject, 'A subject'),
  };
}

/** A key for maps: no two names have the same. */
export function subjectMapKey(tenant: string, subject: string): string {
  return `${tenant.length} ${tenant}${subject}`;
}

/** Subjects for messages: the first by its name, the others by their number. */
export function describeSubjects(names: readonly SubjectName[]): string {
  const first = names[0];
  if (!first) return 'no subject';
  const tenant = first.tenant === '' ? '' : ` of the tenant ${JSON.stringify(first.tenant)}`;
  const others = names.length > 1 ? ` and ${names.length - 1} more` : '';
  return `the subject ${JSON.stringify(first.subject)}${tenant}${others}`;
}
