// Packages of agents and IWAs that the operator serves (ORG-7): those that are generally available.

import { el, fill } from "../dom.js";
import { ApiError } from "./api.js";
import { countText } from "./text.js";

/** @param {HTMLElement} main */
export async function downloadsPage(main) {
  const response = await fetch("/downloads.json");
  if (!response.ok) throw new ApiError(response.status, {});
  /** @type {{packages: {path: string, product: string, version: string, extension: string, size: number, sha256: string}[]}} */
  const { packages } = await response.json();
  fill(
    main,
    el("h1", {}, "Downloads"),
    packages.length === 0
      ? el(
          "div",
          { class: "empty" },
          "No package is listed. Start dt-gateway with --downloads and put packages there: docs/operations.md says how they are named.",
        )
      : packages.map((one) =>
          el(
            "section",
            { class: "box" },
            el("h2", {}, `${one.product} ${one.version}`),
            el(
              "p",
              {},
              el(
                "a",
                { href: one.path, download: true },
                one.path.split("/").at(-1),
              ),
            ),
            el(
              "p",
              { class: "soft" },
              `${countText(Math.ceil(one.size / 1024))} KiB`,
            ),
            el("p", {}, "SHA-256 ", el("code", {}, one.sha256)),
          ),
        ),
    el(
      "p",
      { class: "soft" },
      "Early-access packages are got by their address and listed nowhere.",
    ),
  );
}
