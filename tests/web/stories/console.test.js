import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { axeProblems, Codes, Environment, goTo, openConsole, startBrowser } from "./support.js";

/** @type {Environment} */
let environment;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Codes} */
let codes;
/** @type {import("playwright-core").Page} One administrator, through all stories. */
let page;
/** @type {string[]} */
const complaints = [];

before(async () => {
  environment = await Environment.start();
  browser = await startBrowser();
  codes = new Codes(environment.endpoints.admin.totp_secret);
  const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: false });
  context.setDefaultTimeout(15_000);
  page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text()))
      complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await openConsole(page, environment.endpoints.admin, codes);
});

after(async () => {
  await browser?.close();
  await environment?.stop();
  assert.deepEqual(complaints, []);
});

/** A button of the page or of the dialog that is open. @param {string | RegExp} name */
const button = (name) => page.getByRole("button", { name });

test("Device Trust that rules use goes off by force alone, with their list", async () => {
  await goTo(page, "Settings");
  await button("Switch Device Trust off…").click();
  await button("Switch Device Trust off").last().click();
  const dialog = page.getByRole("dialog", { name: "Rules still use Device Trust" });
  await dialog.getByText("trusted").first().waitFor();
  await dialog.getByRole("button", { name: "Force Device Trust off" }).click();
  await page.getByText("It was switched off by force while rules use it").waitFor();
  await button("Switch Device Trust on").click();
  await button("Switch Device Trust on").last().click();
  await button("Switch Device Trust off…").waitFor();
  const log = await environment.dtctl("log", "--type", "org.settings.change", "--json");
  assert.match(log, new RegExp(`admin:${environment.endpoints.admin.user}`));
});

test("Revoke Trust Certificate names what it revokes, and the mTLS host refuses it", async () => {
  const device = environment.endpoints.devices.find(
    (/** @type {any} */ one) => one.state === "enrolled",
  );
  await goTo(page, "People");
  await page.getByLabel("Search by name or principal").fill(device.principal);
  await page.getByText("1 in all").waitFor();
  await page.getByRole("table", { name: "People" }).getByRole("link").first().click();
  await button("Revoke Trust Certificate…").click();
  const act = button(/^Revoke 1 certificate of /);
  await act.waitFor();
  await act.click();
  await page.getByText(/1 certificate of .* revoked\./).waitFor();
  await page
    .getByRole("table", { name: /Certificates of/ })
    .getByText("Revoked")
    .waitFor();
});

test("rules are reordered by keyboard and by drag, validated while they are edited, compared and saved", async () => {
  await goTo(page, "Apps");
  const app = environment.endpoints.apps.find(
    (/** @type {any} */ one) => one.device_trust === "trusted",
  );
  await page.goto(`${environment.endpoints.admin.url}#/apps/${app.id}`);
  const rules = page.locator(".rules > li");
  await rules.first().waitFor();
  const names = () => page.locator(".rules strong").allTextContents();
  const before = await names();
  assert.ok(before.length >= 2);

  await rules
    .first()
    .getByRole("button", { name: /^Move rule 1/ })
    .press("ArrowDown");
  assert.deepEqual(await names(), [before[1], before[0], ...before.slice(2)]);
  await rules.nth(1).locator(".handle").dragTo(rules.first());
  assert.deepEqual(await names(), before);

  // POL-3 while one edits: trust and "other desktop" exclude each other.
  const first = rules.first();
  await first.locator("summary").click();
  await first.getByLabel("Other desktop").check();
  await first.getByText("can only be chosen when Other desktop is not selected").waitFor();
  assert.ok(await button("Save rules").isDisabled());
  await first.getByLabel("Other desktop").uncheck();

  await first.getByLabel("iOS").uncheck();
  await button("Save rules").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("come out otherwise").waitFor();
  await dialog.getByRole("button", { name: "Save rules" }).click();
  await page.getByText(/Rules of .* saved\./).waitFor();

  await button("Compare version 1").waitFor();
  await button("Analyze these rules").click();
  await page
    .locator("section", { hasText: "Over every sign-in" })
    .getByRole("listitem")
    .or(page.getByText("Nothing found."))
    .first()
    .waitFor();
  await page.getByLabel("Platform").last().selectOption("PLATFORM_KIND_IOS");
  await button("Decide").click();
  await page.getByText("Denied by rule").waitFor();
});

