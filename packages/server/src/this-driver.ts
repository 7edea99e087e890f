/** How this process names itself as the driver of a run, and finds out whether another such process is gone. */
import { hostname } from 'node:os';
import { Secret } from 'fieldseal';
import type { Driver } from './usecases/dependencies.js';

/** `host:pid:random`. A process that has ended on this host holds no lease, however much of it is left. */
export function thisDriver(): Driver {
  const host = hostname();
  return {
    owner: `${host}:${process.pid}:${Secret.random(8).reveal().toString('hex')}`,
    isGone(owner) {
      const [ownerHost, pid] = owner.split(':');
      if (ownerHost !== host) return false;
      try {
        process.kill(Number(pid), 0);
        return false;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'ESRCH';
      }
    },
  };
}
