/** The machine as a reader of numbers wants to know it. */
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

/** `AMD EPYC, 2 processors, 8 GiB of memory, Linux 6.1` */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() || 'unknown processor';
  const processors = availableParallelism();
  const [major, minor] = release().split('.');
  return [
    model,
    `${processors} ${processors === 1 ? 'processor' : 'processors'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `${type()} ${major}.${minor}`,
  ].join(', ');
}