test("an older version comes back with its rules", async () => {
  await button(/^Compare version/)
    .first()
    .click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("The way back is a new version").waitFor();
  await dialog.getByRole("button", { name: /^Go back to version/ }).click();
  await page.getByText(/is as in version/).waitFor();
});

test("recorded sign-ins are decided again by rules that are not saved yet", async () => {
  const app = environment.endpoints.apps.find(
    (/** @type {any} */ one) => one.device_trust === "trusted" && one.protocol === "saml2",
  );
  const refused = await page.context().newPage();
  await refused.goto(app.home_url);
  const code = (await refused.locator("code").first().textContent())?.trim() ?? "";
  await refused.close();

  await page.goto(`${environment.endpoints.admin.url}#/apps/${app.id}`);
  await button("Replay them").click();
  await page.getByText("1 sign-in replayed: none would come out otherwise.").waitFor();
  const rules = page.locator(".rules > li");
  while ((await rules.count()) > 0) {
    const last = rules.last();
    if (!(await last.locator("details").getAttribute("open")))
      await last.locator("summary").click();
    await last.getByRole("button", { name: /from the list$/ }).click();
  }
  await button("Replay them").click();
  await page.getByText("1 sign-in replayed: 1 would come out otherwise.").waitFor();
  await page.getByText("denied then, allowed by these rules").waitFor();
  assert.deepEqual(await axeProblems(page), []);
  page.once("dialog", (dialog) => dialog.accept());
  await page.getByRole("link", { name: code }).click();
  await page.getByText("Denied by rule").waitFor();
});

test("a zone is made, refused with its reason, and removed by name", async () => {
  await goTo(page, "Zones");
  await button("Add zone…").click();
  const dialog = page.getByRole("dialog", { name: "New zone" });
  await dialog.getByLabel(/^Name/).fill("office");
  await dialog.getByLabel(/^Networks/).fill("10.1.2.3/99");
  await dialog.getByRole("button", { name: "Save zone" }).click();
  await dialog.getByText("MALFORMED_REQUEST").waitFor();
  await dialog.getByLabel(/^Networks/).fill("10.0.0.0/8\nfd00::/8");
  await dialog.getByRole("button", { name: "Save zone" }).click();
  await page.getByText("2 networks").waitFor();
  await button("Remove zone office").click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove zone office" }).click();
  await page.getByText("No zone yet.").waitFor();
});

test("the org's name and its use of backup IWAs are set, and what dtctl alone changes is shown", async () => {
  await goTo(page, "Settings");
  const name = page.getByLabel("As authenticator apps show it beside the codes");
  await name.fill("Corp: bad");
  await button("Save name").click();
  await page.getByRole("alert").getByText("MALFORMED_REQUEST").waitFor();
  await name.fill("Corp of Tests");
  await button("Save name").click();
  await page.getByText("Name saved.").waitFor();
  assert.equal(await name.inputValue(), "Corp of Tests");

  const title = "Enrollment by primary IWAs alone";
  await page.locator("section", { hasText: title }).getByRole("button").click();
  await button(`Switch ${title} on`).click();
  await page.getByText(`${title} is on.`).waitFor();
  const settings = JSON.parse(await environment.dtctl("settings", "--json"));
  assert.match(JSON.stringify(settings), /"iwa_primary_only": ?true/);
  assert.match(JSON.stringify(settings), /Corp of Tests/);
  await page.locator("section", { hasText: title }).getByRole("button").click();
  await button(`Switch ${title} off`).click();
  await page.getByText(`${title} is off.`).waitFor();

  await environment.dtctl("sessions", "limits", "--lifetime", "480", "--idle", "30");
  await page.reload();
  await page
    .getByText("8 hours after their password, and 30 minutes after their last use")
    .waitFor();
});

