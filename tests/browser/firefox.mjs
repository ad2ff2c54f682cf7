// A reader in Firefox: changes a number, asks for a next word, runs a cell, fails an exercise and solves it. What was seen is printed as JSON.
//
//   node tests/browser/firefox.mjs FOLDER_OF_PUPPETEER FIREFOX '{"address": ..., "pages": {...}, "wrong": ..., "right": ...}'
//
// Puppeteer drives Firefox as Debian has it, by the standard WebDriver BiDi; Playwright would need a Firefox of its own.
import { createRequire } from "node:module";

const [folder, firefox, text] = process.argv.slice(2);
const puppeteer = createRequire(`${folder}/`)("puppeteer-core");
const asked = JSON.parse(text);
const browser = await puppeteer.launch({ browser: "firefox", executablePath: firefox, headless: true });
const seen = { faults: [] };

async function opened(name) {
  const page = await browser.newPage();
  page.setDefaultTimeout(90_000);
  page.on("pageerror", (error) => seen.faults.push(`script: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && seen.faults.push(`console: ${message.text()}`));
  page.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol.startsWith("http") && hostname !== "127.0.0.1") seen.faults.push(`asked another machine: ${request.url()}`);
  });
  await page.goto(`${asked.address}/${name}`, { waitUntil: "load" });
  return page;
}

const textOf = (page, selector) => page.$eval(selector, (e) => e.textContent);
async function pressed(page, selector, words) {
  const button = (selector, words) => [...document.querySelectorAll(selector)].find((each) => each.textContent.includes(words)) ?? null;
  await page.waitForFunction(button, {}, selector, words);
  await page.evaluate((selector, words) => [...document.querySelectorAll(selector)].find((each) => each.textContent.includes(words)).click(), selector, words);
}

try {
  let page = await opened(asked.pages.numbers);
  await pressed(page, ".mlstep .bar button", "Change a number");
  await page.waitForSelector(".mlstep .change input");
  const loss = () => page.$eval(".mlstep .change", (e) => e.textContent.match(/ = (\S+), ∂/)?.[1]);
  await page.focus(".mlstep .change input");
  const before = await loss();
  await page.keyboard.press("ArrowUp");
  await page.waitForFunction((old) => document.querySelector(".mlstep .change").textContent.match(/ = (\S+), ∂/)?.[1] !== old, {}, before);
  seen.losses = [before, await loss()];
  await page.waitForFunction(() => location.hash.startsWith("#steps1~")); // it is written once the numbers rest
  seen.address = await page.evaluate("location.hash");

  page = await opened(asked.pages.attention);
  await page.waitForSelector(asked.words);
  const words = await page.$$eval(asked.words, (all) => all.map((e) => e.textContent));
  await page.click(asked.words);
  await page.waitForFunction((selector, old) => document.querySelector(selector).textContent !== old, {}, asked.words, words[0]);
  seen.words = [words[0], await textOf(page, asked.words)];

  page = await opened(asked.pages.cell);
  const cell = `#cell-${asked.cell}`;
  const committed = await textOf(page, `${cell} .cell_output`);
  await page.waitForSelector(`${cell} .live-button`);
  await page.click(`${cell} .live-button`);
  await page.waitForFunction((cell) => /^(Done|It failed)/.test(document.querySelector(`${cell} .live-status`).textContent), {}, cell);
  seen.cell = [committed, await textOf(page, `${cell} .live-output`)];

  page = await opened(asked.pages.exercise);
  await page.waitForSelector(".exercise-desk textarea");
  seen.messages = [];
  for (const answer of [asked.wrong, asked.right]) {
    await page.$eval(".exercise-desk textarea", (e, answer) => {
      e.value = answer;
      e.dispatchEvent(new Event("input", { bubbles: true }));
    }, answer);
    await pressed(page, ".exercise-desk button", "Check");
    const points = `${answer === asked.wrong ? 0 : asked.points} of ${asked.points} points`;
    await page.waitForFunction((points) => document.querySelector(".exercise-result").textContent.includes(points), {}, points);
    seen.messages.push(await textOf(page, ".exercise-desk"));
  }
} catch (error) {
  seen.faults.push(String(error));
}
await browser.close();
console.log(JSON.stringify(seen));
