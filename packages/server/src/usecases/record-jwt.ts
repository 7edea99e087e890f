/** The audit row of a token that an operator signs. */
import type { Dependencies } from './dependencies.js';
import { auditRow, OPERATOR_ACTOR } from './service.js';
import { withStore } from './with-service.js';

export interface IssuedJwt {
  readonly subject: string;
  readonly isAdmin: boolean;
  readonly scopes: readonly string[];
  readonly ttlSeconds: number;
}

/** Writes the row; the token is handed out only then. @throws FieldsealError of the store */
export async function recordJwt(
  deps: Dependencies,
  { subject, isAdmin, scopes, ttlSeconds }: IssuedJwt,
): Promise<void> {
  await withStore(deps, async ({ audit }) => {
    await audit.insert(
      auditRow(OPERATOR_ACTOR, {
        action: 'jwt_issued',
        resourceType: 'jwt',
        resourceId: subject,
        status: 'success',
        details: { isAdmin, scopes, ttlSeconds },
      }),
    );
  });
}
