// A running environment and a browser, for the stories.

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const BIN =
  process.env.DT_BIN ?? fileURLToPath(new URL("../../../build/release/bin", import.meta.url));
const START_MS_MAX = 60_000;

/** `dt-sim up` until it is ready. */
export class Environment {
  /** @param {string[]} [options] */
  static async start(options = []) {
    const environment = new Environment();
    const folder = mkdtempSync(join(tmpdir(), "dt-web-"));
    environment.folder = folder;
    environment.process = spawn(
      join(BIN, "dt-sim"),
      [
        "up",
        "--devices",
        "12",
        "--org-port",
        "0",
        "--mtls-port",
        "0",
        "--run-dir",
        join(folder, "run"),
        "--ready-fd",
        "3",
        ...options,
      ],
      { stdio: ["ignore", "pipe", "pipe", "pipe"] },
    );
    let said = "";
    for (const stream of environment.process.stdio.slice(1, 3)) {
      stream?.on("data", (/** @type {Buffer} */ data) => (said += data));
    }
    await new Promise((ready, failed) => {
      const timer = setTimeout(
        () => failed(new Error(`dt-sim up was not ready:\n${said}`)),
        START_MS_MAX,
      );
      environment.process?.stdio[3]?.once("data", () => (clearTimeout(timer), ready(undefined)));
      environment.process?.once(
        "exit",
        (code) => (
          clearTimeout(timer),
          failed(new Error(`dt-sim up ended with ${code}:\n${said}`))
        ),
      );
    });
    environment.endpoints = JSON.parse(readFileSync(join(folder, "run/endpoints.json"), "utf8"));
    return environment;
  }

  folder = "";
  /** @type {import("node:child_process").ChildProcess | null} */
  process = null;
  /** @type {any} */
  endpoints = {};

  /** @param {...string} words */
  async dtctl(...words) {
    const child = spawn(join(BIN, "dtctl"), [
      "--endpoints",
      join(this.folder, "run/endpoints.json"),
      ...words,
    ]);
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    const code = await new Promise((ended) => child.once("close", ended));
    if (code !== 0) throw new Error(`dtctl ${words.join(" ")}: ${code}\n${output}`);
    return output;
  }

  async stop() {
    const child = this.process;
    if (child && child.exitCode === null) {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGINT");
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Debian's Chromium. */
export async function startBrowser() {
  return chromium.launch({
    executablePath: process.env.DT_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--disable-dev-shm-usage", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])],
  });
}

/** @param {string} text */
function base32(text) {
  let bits = "";
  for (const c of text.replaceAll("=", ""))
    bits += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0");
  return Buffer.from(bits.match(/.{8}/g)?.map((octet) => Number.parseInt(octet, 2)) ?? []);
}

/** The code of a step of 30 s (RFC 6238). @param {string} secret @param {number} step */
export function totp(secret, step) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const hash = createHmac("sha1", base32(secret)).update(counter).digest();
  const at = hash[19] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Codes that the org has not taken yet: each is good once, and one step of 30 s early or late. */
export class Codes {
  #last = 0;
  /** @param {string} secret */
  constructor(secret) {
    this.secret = secret;
  }
  /** The next code; waits for its step when the ones around now are spent. */
  async next() {
    const now = () => Math.floor(Date.now() / 30_000);
    // That of the step before is too old when another begins on its way.
    let step = Math.max(now(), this.#last + 1);
    while (step > now() + 1) {
      await new Promise((later) => setTimeout(later, 250));
      step = Math.max(now(), this.#last + 1);
    }
    this.#last = step;
    return totp(this.secret, step);
  }
}

/**
 * Signs in at the console's address and opens it.
 * @param {import("playwright-core").Page} page
 * @param {{url: string, user: string, password: string}} admin
 * @param {Codes} codes
 */
export async function openConsole(page, admin, codes) {
  await page.goto(admin.url);
  await page.getByLabel("User name").fill(admin.user);
  await page.getByLabel("Password").fill(admin.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel(/Six digits/).fill(await codes.next());
  await page.getByRole("button", { name: "Open the console" }).click();
  await page.getByRole("navigation").waitFor();
}

/** Goes to a part of the console by its link. @param {import("playwright-core").Page} page @param {string} part */
export async function goTo(page, part) {
  const link = page.getByRole("navigation").getByRole("link", { name: part, exact: true });
  if (!(await link.isVisible())) await page.getByRole("button", { name: "Menu" }).click();
  await link.click();
  // Not the heading of the page before, where that is still shown.
  await page.locator("nav a[aria-current=page]", { hasText: part }).waitFor();
  await page.locator(".page h1").first().waitFor();
}

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** What axe-core finds serious or critical. @param {import("playwright-core").Page} page */
export async function axeProblems(page) {
  // Not as a script of the page, whose policy lets none in but its own.
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(AXE);
  return page.evaluate(async () => {
    const found = await /** @type {any} */ (window).axe.run(document, {
      resultTypes: ["violations"],
    });
    return found.violations
      .filter((/** @type {any} */ one) => ["serious", "critical"].includes(one.impact))
      .map((/** @type {any} */ one) => {
        const where = one.nodes.map((/** @type {any} */ node) => node.target.join(" "));
        return `${one.id}: ${where.slice(0, 3).join("; ")} ${one.nodes[0]?.failureSummary ?? ""}`;
      });
  });
}
