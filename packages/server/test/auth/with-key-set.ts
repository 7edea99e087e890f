/** An identity provider on this machine: a key set behind HTTP, and tokens signed with its keys. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export const ISSUER = 'https://login.example/';
export const AUDIENCE = 'fieldseal';

/** A key of the provider. */
export interface ProviderKey {
  readonly alg: string;
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export async function providerKey(alg: string, kid: string): Promise<ProviderKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** A token as the provider makes it. */
export function providerToken(key: ProviderKey, claims: JWTPayload = {}, header: object = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const payload = { sub: 'ada', iss: ISSUER, aud: AUDIENCE, exp: now + 600, ...claims };
  return new SignJWT(payload).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey);
}

/** What the endpoint answers, changeable, and how often it was asked. */
export interface KeySetEndpoint {
  readonly url: string;
  requests: number;
  answer: (response: ServerResponse) => void;
  /** From now on these keys, as JSON. */
  publish(...keys: readonly { readonly jwk: object }[]): void;
}

export async function withKeySet<T>(work: (endpoint: KeySetEndpoint) => Promise<T>): Promise<T> {
  let server: Server | null = null;
  try {
    const endpoint: KeySetEndpoint = {
      url: '',
      requests: 0,
      answer: (response) => response.end('{"keys":[]}'),
      publish(...keys) {
        const body = JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
        endpoint.answer = (response) => response.setHeader('content-type', 'application/json').end(body);
      },
    };
    server = createServer((_request, response) => {
      endpoint.requests += 1;
      endpoint.answer(response);
    });
    const listening = server;
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
    return await work(Object.assign(endpoint, { url }));
  } finally {
    server?.closeAllConnections();
    server?.close();
  }
}