test("an IWA vouches for the domains that it is given, and no slip replaces those of another", async () => {
  await goTo(page, "IWAs");
  const iwa = page.locator("section.box").first();
  const name = ((await iwa.getByRole("heading").textContent()) ?? "").split(" ")[0];
  await button("Let an IWA vouch that has not registered…").click();
  const first = page.getByRole("dialog", { name: "Let an IWA vouch" });
  await first.getByLabel("Name of the IWA").fill(name);
  await first.getByRole("button", { name: "Save domains" }).click();
  await first.getByText(`${name} has registered.`).waitFor();
  await first.getByRole("button", { name: "Cancel" }).click();

  await button(`Change the domains of ${name}`).click();
  const dialog = page.getByRole("dialog", { name: `Whom ${name} may vouch for` });
  const domains = dialog.getByLabel(/^Domains/);
  const before = await domains.inputValue();
  assert.notEqual(before, "");
  await domains.fill("no domain!");
  await dialog.getByRole("button", { name: "Save domains" }).click();
  await dialog.getByText("MALFORMED_REQUEST").waitFor();
  await domains.fill("");
  await dialog.getByRole("button", { name: "Save domains" }).click();
  await iwa.getByText("No administrator lets it vouch for a domain.").waitFor();
  await button(`Change the domains of ${name}`).click();
  await domains.fill(before);
  assert.deepEqual(await axeProblems(page), []);
  await dialog.getByRole("button", { name: "Save domains" }).click();
  await iwa.getByText("Works").waitFor();
});

test("a computer is blocked with its certificates, and let in again", async () => {
  await goTo(page, "Devices");
  const row = page
    .getByRole("table", { name: "Certificates" })
    .getByRole("row")
    .filter({ hasText: "Good" })
    .first();
  const device = await row.locator("code").nth(1).textContent();
  assert.ok(device);
  await button("Block a computer…").click();
  const dialog = page.getByRole("dialog", { name: "Block a computer" });
  const field = dialog.getByLabel("SID of the computer, or device id");
  const act = dialog.getByRole("button", { name: "Block the computer" });
  await field.fill("S-1-5-21-1-2-3-4567");
  await act.click();
  await dialog.getByText("UNKNOWN_SUBJECT").waitFor();
  assert.deepEqual(await axeProblems(page), []);
  await field.fill(device);
  await act.click();
  await page.getByText(`${device} is blocked, 1 certificate revoked.`).waitFor();
  await page.getByRole("listitem").filter({ hasText: "since" }).waitFor();
  await button("Let it enroll…").click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /enroll/ })
    .click();
  await page.getByText("None.", { exact: true }).waitFor();
});

test("all certificates of a computer are revoked by name, and a stolen key is never certified again", async () => {
  await goTo(page, "Devices");
  const row = page
    .getByRole("table", { name: "Certificates" })
    .getByRole("row")
    .filter({ hasText: "Good" })
    .first();
  const serial = (await row.locator("code").first().textContent()) ?? "";
  const device = (await row.locator("code").nth(1).textContent()) ?? "";
  await row.getByRole("link", { name: device }).click();
  await page.getByRole("heading", { name: `Computer ${device}` }).waitFor();
  await page
    .getByRole("table", { name: `Certificates of ${device}` })
    .getByText("Good")
    .waitFor();
  await button("Revoke its certificates…").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(serial).waitFor();
  await dialog.getByLabel("Why").selectOption("REVOCATION_REASON_KEY_COMPROMISE");
  assert.deepEqual(await axeProblems(page), []);
  await dialog.getByRole("button", { name: "Revoke 1 certificate" }).click();
  await page.getByText(`1 certificate of ${device} revoked.`).waitFor();
  await page
    .getByRole("table", { name: `Certificates of ${device}` })
    .getByText("Revoked")
    .waitFor();
  await page.getByRole("link", { name: "Devices and certificates" }).click();
  await page.getByRole("table", { name: "Blocked keys" }).getByText(serial).waitFor();
});

