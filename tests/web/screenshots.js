// Makes the pictures of docs/: node tests/web/screenshots.js [FOLDER]. Needs a build, and pngquant when
// it is there makes them small.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Codes, Environment, goTo, openConsole, startBrowser } from "./stories/support.js";

const folder = process.argv[2] ?? fileURLToPath(new URL("../../docs/images", import.meta.url));
const environment = await Environment.start();
const browser = await startBrowser();
try {
  const page = await browser.newPage({
    ignoreHTTPSErrors: true,
    viewport: { width: 1000, height: 640 },
  });
  const { admin, apps } = environment.endpoints;
  await openConsole(page, admin, new Codes(admin.totp_secret));
  /** @param {string} name */
  const shoot = async (name) => {
    await page.waitForFunction(() => !document.querySelector("[aria-busy]"));
    const path = `${folder}/${name}.png`;
    await page.screenshot({ path });
    spawnSync("pngquant", ["--force", "--ext", ".png", "--quality", "60-90", path]);
  };
  await goTo(page, "Settings");
  await shoot("console-settings");
  const five = apps.find((/** @type {any} */ app) => app.id === "payroll") ?? apps[0];
  await page.goto(`${admin.url}#/apps/${five.id}`);
  await page.locator(".rules > li").first().waitFor();
  await shoot("console-rules");
  await goTo(page, "System Log");
  await page.locator(".event").first().waitFor();
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot("console-log-dark");
} finally {
  await browser.close();
  await environment.stop();
}
