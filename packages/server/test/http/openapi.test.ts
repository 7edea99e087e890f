/** The description of the API: whole, unambiguous, and about every route that there is. */
import { expect, test } from 'vitest';
import { apiDocument, operationsOf } from './openapi-document.ts';
import { appOnSqlite } from './with-app.ts';

test('/openapi.json is OpenAPI 3.1: each operation has an id of its own, a summary, security, and its answers', () =>
  appOnSqlite({}, async (app) => {
    const api = await apiDocument(app);
    expect(api.openapi).toMatch(/^3\.1\.\d$/);
    expect(api.info).toMatchObject({ title: expect.any(String), version: '0.0.0' });
    expect(api.components.securitySchemes.bearer).toEqual({ type: 'http', scheme: 'bearer' });
    // What it refers to, it has.
    for (const [, path] of JSON.stringify(api).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const target = (path as string).split('/').reduce((part, name) => part?.[name], api);
      expect([path, target]).toEqual([path, expect.any(Object)]);
    }
    const operations = await operationsOf(app);
    expect(operations.length).toBeGreaterThanOrEqual(12);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const operation of operations) {
      const name = `${operation.method} ${operation.path}`;
      expect([name, operation.operationId]).toEqual([name, expect.stringMatching(/^[a-z][A-Za-z]+$/)]);
      expect([name, operation.summary]).toEqual([name, expect.stringMatching(/^\S.{9,}/)]);
      expect([name, operation.security]).toEqual([name, [{ bearer: [] }]]);
      const inPath = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect([name, declared.map((parameter) => parameter.name)]).toEqual([name, inPath]);
      expect([name, declared.every(({ required }) => required)]).toEqual([name, true]);
      const statuses = Object.keys(operation.responses);
      // Where a request can be repeated, the second answer has a status of its own, and so has another request under the same key.
      const isOnce = operation.parameters?.some((parameter) => parameter.name === 'idempotency-key') === true;
      const good = isOnce ? ['200', '201'] : [expect.any(String)];
      expect([name, statuses.filter((status) => status.startsWith('2'))]).toEqual([name, good]);
      expect([name, statuses.includes('422')]).toEqual([name, isOnce]);
      for (const status of ['400', '401', '403', '429', '500', '503'])
        expect([name, statuses]).toEqual([name, expect.arrayContaining([status])]);
      for (const [status, response] of Object.entries(operation.responses)) {
        expect([name, status, response.description]).toEqual([
          name,
          expect.stringMatching(/^\d{3}$/),
          expect.any(String),
        ]);
        if (status < '400') continue;
        const schema = response.content?.['application/problem+json']?.schema;
        expect([name, status, schema?.title]).toEqual([name, status, 'Problem']);
      }
    }
  }));
