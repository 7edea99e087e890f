/**
 * A process of its own that verifies a key, a thousand times at once, again and again, from its memory where it may. It
 * tells `ready` after some rounds, and ends some rounds after one in which all were refused; then it tells what it saw as
 * JSON: how often each code, and when the last valid one began.
 */
import { Secret } from 'fieldseal';
import { openStore } from '../../src/store/open-store.js';
import { openService } from '../../src/usecases/service.js';
import { verifyApiKey } from '../../src/usecases/verify-api-key.js';

const { target, schema, key: root, presented } = JSON.parse(process.argv[2] ?? '{}');
const store = await openStore(target, { schema, offEventLoop: true });
const keys = { current: Secret.from(Buffer.from(root, 'base64')), previous: [], root: null };
const { service } = await openService(store, keys);
await service.verification.start();

const counts: Record<string, number> = {};
/** By the clock that all processes of the machine share, in nanoseconds. */
let lastValidBegan = 0n;
let roundsSinceRefused = 0;
for (let round = 0; roundsSinceRefused < 5; round++) {
  const validBefore = counts['VALID'];
  await Promise.all(
    Array.from({ length: 1000 }, async () => {
      const began = process.hrtime.bigint();
      const { code } = await verifyApiKey(service, { key: presented });
      counts[code] = (counts[code] ?? 0) + 1;
      if (code === 'VALID' && began > lastValidBegan) lastValidBegan = began;
    }),
  );
  if (round === 2) process.send?.('ready');
  // None may be valid again once all of a round were refused.
  if (counts['VALID'] === validBefore || roundsSinceRefused > 0) roundsSinceRefused++;
  // The poll gets its turn between two rounds.
  await new Promise((resolve) => setImmediate(resolve));
}
await service.verification.stop();
await store.close();
process.send?.(JSON.stringify({ counts, lastValidBegan: String(lastValidBegan) }));
process.disconnect?.();
