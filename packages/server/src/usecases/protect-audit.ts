/** `audit protect`: takes the rights to change audit rows away from a role of PostgreSQL. */
import { openStore } from '../store/open-store.js';
import type { Dependencies } from './dependencies.js';
import { auditRow, OPERATOR_ACTOR } from './service.js';

/**
 * The role may read and insert audit rows from then on, and neither change nor delete them.
 * @returns whether the role owns the tables, and so can give itself the rights again
 * @throws FieldsealError `ERR_USAGE` on SQLite, for a role that does not exist, is a superuser, or has the rights from elsewhere
 */
export async function protectAudit(
  { target, schema }: Dependencies,
  role: string,
): Promise<{ readonly isOwner: boolean }> {
  const store = await openStore(target, { schema, mustExist: true });
  try {
    return await store.transaction(async (tx) => {
      const result = await tx.audit.protect(role);
      await tx.audit.insert(
        auditRow(OPERATOR_ACTOR, {
          action: 'audit_protected',
          resourceType: 'database_role',
          resourceId: role,
          status: 'success',
        }),
      );
      return result;
    });
  } finally {
    await store.close();
  }
}