test("a directory that would deactivate many people waits, and says whom, until it is let", async () => {
  // The environment's people are imported: the answers of a directory are put in here.
  /** @type {any} */
  const status = {
    domain: "corp.test",
    state: "STATE_STOPPED",
    passes: "4",
    people: "120",
    groups: "7",
    synced_at: "2026-01-02T03:04:05Z",
    deactivations: "41",
    deactivated_examples: ["ada@corp.test", "<b>bob</b>@corp.test"],
    refused: ["eve: no SID"],
  };
  /** @type {any[]} */
  const asked = [];
  const address = "**/console/api/devicetrust.org.v1.PeopleSyncService/*";
  await page.route(address, async (route) => {
    const method = route.request().url().split("/").at(-1);
    if (method !== "GetPeopleSync") {
      asked.push([method, route.request().postDataJSON()]);
      Object.assign(status, { state: "STATE_WAITING", passes: "5", people: "79" });
    }
    await route.fulfill({ json: method === "GetPeopleSync" ? { domains: [status] } : {} });
  });
  await goTo(page, "People");
  const box = page.getByRole("region", { name: "Directory of corp.test" });
  await box.getByText("41 people, ada@corp.test, <b>bob</b>@corp.test among them").waitFor();
  assert.deepEqual(await axeProblems(page), []);
  await box.getByRole("button", { name: "Let it deactivate 41…" }).click();
  await button("Deactivate 41 people").click();
  await box.getByText("79 people in 7 groups").waitFor();
  await box.getByRole("button", { name: "Read the directory of corp.test now" }).click();
  await page.getByText("The directory of corp.test is being read.").waitFor();
  assert.deepEqual(asked, [
    ["ApprovePeopleSync", { domain: "corp.test", deactivations: "41" }],
    ["RunPeopleSync", { domain: "corp.test" }],
  ]);
  await page.unroute(address);
  await goTo(page, "Settings");
});

test("the System Log filters, opens an event and follows what happens", async () => {
  await goTo(page, "System Log");
  await page.getByLabel("Filter").fill('eventType eq "admin.console.open"');
  await button("Search").click();
  const event = page.locator(".event").first();
  await event.click();
  await event.getByText('"type": "admin.console.open"').waitFor();
  await page.getByLabel("Filter").fill('eventType sw "org."');
  await button("Search").click();
  await page.getByText("org.settings.change").first().waitFor();
  const count = await page.locator(".event").count();
  await page.getByRole("switch", { name: "Live" }).check();
  await page.getByText("Live: new events appear on top.").waitFor();
  await environment.dtctl("read-only", "on");
  await page.waitForFunction((then) => document.querySelectorAll(".event").length > then, count);
  await environment.dtctl("read-only", "off");
});

test("a bad filter says what is wrong with it", async () => {
  await page.getByRole("switch", { name: "Live" }).uncheck();
  await page.getByLabel("Filter").fill("nonsense eq");
  await button("Search").click();
  await page.getByRole("alert").getByText("MALFORMED_REQUEST").waitFor();
});

test("no page has a serious finding of axe, in light and dark, wide and at 360 px", async () => {
  const id = (await environment.dtctl("people", "list", "--json").then(JSON.parse))[0]?.id;
  const device = JSON.parse(await environment.dtctl("certificates", "--json")).certificates[0]
    .device_id;
  const parts = [
    "settings",
    `devices/${device}`,
    "apps",
    "apps/mail",
    "zones",
    "people",
    `people/${id}`,
    "devices",
    "iwas",
    "downloads",
    "log",
    "explain",
    "admins",
  ];
  for (const scheme of /** @type {const} */ (["light", "dark"])) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const width of [1200, 360]) {
      await page.setViewportSize({ width, height: 800 });
      for (const part of parts) {
        await page.goto(`${environment.endpoints.admin.url}#/${part}`);
        await page.locator(".page h1").first().waitFor();
        await page.waitForFunction(() => !document.querySelector("[aria-busy]"));
        assert.deepEqual(await axeProblems(page), [], `${part}, ${scheme}, ${width} px`);
        const over = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        assert.ok(over <= 0, `${part} is ${over} px too wide at ${width} px`);
      }
    }
  }
  await page.setViewportSize({ width: 1200, height: 800 });
  await page.emulateMedia({ colorScheme: "light" });
});

