/** The service opened for one command. */
import { openStore } from '../store/open-store.js';
import type { Store } from '../store/store.js';
import type { Dependencies } from './dependencies.js';
import { openService, type Service, type ServiceSettings } from './service.js';

/** Opens the store alone. @throws FieldsealError of the store */
export async function withStore<T>({ target, schema }: Dependencies, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(target, { schema, mustExist: true });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Opens store and keyring, runs `work`, and closes them. @throws FieldsealError of the store and the keyring */
export async function withService<T>(
  { target, schema, keys }: Dependencies,
  settings: ServiceSettings,
  work: (service: Service) => Promise<T>,
): Promise<T> {
  const store = await openStore(target, { schema, mustExist: true });
  try {
    const { service } = await openService(store, keys, settings);
    const result = await work(service);
    await service.repeats.close();
    return result;
  } finally {
    await store.close();
  }
}
