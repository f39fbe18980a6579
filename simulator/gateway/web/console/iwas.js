// IWAs: the servers inside the domain that vouch for computers and people (ORG-5).

import { el, fill } from "../dom.js";
import { call, may } from "./api.js";
import { ask, say } from "./dialogs.js";
import { timeText } from "./text.js";

const SILENT_AFTER_MS = 120_000;

/** @param {HTMLElement} main */
export async function iwasPage(main) {
  const { iwas = [] } = await call("IwaRegistryService/ListIwas");
  fill(
    main,
    el("h1", {}, "IWAs"),
    iwas.length
      ? iwas.map((/** @type {any} */ iwa) => iwaBox(iwa, () => iwasPage(main)))
      : el(
          "div",
          { class: "empty" },
          "No IWA has registered. Install dt-iwa inside the domain, then ",
          el("code", {}, "dtctl iwa grant NAME DOMAIN"),
          ".",
        ),
  );
}

/** @param {any} iwa @param {() => Promise<void>} again */
function iwaBox(iwa, again) {
  const silent =
    !iwa.last_heartbeat ||
    Date.now() - Date.parse(iwa.last_heartbeat) > SILENT_AFTER_MS;
  const problem = !iwa.enabled
    ? "Disabled: nobody enrolls through it."
    : !iwa.device_trust_capable
      ? "Its version does not know Device Trust: update it."
      : !iwa.granted_domains?.length
        ? "No admin lets it vouch for a domain: dtctl iwa grant."
        : silent
          ? "It has not been heard of for two minutes."
          : "";
  return el(
    "section",
    { class: "box" },
    el(
      "h2",
      {},
      iwa.name,
      " ",
      el(
        "span",
        { class: `badge ${problem ? "bad" : "good"}` },
        problem ? "Needs attention" : "Works",
      ),
    ),
    problem ? el("p", { class: "problem" }, problem) : null,
    el(
      "dl",
      {},
      [
        ["Address", iwa.address],
        ["Version", iwa.version],
        ["Role", iwa.primary ? "Primary" : "Backup"],
        ["Binding", (iwa.binding ?? "").toUpperCase()],
        ["Service name", iwa.spn],
        ["Vouches for", (iwa.granted_domains ?? []).join(", ") || "nobody"],
        ["Last heard of", timeText(iwa.last_heartbeat)],
      ].map(([name, value]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, value || "not known")),
      ),
    ),
    may("IwaRegistryService/SetIwaEnabled")
      ? el(
          "button",
          {
            type: "button",
            onclick: () =>
              ask({
                title: `${iwa.enabled ? "Disable" : "Enable"} ${iwa.name}?`,
                content: [
                  el(
                    "p",
                    {},
                    iwa.enabled
                      ? "Nobody enrolls or renews through it until it is enabled again."
                      : "Computers enroll through it again.",
                  ),
                ],
                button: `${iwa.enabled ? "Disable" : "Enable"} ${iwa.name}`,
                danger: Boolean(iwa.enabled),
                act: async () => {
                  await call("IwaRegistryService/SetIwaEnabled", {
                    name: iwa.name,
                    enabled: !iwa.enabled,
                  });
                  say(
                    `${iwa.name} is ${iwa.enabled ? "disabled" : "enabled"}.`,
                  );
                  await again();
                  return true;
                },
              }),
          },
          iwa.enabled ? "Disable…" : "Enable…",
        )
      : null,
  );
}
