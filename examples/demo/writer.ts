/** A process that goes on updating customers through Drizzle until it is told to stop; it reports every last write. */
import { setTimeout } from 'node:timers/promises';
import { eq } from 'drizzle-orm';
import { openApplication } from './application.ts';

const [file, rootKey] = [process.env['DEMO_DATABASE'], process.env['DEMO_KEY']] as [string, string];
const customers = Number(process.env['DEMO_CUSTOMERS']);
const application = await openApplication(file, rootKey);
const lastWrites = new Map<number, string>();
let isStopped = false;
process.once('message', () => {
  isStopped = true;
});
process.send?.('ready');

for (let i = 0; !isStopped; i++) {
  // Hops over the whole table, so that rows ahead of the sweep and behind it are written.
  const id = ((i * 7919) % customers) + 1;
  const phone = `+82-10-${String(i).padStart(8, '0')}`;
  application.db.update(application.customers).set({ phone }).where(eq(application.customers.id, id)).run();
  lastWrites.set(id, phone);
  await setTimeout(2);
}
await application.close();
process.send?.([...lastWrites]);
process.disconnect();
