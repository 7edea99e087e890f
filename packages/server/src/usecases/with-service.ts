/** The service opened for one command. */
import { openStore } from '../store/open-store.js';
import type { Dependencies } from './dependencies.js';
import { openService, type Service, type ServiceSettings } from './service.js';

/** Opens store and keyring, runs `work`, and closes them. @throws FieldsealError of the store and the keyring */
export async function withService<T>(
  { target, schema, keys }: Dependencies,
  settings: ServiceSettings,
  work: (service: Service) => Promise<T>,
): Promise<T> {
  const store = await openStore(target, { schema, mustExist: true });
  try {
    const { service } = await openService(store, keys, settings);
    return await work(service);
  } finally {
    await store.close();
  }
}
