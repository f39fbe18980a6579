// A person's own pages: apps with their lock, sessions, second factor, recovery codes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axeProblems, Environment, startBrowser, totp } from "./support.js";

const WINDOWS =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

/** @type {Environment} */
let environment;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {any} Somebody without a trusted device. */
let person;
/** @type {import("playwright-core").Page} */
let page;
/** @type {string[]} */
const complaints = [];

before(async () => {
  environment = await Environment.start();
  browser = await startBrowser();
  person = environment.endpoints.users.find(
    (/** @type {any} */ one) =>
      one.totp_secret && one.principal !== environment.endpoints.admin.user,
  );
  await environment.dtctl("factor", "reset", person.principal, "--yes");
  await environment.dtctl("self-enrollment", "on");
  page = await signedIn();
});

after(async () => {
  await browser?.close();
  await environment?.stop();
  assert.deepEqual(complaints, []);
});

/** A browser of its own, signed in at the org host by keyboard alone. */
async function signedIn() {
  // Apps whose rules ask for Windows are for this person, too.
  const context = await browser.newContext({ ignoreHTTPSErrors: true, userAgent: WINDOWS });
  context.setDefaultTimeout(15_000);
  const theirs = await context.newPage();
  theirs.on("pageerror", (error) => complaints.push(String(error)));
  await theirs.goto(environment.endpoints.org_url);
  await theirs.getByLabel("User name").focus();
  await theirs.keyboard.type(person.principal);
  await theirs.keyboard.press("Tab");
  await theirs.keyboard.type(person.password);
  await theirs.keyboard.press("Enter");
  await theirs.getByRole("heading", { name: "Your apps" }).waitFor();
  return theirs;
}

/** @param {string} path */
const at = (path) => page.goto(environment.endpoints.org_url + path);

test("apps are found as one types, and a secured one is locked once it was tried", async () => {
  const apps = page.getByRole("list").filter({ has: page.locator(".tile") });
  await apps.first().waitFor();
  assert.equal(await page.getByText("Locked").count(), 0);
  const search = page.getByLabel("Search apps");
  await search.fill("no app is called this");
  await page.getByText("No app has that in its name.").waitFor();
  await search.fill("");
  const secured = environment.endpoints.apps.find(
    (/** @type {any} */ app) => app.device_trust === "trusted" && app.protocol === "saml2",
  );
  const name = secured.label ?? secured.id;
  await page
    .getByRole("link", { name: new RegExp(name, "i") })
    .first()
    .press("Enter");
  await page.locator("code").first().waitFor();
  await at("/");
  await page.getByText("Locked").first().waitFor();
  await page.getByText("It opens only on devices that your organization trusts").waitFor();
});

test("a person sees where they are signed in, and ends one session from another", async () => {
  const other = await signedIn();
  await at("/sessions");
  await page.getByText("This session").waitFor();
  const end = page.getByRole("button", { name: /^End the session of/ });
  assert.equal(await end.count(), 1);
  await end.press("Enter");
  await end.waitFor({ state: "detached" });
  await other.waitForFunction(async () => (await fetch("/dashboard/version")).status === 401);
  await other.context().close();
});

test("an authenticator is set up by key, and its recovery codes are shown once", async () => {
  await at("/second-factor");
  await page.getByRole("button", { name: "Set up an authenticator app" }).press("Enter");
  await page.locator(".qr svg").waitFor();
  await page.getByText("Can't scan it?").press("Enter");
  const key = (await page.locator("details code").innerText()).replaceAll(" ", "");
  const code = page.getByLabel("Six digits that the app shows now");
  const right = totp(key, Math.floor(Date.now() / 30_000));
  await code.fill(right === "000000" ? "000001" : "000000");
  await code.press("Enter");
  await page.locator("[aria-invalid=true]").waitFor();
  await code.fill(totp(key, Math.floor(Date.now() / 30_000)));
  await code.press("Enter");
  await page.getByRole("heading", { name: "Your second factor is set up" }).waitFor();
  assert.equal(await page.locator(".codes li").count(), 10);
  assert.deepEqual(await axeProblems(page), [], "recovery codes");
  await page.getByRole("link", { name: "Go to your apps" }).press("Enter");
  await page.getByRole("heading", { name: "Your apps" }).waitFor();
  await at("/second-factor");
  await page.getByText("You have 10 recovery codes left").waitFor();
});

test("no such page has a serious finding of axe, in any colours, wide and at 360 px", async () => {
  for (const colours of [
    { colorScheme: /** @type {const} */ ("light") },
    { colorScheme: /** @type {const} */ ("dark") },
    { forcedColors: /** @type {const} */ ("active") },
  ]) {
    await page.emulateMedia({ colorScheme: null, forcedColors: null, ...colours });
    for (const width of [1200, 360]) {
      await page.setViewportSize({ width, height: 800 });
      for (const path of ["/", "/sessions", "/second-factor", "/downloads", "/signout"]) {
        await at(path);
        await page.locator("h1").first().waitFor();
        const where = `${path}, ${JSON.stringify(colours)}, ${width} px`;
        assert.deepEqual(await axeProblems(page), [], where);
        const over = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        assert.ok(over <= 0, `${over} px too wide: ${where}`);
      }
    }
  }
});