test("a table of 100,000 rows scrolls with few elements, and keeps its place", async () => {
  await goTo(page, "People");
  const shown = await page.evaluate(async () => {
    const main = document.querySelector(".page");
    const script = /** @type {HTMLScriptElement} */ (document.querySelector("script[type=module]"));
    const { dataTable } = await import(script.src.replace("main.js", "table.js"));
    const rows = Array.from({ length: 100_000 }, (_, index) => ({ index }));
    const table = dataTable({
      name: "Many",
      columns: [{ title: "Number", cell: (/** @type {any} */ row) => `row ${row.index}` }],
      load: async () => ({ rows, next: "" }),
      empty: "",
    });
    main?.replaceChildren(table);
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    await frame();
    await frame();
    const scroller = table.querySelector(".rows");
    scroller.scrollTop = 44 * 70_000;
    await frame();
    await frame();
    const elements = table.querySelectorAll(".row").length;
    const text = table.innerText;
    table.remove();
    main?.append(table);
    await frame();
    return { elements, text, top: table.querySelector(".rows").scrollTop };
  });
  assert.ok(shown.elements < 100, `${shown.elements} rows are in the document`);
  assert.match(shown.text, /row 70000/);
  assert.equal(shown.top, 44 * 70_000);
});

test("the help desk sees people and changes no settings", async () => {
  const other = environment.endpoints.users.find(
    (/** @type {any} */ one) =>
      one.totp_secret && one.principal !== environment.endpoints.admin.user,
  );
  await environment.dtctl("admin", "grant", other.principal, "help-desk");
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(15_000);
  const theirs = await context.newPage();
  await openConsole(
    theirs,
    { ...environment.endpoints.admin, user: other.principal, password: other.password },
    new Codes(other.totp_secret),
  );
  await goTo(theirs, "Settings");
  assert.equal(await theirs.getByRole("button", { name: /Switch Device Trust/ }).count(), 0);
  const status = await theirs.evaluate(async () => {
    const answer = await fetch("/console/api/devicetrust.org.v1.SettingsService/SetReadOnly", {
      method: "POST",
      headers: { "content-type": "application/json", "x-dt-console": "1" },
      body: '{"read_only":true}',
    });
    return [answer.status, (await answer.json()).reason];
  });
  assert.deepEqual(status, [403, "CALLER_NOT_ALLOWED"]);
  await environment.dtctl("admin", "revoke", other.principal, "--yes");
  await goTo(theirs, "People");
  await theirs.getByText("administers nothing").first().waitFor();
  await context.close();
});

test("the first view is below 60 KiB compressed", async () => {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    storageState: await page.context().storageState(),
  });
  const fresh = await context.newPage();
  let octets = 0;
  const session = await context.newCDPSession(fresh);
  await session.send("Network.enable");
  session.on("Network.loadingFinished", (event) => (octets += event.encodedDataLength));
  await fresh.goto(`${environment.endpoints.admin.url}#/settings`);
  await fresh
    .getByRole("heading", { name: /Device Trust/ })
    .first()
    .waitFor();
  assert.ok(octets > 0 && octets < 60 * 1024, `${octets} octets`);
  await context.close();
});

test("closing the console asks for the second factor again", async () => {
  await button("Close console").click();
  await page.getByRole("heading", { name: "Open the console" }).waitFor();
});
