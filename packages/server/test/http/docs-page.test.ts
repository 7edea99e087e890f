/** The page of the API's description in a real browser: Debian's Chromium, which `.ci/run` installs. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onSqlite, type RunningService, withService } from './with-service.ts';

const CHROMIUM = '/usr/bin/chromium';
const hasBrowser = existsSync(CHROMIUM) || process.env['CI'] === 'true';
const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic'];

let browser: Browser | undefined;
/** Where the browser leaves what it would leave in somebody's home. */
let home = '';
beforeAll(async () => {
  if (!hasBrowser) return;
  home = await mkdtemp(join(tmpdir(), 'fieldseal-browser-'));
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    env: { PATH: process.env['PATH'] ?? '', HOME: home },
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', ...QUIET],
  });
});
afterAll(async () => {
  await browser?.close();
  if (home) await rm(home, { recursive: true, force: true, maxRetries: 5 });
});

/** Opens the page; `complaints` is what the browser says of it: errors, what its policy refused, and who else was asked. */
async function withPage(work: (page: Page, service: RunningService) => Promise<void>, width = 1280): Promise<void> {
  await withService(onSqlite, {}, async (service) => {
    const page = await (browser as Browser).newPage({ viewport: { width, height: 900 }, isMobile: width < 500 });
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on('request', (request) => {
      const isOurs = request.url().startsWith(`${service.url}/`) || request.url().startsWith('data:');
      if (!isOurs) complaints.push(`asked ${request.url()}`);
    });
    try {
      await page.goto(`${service.url}/docs`);
      await page.locator('.opblock').first().waitFor();
      await work(page, service);
      expect(complaints).toEqual([]);
    } finally {
      await page.close();
    }
  });
}

it.skipIf(!hasBrowser)('shows every operation in its group, without asking anybody else', () =>
  withPage(async (page, service) => {
    const { body } = await service.request('GET', '/openapi.json');
    const summaries = Object.values<Record<string, { summary: string }>>(body.paths).flatMap((operations) =>
      Object.values(operations).map(({ summary }) => summary),
    );
    const shown = await page.locator('.opblock-summary-description').allInnerTexts();
    expect(shown.toSorted()).toEqual(summaries.toSorted());
    expect(await page.title()).toBe('Fieldseal');
    expect(await page.locator('h3.opblock-tag').allInnerTexts()).toEqual(['API keys', 'Audit log', 'Rotation']);
  }),
);

it.skipIf(!hasBrowser)('tells of an operation what it takes and answers, by keyboard and on a narrow screen too', () =>
  withPage(async (page) => {
    const summary = page.getByRole('button', { name: '/keys/verify' }).first();
    await summary.focus();
    await page.keyboard.press('Enter');
    const operation = page.locator('.opblock.is-open');
    await operation.getByText('Responses').waitFor();
    const statuses = await operation.locator('.responses-inner td.response-col_status').allInnerTexts();
    expect(statuses.map((text) => text.trim())).toEqual(
      expect.arrayContaining(['200', '400', '401', '403', '415', '429']),
    );
    expect(await operation.innerText()).toContain('"key": "string"');
    expect(await operation.innerText()).not.toContain('Default Response');
    expect(await page.evaluate('[innerWidth, document.documentElement.scrollWidth]')).toEqual([390, 390]);
  }, 390),
);

it.skipIf(!hasBrowser)('sends a request with a token that was given to it', () =>
  withPage(async (page, service) => {
    const token = await service.token('7');
    await page.getByRole('button', { name: 'Authorize' }).first().click();
    await page.getByLabel('auth-bearer-value').fill(token);
    await page.locator('.auth-btn-wrapper').getByRole('button', { name: 'Apply credentials' }).click();
    await page.locator('.auth-btn-wrapper').getByRole('button', { name: 'Close' }).click();
    await page.locator('.opblock-get').filter({ hasText: 'List API keys' }).locator('.opblock-summary-control').click();
    const operation = page.locator('.opblock.is-open');
    await operation.getByRole('button', { name: 'Try it out' }).click();
    await operation.getByRole('button', { name: 'Execute' }).click();
    await operation.locator('.live-responses-table .response-col_status').filter({ hasText: '200' }).waitFor();
  }),
);
