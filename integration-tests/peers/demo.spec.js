// The demo as a visitor sees it, in a real browser. Exits with 0 when everything was as it should be; prints a JSON line per step.
//
// usage: node demo.spec.js BINARY SCREENSHOTS LANGUAGE(zh|en) SCHEME(light|dark) WIDTH
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { mkdirSync } = require('node:fs');
const readline = require('node:readline');
const { accessible, fits, inTime, launch, open, say, shoot: picture } = require('./browser.js');

const [binary, screenshots, language, scheme, width] = process.argv.slice(2);
const PATIENCE_MS = 15_000;
const SCENE_MS = 40_000;
const WATCHDOG_MS = 240_000;

const CHINESE = '8613800000001'; // a subscriber who reads Chinese
const ENGLISH = '8613800000002'; // a subscriber who reads English
const PROSPECT = '8613900000001';

const screen = (number) => `#screen-${number}`;
const received = (page, number) => page.locator(`${screen(number)} li.in .text`);

/** Starts the demo, and gives its process and the address that it prints. */
async function demo() {
  const child = spawn(binary, ['demo', '--listen', '127.0.0.1:0'], {
    env: { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR || '/tmp' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const [url] = line.match(/http:\/\/\S+\/phones/) || [];
    if (url) {
      child.stdout.resume();
      return { child, ended, url };
    }
  }
  child.kill('SIGKILL');
  throw new Error('the demo printed no address');
}

/** Rings a phone, and gives the number that called, as the form says it. */
async function ring(page, number) {
  const caller = await page.locator(`#caller-${number}`).inputValue();
  await page.locator(`#phone-${number} button.ring`).click();
  return caller;
}

/** Waits until a phone has so many messages, and gives the newest; the list may run either way, so new is what was not there. */
async function message(page, number, count) {
  const known = message.known[number] || new Set();
  await page.waitForFunction(
    ([selector, expected]) => document.querySelectorAll(selector).length >= expected,
    [`${screen(number)} li.in`, count],
    { timeout: PATIENCE_MS },
  );
  const items = await page.locator(`${screen(number)} li.in`).evaluateAll((found) =>
    found.map((item) => [item.id, item.querySelector('.text').textContent]));
  assert.equal(items.length, count, `${number} has ${items.length} messages`);
  const fresh = items.filter(([id]) => !known.has(id));
  message.known[number] = new Set(items.map(([id]) => id));
  assert.equal(fresh.length, 1, `${number}: one new message`);
  return fresh[0][1];
}
message.known = {};

async function database(page, abnormal) {
  await page.locator('#database-switch').click();
  await page.locator(`#database .state.${abnormal ? 'abnormal' : 'normal'}`).waitFor({ timeout: PATIENCE_MS });
}

const shoot = (page, name) => picture(page, screenshots, name);

async function story(page, started) {
  const caller = await ring(page, CHINESE);
  const first = await message(page, CHINESE, 1);
  const firstSms = Date.now() - started;
  assert.match(first, /^您有1个未接来电：/);
  assert.ok(first.includes(`+${caller}`), first);
  say('a missed call becomes an SMS', { milliseconds_from_start: firstSms });

  const secret = await ring(page, PROSPECT);
  const teaser = await message(page, PROSPECT, 1);
  assert.ok(!teaser.includes(secret) && !/\d{7}/.test(teaser), `a teaser holds no number: ${teaser}`);
  await page.locator(`#quick-${PROSPECT}-C`).click();
  const detail = await message(page, PROSPECT, 2);
  assert.ok(detail.includes(`+${secret}`), detail);
  say('a keyword brings the detail');

  await page.locator(`#power-${ENGLISH}`).click();
  await page.locator(`${screen(ENGLISH)} .dark`).waitFor({ timeout: PATIENCE_MS });
  const missed = await ring(page, ENGLISH);
  await page.locator(`${screen(ENGLISH)} .pending.some`).waitFor({ timeout: PATIENCE_MS });
  await shoot(page, `${language}-${scheme}-${width}-phone-off`);
  await page.locator(`#power-${ENGLISH}`).click();
  const late = await message(page, ENGLISH, 1);
  assert.match(late, /^1 missed call:/);
  assert.ok(late.includes(`+${missed}`), late);
  say('a phone that was off gets its SMS when it comes on');

  await database(page, true);
  await ring(page, PROSPECT);
  await page.locator(`#verdict-${PROSPECT} .quiet`).waitFor({ timeout: PATIENCE_MS });
  await ring(page, CHINESE);
  const fallback = await message(page, CHINESE, 2);
  assert.match(fallback, /^来电提醒：/);
  assert.equal(await received(page, PROSPECT).count(), 2, 'a prospect gets nothing');
  await shoot(page, `${language}-${scheme}-${width}-database-abnormal`);
  await accessible(page, 'database abnormal');
  await database(page, false);
  say('the database is abnormal: fallback for the subscriber, nothing for the prospect');
}

/** What a phone shows newly since a scene began, once it has come; nothing more may come in it. */
async function plays(page, scene, told) {
  const before = {};
  for (const [phone] of told) before[phone] = new Set(await page.locator(`${screen(phone)} li.in`).evaluateAll((all) => all.map(({ id }) => id)));
  await page.locator(`#scene-${scene}`).click();
  const fresh = async (phone) => {
    const all = await page.locator(`${screen(phone)} li.in`).evaluateAll((items) =>
      items.map((item) => [item.id, item.querySelector('.text').textContent]));
    // The newest is drawn first or last, as the page likes; ids count up.
    const known = all.filter(([id]) => !before[phone].has(id));
    return known.sort(([a], [b]) => Number(a.replace(/\D/g, '')) - Number(b.replace(/\D/g, ''))).map(([, text]) => text);
  };
  for (const [phone, ...texts] of told) {
    for (const end = Date.now() + SCENE_MS; (await fresh(phone)).length < texts.length;) {
      assert.ok(Date.now() < end, `${scene}: ${phone} shows only ${JSON.stringify(await fresh(phone))}`);
      await page.waitForTimeout(50);
    }
    const shown = await fresh(phone);
    assert.equal(shown.length, texts.length, `${scene}: ${phone} shows ${JSON.stringify(shown)}`);
    texts.forEach((text, place) => assert.match(shown[place], text, `${scene}: ${phone}`));
  }
  await shoot(page, `${language}-${scheme}-${width}-scene-${scene}`);
  say('a scene plays', { scene });
}

/** The scenes that the page plays by itself. */
async function scenes(page) {
  // Who rang it in vain hears that it is on again.
  await plays(page, 'phone_off', [[ENGLISH, /^3 missed calls:\n/], [CHINESE, /8613800000002/], [PROSPECT, /8613800000002/]]);
  await plays(page, 'database_dies', [[CHINESE, /^来电提醒：/, /^您有1个未接来电：/], [PROSPECT]]);
  await plays(page, 'offer', [[PROSPECT, /未接来电/, /\+8613700000001/, /QX/, /\+8613700000001/]]);
  await plays(page, 'notify', [[ENGLISH, /^1 missed call:/], [CHINESE, /8613800000002/]]);
}

/** Every way the page can look. */
async function looks(browser, url) {
  for (const lang of ['zh', 'en']) {
    for (const colorScheme of ['light', 'dark']) {
      for (const wide of [1280, 390]) {
        const name = `${lang}-${colorScheme}-${wide}`;
        const { context, page, faults } = await open(browser, `${url}?lang=${lang}`, {
          colorScheme, viewport: { width: wide, height: 900 }, deviceScaleFactor: wide < 500 ? 2 : 1,
        });
        await fits(page, name);
        await accessible(page, name);
        await shoot(page, name);
        assert.deepEqual(faults, [], name);
        await context.close();
        say('looked at', { name });
      }
    }
  }
  say('every look fits, and axe finds nothing');
}

async function withoutScripts(browser, url) {
  const { context, page } = await open(browser, url, { javaScriptEnabled: false });
  const before = await received(page, ENGLISH).count();
  await page.locator(`#phone-${ENGLISH} button.ring`).click();
  for (const end = Date.now() + PATIENCE_MS; (await received(page, ENGLISH).count()) === before;) {
    assert.ok(Date.now() < end, 'without scripts no SMS is seen');
    await page.goto(url);
  }
  await context.close();
  say('it works without scripts');
}

async function main() {
  mkdirSync(screenshots, { recursive: true });
  const started = Date.now();
  const { child, ended, url } = await demo();
  const browser = await launch();
  const visit = async () => {
    const size = { width: Number(width), height: 900 };
    const { page, context, faults } = await open(browser, `${url}?lang=${language}`, { colorScheme: scheme, viewport: size });
    await story(page, started);
    await scenes(page);
    assert.deepEqual(faults, [], 'nothing goes wrong unseen');
    await context.close();
    await looks(browser, url);
    await withoutScripts(browser, url);
  };
  try {
    await inTime(visit(), WATCHDOG_MS);
    child.kill('SIGTERM');
    assert.equal(await ended, 0, 'the demo ends with 0');
    say('done');
  } finally {
    child.kill('SIGKILL');
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
