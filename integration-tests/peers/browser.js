// A real browser, and what every page must stand: nothing fetched from elsewhere, nothing wider than the window, nothing for axe to find.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { AxeBuilder } = require('@axe-core/playwright');
const { chromium } = require('playwright-core');

const launch = () => chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });

/** A JSON line per step, so that a test that fails shows how far it came. */
const say = (step, more = {}) => console.log(JSON.stringify({ step, ...more }));

/** A page in which nothing may go wrong unseen, and nothing may be fetched from elsewhere. */
async function open(browser, url, options) {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (entry) => entry.type() === 'error' && faults.push(entry.text()));
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(url).host) faults.push(`asked ${request.url()}`);
  });
  await page.goto(url, { waitUntil: 'load' });
  return { context, page, faults };
}

async function accessible(page, where) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const told = violations.map((v) => ({ rule: v.id, help: v.help, nodes: v.nodes.map((n) => n.html.slice(0, 160)) }));
  assert.deepEqual(told, [], `axe, ${where}`);
}

async function fits(page, where) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(overflow <= 0, `${where}: the page is ${overflow} px wider than the window`);
}

const shoot = (page, folder, name) => page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });

/** Whatever hangs ends in time. */
function inTime(work, milliseconds) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

module.exports = { accessible, fits, inTime, launch, open, say, shoot };
