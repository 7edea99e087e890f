/** 100,000 values through `encryptFieldsAsync` and `decryptFieldsAsync`: none, one and two worker threads, on the clock. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { EncryptionService, keyringFromEnv } from 'fieldseal';
import { LONGEST_DELAY, parallelName } from './run.ts';
import { type Turn, takeTurns } from './turns.ts';

const BATCH_VALUES = 100_000;
function turn(name: string, work: () => Promise<readonly unknown[]>): Turn {
  return {
    name,
    async measure(times) {
      const start = performance.now();
      for (let i = 0; i < times; i++) {
        const { length } = await work();
        if (length !== BATCH_VALUES) throw new Error(`${name} made too little`);
      }
      return ((performance.now() - start) * 1e6) / times;
    },
  };
}

async function longestDelay(turns: readonly Turn[], rounds: number): Promise<number> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  for (let round = 0; round < rounds; round++) {
    for (const { measure } of turns) {
      delays.enable();
      await measure(1);
      // So that a delay at the very end is noticed as well.
      await setTimeout(5);
      delays.disable();
    }
  }
  return delays.max;
}

export async function measureParallel(key: string, rounds: number): Promise<Record<string, number>> {
  const env = { ENCRYPTION_KEY: key };
  const keyring = keyringFromEnv(env);
  const texts = Array.from({ length: BATCH_VALUES }, (_, i) => String(i).padEnd(100, 'x'));
  const tokens = new EncryptionService(keyring).encryptFields(texts);
  const turnsOf = (workers: number) => {
    const service = new EncryptionService(keyring, env, { workers });
    return [
      turn(parallelName('encrypt', workers), () => service.encryptFieldsAsync(texts)),
      turn(parallelName('decrypt', workers), () => service.decryptFieldsAsync(tokens)),
    ];
  };
  const two = turnsOf(2);
  const taken = await takeTurns([...turnsOf(0), ...turnsOf(1), ...two], { rounds, turnMs: 0, warmUp: 1 });
  return { ...taken, [LONGEST_DELAY]: await longestDelay(two, rounds) };
}
