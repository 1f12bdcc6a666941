// The console as operators and customer care use it, in a real browser: every screen in both languages and colour schemes, and the five questions that
// it has to answer by itself. Exits with 0 when everything was as it should be; prints a JSON line per step.
//
// usage: node console.spec.js ADMIN CALLS SCREENSHOTS questions|zh|en      (a gateway with a database; users admin and viewer, password "correct horse")
'use strict';

const assert = require('node:assert/strict');
const { mkdirSync } = require('node:fs');
const { accessible, fits, inTime, launch, open, say, shoot } = require('./browser.js');

const [admin, calls, screenshots, part] = process.argv.slice(2);
const PATIENCE_MS = 15_000;
const WATCHDOG_MS = 240_000;
const SCREENS = ['flow', 'tail', 'people', 'database', 'links', 'ranges', 'texts', 'reports', 'system'];
const SUBSCRIBER = '+8613800000001';
const CALLER = '+8613911112222';

/** Reports a missed call as a feed does. */
async function miss(id, called) {
  const body = JSON.stringify({ id, caller: CALLER, called, at: new Date().toISOString(), reason: 'busy' });
  const answer = await fetch(calls, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  assert.equal(answer.status, 202, await answer.text());
}

/** A page of somebody who signed in. */
async function signedIn(browser, name, options) {
  const { context, page, faults } = await open(browser, `${admin}/flow`, options);
  await page.waitForURL(/\/login/);
  await page.locator('#name').fill(name);
  await page.locator('#password').fill('correct horse');
  await page.getByRole('button').first().click();
  await page.waitForURL(/\/flow/);
  return { context, page, faults };
}

async function until(what, found) {
  for (const end = Date.now() + PATIENCE_MS; !(await found());) {
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const text = (page) => page.locator('main').innerText();

/** Comes to a page again and again until it says this. */
async function says(page, address, pattern) {
  await until(`${address} never says ${pattern}`, async () => {
    await page.goto(`${admin}${address}`);
    return pattern.test(await text(page));
  });
}

/** Fills in a folded form and sends it. */
async function order(page, summary, fields) {
  const action = page.locator('details.action', { has: page.locator('summary', { hasText: summary }) }).first();
  await action.locator('summary').click();
  for (const [name, value] of Object.entries(fields)) {
    const field = action.locator(`[name="${name}"]`);
    if (await field.evaluate((element) => element.tagName === 'SELECT')) await field.selectOption(value);
    else await field.fill(value);
  }
  await action.locator('form button').first().click();
  await page.waitForLoadState('load');
}

/** Finds a person by the search in every page's head, and gives the address of their page. */
async function find(page, number) {
  await page.locator('header input[name="number"]').fill(number);
  await page.locator('header .find button').click();
  await page.waitForURL(/\/people\/./);
  assert.ok(!page.url().includes(number.slice(4)), `a number in an address: ${page.url()}`);
  return page.url();
}

/** 1. Is it working, and where is it stuck? */
async function working(page) {
  await says(page, '/flow', /Delivered/);
  await until('the flow never shows the call', async () => {
    const flow = await (await page.request.get(`${admin}/flow?format=json&table=stages`)).json();
    const stage = (id) => flow.find((row) => row.stage === id);
    return stage('calls').total >= 1 && stage('delivered').total >= 1 && stage('calls').today >= 1;
  });
  const drawn = await page.locator('.plot canvas').count();
  assert.ok(drawn >= 2, `${drawn} charts are drawn`);
  say('it works, and shows where calls are');
}

/** 2. Why did this customer get an SMS, or not? */
async function why(page) {
  const person = await find(page, SUBSCRIBER);
  await until('the person never shows the delivered alert', async () => {
    await page.goto(person);
    return /delivered/i.test(await text(page));
  });
  assert.ok(!(await page.content()).includes(SUBSCRIBER.slice(1)), 'the number is masked');
  await shoot(page, screenshots, 'console-person');
  await accessible(page, 'a person');
  await fits(page, 'a person');
  await page.locator('a[href*="/calls/"]').first().click();
  await page.waitForURL(/\/calls\//);
  assert.match(await text(page), /SMSC/);
  await accessible(page, 'one call');
  await fits(page, 'one call');
  await shoot(page, screenshots, 'console-call');
  say('why is answered: a person and one call');
  return person;
}

/** 3. When was the database away, and what did it cost? */
async function away(page) {
  await page.goto(`${admin}/database`);
  await order(page, 'Treat the database as abnormal', { minutes: '5', reason: 'maintenance of the test' });
  await says(page, '/database', /maintenance of the test/);
  await miss('while-away', SUBSCRIBER);
  await until('no fallback is counted', async () => {
    const rows = await (await page.request.get(`${admin}/database?format=json&table=outages`)).json();
    return rows.length === 1 && rows[0].fallbacks === 1;
  });
  await shoot(page, screenshots, 'console-database-away');
  await accessible(page, 'the database away');
  await page.goto(`${admin}/database`);
  await order(page, 'End the forced state', { reason: 'done' });
  await says(page, '/database', /1 fallback/);
  say('the database was away, and it cost one fallback');
}

/** 4. Which link is bad, and who closed it? */
async function bad(page) {
  await page.goto(`${admin}/links`);
  await order(page, 'Drain, unbind or bind anew', { what: 'unbind', minutes: '10', reason: 'the SMSC is moved' });
  await says(page, '/links', /away/i);
  await until('it is not said who closed the link', async () => {
    const rows = await (await page.request.get(`${admin}/links?format=json&table=link-table`)).json();
    return rows.length === 1 && rows[0].closed_by === 'us' && rows[0].away_until !== null;
  });
  await shoot(page, screenshots, 'console-link-away');
  await accessible(page, 'a link away');
  await page.goto(`${admin}/links`);
  await order(page, 'Drain, unbind or bind anew', { what: 'rebind', reason: 'moved' });
  await says(page, '/links', /bound/);
  say('which link is bad, and who closed it');
}

/** 5. How many this month? */
async function many(page) {
  await until('the report never counts both calls', async () => {
    const report = await page.request.get(`${admin}/reports?format=json&table=report`);
    if (!report.ok()) return false;
    const rows = await report.json();
    const totals = rows.at(-1);
    return totals && Number(totals.calls) === 2;
  });
  say('how many this month');
}

/** What was done stands in the audit log with its reason. */
async function noted(page) {
  const audit = await (await page.request.get(`${admin}/v1/audit?limit=50`)).json();
  const reasons = audit.entries.map(({ reason }) => reason);
  for (const reason of ['maintenance of the test', 'done', 'the SMSC is moved', 'moved', 'a customer asks']) {
    assert.ok(reasons.includes(reason), `${reason} is not in ${JSON.stringify(reasons)}`);
  }
  say('what was done is noted');
}

/** Numbers are shown after a reason, and hidden again. */
async function numbers(page, person) {
  await page.goto(person);
  const form = page.locator('form[action="/unmask"]').first();
  await page.locator('details', { has: page.locator('form[action="/unmask"]') }).locator('summary').first().click();
  await form.locator('[name="reason"]').fill('a customer asks');
  await form.locator('button').click();
  await page.waitForURL(/\/people\//);
  assert.ok((await page.content()).includes(SUBSCRIBER), 'the number is shown');
  const hide = page.locator('form[action="/mask"] button').first();
  await hide.click();
  await page.waitForLoadState('load');
  await page.goto(person);
  assert.ok(!(await page.content()).includes(SUBSCRIBER.slice(1)), 'the number is hidden again');
  say('numbers are shown for a reason, and hidden again');
}

/** Every screen in one language: on a desk in one colour scheme, on a phone in the other. */
async function looks(browser, lang) {
  const [desk, phone] = lang === 'zh' ? ['light', 'dark'] : ['dark', 'light'];
  for (const [colorScheme, width] of [[desk, 1280], [phone, 390]]) {
    const size = { colorScheme, viewport: { width, height: 900 }, deviceScaleFactor: width < 500 ? 2 : 1 };
    const { context, page, faults } = await signedIn(browser, 'admin', size);
    for (const screen of SCREENS) {
      const name = `console-${screen}-${lang}-${colorScheme}-${width}`;
      await page.goto(`${admin}/${screen}?lang=${lang}`, { waitUntil: 'load' });
      assert.equal(await page.locator('h1').count(), 1, name);
      await fits(page, name);
      await accessible(page, name);
      await shoot(page, screenshots, name);
    }
    assert.deepEqual(faults, [], `${lang} ${colorScheme} ${width}`);
    await context.close();
    say('looked at', { lang, colorScheme, width });
  }
}

/** A viewer looks and changes nothing. */
async function viewer(browser) {
  const { context, page } = await signedIn(browser, 'viewer', {});
  for (const screen of SCREENS) {
    await page.goto(`${admin}/${screen}`);
    assert.equal(await page.locator('details.action form[method="post"]').count(), 0, `a viewer is offered an action at /${screen}`);
  }
  const refused = await page.request.post(`${admin}/database/force`, { form: { minutes: '1', reason: 'x' } });
  assert.equal(refused.status(), 403);
  await page.locator('form[action="/logout"] button').click();
  await page.waitForURL(/\/login/);
  await page.goto(`${admin}/flow`);
  await page.waitForURL(/\/login/);
  await accessible(page, 'signing in');
  await shoot(page, screenshots, 'console-login');
  await context.close();
  say('a viewer looks, and changes nothing');
}

/** By the keyboard alone: the first stop leads past the head, and a folded form opens and takes its fields. */
async function keyboard(page) {
  await page.goto(`${admin}/database`);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  for (let stops = 0; stops < 60; stops += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement.matches('.action.danger > summary'))) break;
  }
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.name), 'minutes');
  say('it works by the keyboard');
}

/** The stream that keeps a page live says so, and changes the page. */
async function live(page) {
  await page.goto(`${admin}/flow`);
  await page.locator('#link[data-state="live"]').waitFor({ timeout: PATIENCE_MS });
  await miss('seen-live', '+8613800000002');
  await page.locator('#stage-calls').filter({ hasText: /0\.\d*[1-9]/ }).waitFor({ timeout: PATIENCE_MS });
  say('the flow is live');
}

async function main() {
  mkdirSync(screenshots, { recursive: true });
  const browser = await launch();
  const questions = async () => {
    const { context, page, faults } = await signedIn(browser, 'admin', { viewport: { width: 1280, height: 900 } });
    await working(page);
    const person = await why(page);
    await numbers(page, person);
    await away(page);
    await bad(page);
    await many(page);
    await noted(page);
    await keyboard(page);
    await live(page);
    assert.deepEqual(faults, [], 'nothing goes wrong unseen');
    await context.close();
    await viewer(browser);
  };
  const visit = async () => {
    await miss('first', SUBSCRIBER);
    await (part === 'questions' ? questions() : looks(browser, part));
  };
  try {
    await inTime(visit(), WATCHDOG_MS);
    say('done');
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
