/** `POST /keys/:id/disable`. */
import { onBothDatabases } from '../with-app.ts';
import { switchesKeys } from './switch-key.ts';

onBothDatabases((app) => switchesKeys(app, 'disable', 'disabled', async () => {}));
