// Pages of the console that came later: adding and editing an app, event hooks, the doctor.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axeProblems, Codes, Environment, goTo, openConsole, startBrowser } from "./support.js";

/** @type {Environment} */
let environment;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("playwright-core").Page} */
let page;
/** @type {string[]} */
const complaints = [];

before(async () => {
  environment = await Environment.start();
  browser = await startBrowser();
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(15_000);
  page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text()))
      complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  const { admin } = environment.endpoints;
  await openConsole(page, admin, new Codes(admin.totp_secret));
});

after(async () => {
  await browser?.close();
  await environment?.stop();
  assert.deepEqual(complaints, []);
});

/** @param {string | RegExp} name */
const button = (name) => page.getByRole("button", { name });
/** @param {string} part */
const at = (part) => page.goto(`${environment.endpoints.admin.url}#/${part}`);

/** Of a service provider. @param {string} entityId @param {string} acs */
const metadata = (entityId, acs) =>
  `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${entityId}">
  <SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
  <AssertionConsumerService index="0" Location="${acs}"
  Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"/></SPSSODescriptor></EntityDescriptor>`;

/** @param {string} name @param {string} text */
const choose = (name, text) =>
  page
    .getByLabel(/etadata/)
    .setInputFiles({ name, mimeType: "application/xml", buffer: Buffer.from(text) });

test("an app is added by its metadata, looked at before it is there", async () => {
  await goTo(page, "Apps");
  await page.getByRole("link", { name: "Add an app" }).click();
  await page.getByRole("heading", { name: "Add an app" }).waitFor();
  assert.ok(await button("Add the app").isDisabled());
  await choose(
    "My Tracker.xml",
    metadata("https://tracker.example/sp", "https://tracker.example/acs"),
  );
  await button("Preview").click();
  const preview = page.getByRole("region", { name: "my-tracker (my-tracker)" });
  await preview.getByText("https://tracker.example/acs").waitFor();
  await preview.getByText("everybody may sign in to it").waitFor();
  assert.ok(!(await environment.dtctl("app", "list")).includes("my-tracker"));
  // What is changed after the look is looked at again.
  await page.getByLabel("Name that people see").fill("Tracker");
  assert.ok(await button("Add the app").isDisabled());
  await button("Preview").click();
  await button("Add the app").click();
  await page.getByRole("heading", { level: 1, name: "Tracker" }).waitFor();
  assert.match(await environment.dtctl("app", "list"), /my-tracker/);
});

test("what the org refuses is said at its field", async () => {
  await at("apps/+new");
  await choose("page.html", "<html></html>");
  await button("Preview").click();
  const file = page.getByLabel(/^Metadata/);
  await page.locator("[aria-invalid=true]").waitFor();
  assert.equal(await file.getAttribute("aria-invalid"), "true");
  await choose("good.xml", metadata("https://other.example/sp", "https://other.example/acs"));
  const id = page.getByLabel("Address part");
  await id.fill("Not An Id");
  await button("Preview").click();
  await page.getByText("1 to 64 lower-case letters").waitFor();
  assert.equal(await id.getAttribute("aria-invalid"), "true");
  assert.ok(await id.evaluate((input) => input === document.activeElement));
  assert.equal(await file.getAttribute("aria-invalid"), null);
});

test("an app is edited by keyboard alone, and keeps what its metadata said", async () => {
  await at("apps/my-tracker");
  await page.getByRole("link", { name: "Edit the app" }).press("Enter");
  await page.getByRole("heading", { name: "Edit Tracker" }).waitFor();
  const label = page.getByLabel("Name that people see");
  await label.focus();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("Issues");
  await page.getByLabel("Signed is").selectOption("SAML_SIGNED_PART_BOTH");
  await label.press("Enter");
  await page.getByText("its registration is replaced, its rules stay").waitFor();
  await button("Save the app").press("Enter");
  await page.getByRole("heading", { level: 1, name: "Issues" }).waitFor();
  const shown = await environment.dtctl("app", "show", "my-tracker", "--json");
  assert.match(shown, /SAML_SIGNED_PART_BOTH/);
  assert.match(shown, /https:\/\/tracker\.example\/acs/);
});

test("a WS-Federation app is described by hand", async () => {
  await at("apps/+new");
  await page.getByLabel("A WS-Federation app, described by hand").check();
  assert.ok(await page.getByLabel("People are named by").isHidden());
  await page.getByLabel("Address part").fill("crm-two");
  await page.getByLabel("Name that people see").fill("CRM 2");
  await page.getByLabel("Realm").fill("urn:example:crm-two");
  await page.getByLabel(/^Reply addresses/).fill("http://crm.example/");
  await button("Preview").click();
  await page.locator("[aria-invalid=true]").waitFor();
  await page.getByLabel(/^Reply addresses/).fill("https://crm.example/\nhttps://crm.example/b");
  await button("Preview").click();
  await page.getByText("https://crm.example/b").last().waitFor();
  await button("Add the app").click();
  await page.getByRole("heading", { level: 1, name: "CRM 2" }).waitFor();
});

test("a hook is added with its key shown once, paused, and removed by name", async () => {
  await goTo(page, "Event hooks");
  await page.getByText("No hook yet.").waitFor();
  await button("Add hook…").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel(/^Name/).fill("siem");
  await dialog.getByLabel("Address of the receiver").fill("https://siem.example.com/events");
  await dialog.getByLabel(/^Filter/).fill("nonsense eq");
  await dialog.getByRole("button", { name: "Add hook" }).click();
  await dialog.getByText("MALFORMED_REQUEST").waitFor();
  await dialog.getByLabel(/^Filter/).fill('eventType sw "pki."');
  await dialog.getByRole("button", { name: "Add hook" }).click();
  const told = page.getByRole("dialog", { name: "siem is added" });
  assert.match(await told.locator(".secret").innerText(), /^[0-9a-f]{64}$/);
  await told.getByRole("button", { name: "I have it" }).click();
  await button("Pause siem").click();
  await page.getByText("Paused", { exact: true }).waitFor();
  assert.ok(!(await page.content()).match(/[0-9a-f]{64}/));
  await button("Remove… siem").click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove siem" }).click();
  await page.getByText("No hook yet.").waitFor();
});

test("the doctor names the first check that fails, with what to do", async () => {
  await goTo(page, "Doctor");
  await page.getByLabel("About").selectOption("user");
  await page.getByLabel("Code, principal or id").fill("nobody@corp.test");
  await button("Diagnose").click();
  await page.getByText("Do this first:").waitFor();
  assert.ok((await page.locator(".checks > li").count()) > 5);
  const { principal } = environment.endpoints.devices.find(
    (/** @type {any} */ one) => one.state === "enrolled",
  );
  await page.getByLabel("Code, principal or id").fill(principal);
  await button("Diagnose").click();
  await page.getByRole("heading", { name: "Certificates" }).waitFor();
  await page.getByRole("heading", { name: "Events" }).waitFor();
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
      for (const [part, title] of [
        ["apps/+new", "Add an app"],
        ["apps/my-tracker/edit", "Edit Issues"],
        ["hooks", "Event hooks"],
        ["doctor/user/nobody", "Doctor"],
      ]) {
        await at(part);
        await page.getByRole("heading", { level: 1, name: title }).waitFor();
        const where = `${part}, ${JSON.stringify(colours)}, ${width} px`;
        assert.deepEqual(await axeProblems(page), [], where);
        const over = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        assert.ok(over <= 0, `${over} px too wide: ${where}`);
      }
    }
  }
});
