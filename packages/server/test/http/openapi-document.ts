/** The API's description as tests walk it. */
import { expect } from 'vitest';
import type { AppUnderTest } from './with-app.ts';

/** A JSON schema, as far as tests look into it. */
export interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly title?: string;
}

type Content = Readonly<Record<string, { readonly schema?: JsonSchema }>>;

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: JsonSchema;
}

export interface Operation {
  readonly method: string;
  /** With `{id}` where parameters go. */
  readonly path: string;
  readonly operationId?: string;
  readonly summary?: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

// biome-ignore lint/suspicious/noExplicitAny: the document of which a test looks at any part
export async function apiDocument(app: AppUnderTest): Promise<any> {
  const { status, body } = await app.request('GET', '/openapi.json');
  expect(status).toBe(200);
  return body;
}

/** Every operation of the document. */
export async function operationsOf(app: AppUnderTest): Promise<Operation[]> {
  const { paths } = await apiDocument(app);
  return Object.entries(paths as Record<string, Record<string, object>>).flatMap(([path, operations]) =>
    Object.entries(operations).map(
      ([method, operation]) => ({ ...operation, method: method.toUpperCase(), path }) as Operation,
    ),
  );
}
