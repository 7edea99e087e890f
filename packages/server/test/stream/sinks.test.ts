import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileSink } from '../../src/stream/file-sink.js';
import { webhookSink } from '../../src/stream/webhook-sink.js';

const SECRET = 'a secret of more than thirty-two bytes';
const running = new AbortController().signal;

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'fieldseal-stream-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A server that notes what it gets, and answers with a status. */
async function withHook(
  status: number,
  work: (url: string, got: { headers: IncomingHttpHeaders; body: string; path: string }[]) => Promise<void>,
): Promise<void> {
  const got: { headers: IncomingHttpHeaders; body: string; path: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk;
    });
    request.on('end', () => {
      got.push({ headers: request.headers, body, path: request.url ?? '' });
      response.writeHead(status, { location: '/elsewhere' }).end('thanks');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=t`, got);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('a file', () => {
  it('gets lines behind those that it has, is its owner’s alone, and ends a line that was torn', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'audit.ndjson');
      const sink = fileSink(path);
      await sink.deliver('{"id":1}\n', running);
      await sink.deliver('{"id":2}\n', running);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      writeFileSync(path, '{"id":3', { flag: 'a' });
      await sink.deliver('{"id":3}\n', running);
      expect(readFileSync(path, 'utf8')).toBe('{"id":1}\n{"id":2}\n{"id":3\n{"id":3}\n');
      expect(sink.about).toEqual({ kind: 'file', to: 'audit.ndjson' });
    }));

  it('that cannot be written is tried again', () =>
    withFolder(async (folder) => {
      await expect(fileSink(folder).deliver('x\n', running)).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        message: expect.stringMatching(/^The file fieldseal-stream-\S+ cannot be written \(EISDIR\)\.$/),
      });
    }));

  it('in a folder that does not exist is a mistake, and not tried', () => {
    expect(() => fileSink('/no/such/audit.ndjson')).toThrow('The folder of the file audit.ndjson does not exist.');
  });
});

describe('a webhook', () => {
  it('gets the lines with a signature over time and body', () =>
    withHook(204, async (url, got) => {
      const sink = webhookSink({ url, secret: SECRET, nowMs: () => 1_767_225_600_999 });
      await sink.deliver('{"id":1}\n', running);
      const mac = createHmac('sha256', SECRET).update('1767225600.{"id":1}\n').digest('hex');
      expect(got).toMatchObject([
        {
          body: '{"id":1}\n',
          headers: { 'content-type': 'application/x-ndjson', 'fieldseal-signature': `t=1767225600,v1=${mac}` },
        },
      ]);
      expect(JSON.stringify(sink.about)).not.toContain('token');
    }));

  it.each([302, 307, 400, 500])('that answers %s has not got them, and is not followed', (status) =>
    withHook(status, async (url, got) => {
      await expect(webhookSink({ url, secret: SECRET }).deliver('x\n', running)).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        message: `The webhook at ${new URL(url).host} answered ${status}.`,
      });
      expect(got.map(({ path }) => path)).toEqual(['/hook?token=t']);
    }),
  );

  it('that is not there is tried again, and not waited for when the process ends', async () => {
    const sink = webhookSink({ url: 'http://127.0.0.1:1/', secret: SECRET });
    await expect(sink.deliver('x\n', running)).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
    await expect(sink.deliver('x\n', AbortSignal.abort())).rejects.toMatchObject({ code: 'ERR_RUN_STOPPED' });
  });

  it.each([
    ['http://example.com/', /^The address of the webhook must begin with https:/],
    ['http://127.0.0.1.example.com/', /must begin with https:/],
    ['ftp://localhost/', /must begin with https:/],
    ['https://user:word@example.com/', /must hold no user and no password\.$/],
    ['example.com', /is not a URL\.$/],
  ])('at %s is refused', (url, message) => {
    expect(() => webhookSink({ url, secret: SECRET })).toThrow(message);
  });

  it('needs a secret that nobody guesses', () => {
    expect(() => webhookSink({ url: 'https://example.com/', secret: 'short' })).toThrow(
      'AUDIT_WEBHOOK_SECRET must have at least 32 bytes.',
    );
  });
});
