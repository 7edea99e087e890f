/** `POST /keys/:id/enable`. */
import { onBothDatabases } from '../with-app.ts';
import { switchesKeys } from './switch-key.ts';

onBothDatabases((app) =>
  switchesKeys(app, 'enable', 'active', (id, token) => app().call('POST', `/keys/${id}/disable`, { token })),
);
