// IWAs: the servers inside the domain that vouch for computers and people (ORG-5).

import { el, fill } from "../dom.js";
import { ApiError, call, may } from "./api.js";
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
          "No IWA has registered. Install dt-iwa inside the domain, and let it vouch for the domain here or by ",
          el("code", {}, "dtctl iwa grant NAME DOMAIN"),
          ".",
        ),
    may("IwaRegistryService/SetIwaDomains")
      ? el(
          "button",
          {
            type: "button",
            onclick: () => setDomains(null, iwas, () => iwasPage(main)),
          },
          "Let an IWA vouch that has not registered…",
        )
      : null,
  );
}

/** One name a line, or with blanks and commas between. @param {string} text */
function domainsOf(text) {
  return text.split(/[\s,]+/).filter(Boolean);
}

/**
 * @param {any} iwa Null: one that has not registered.
 * @param {any[]} registered
 * @param {() => Promise<void>} again
 */
async function setDomains(iwa, registered, again) {
  const name = el("input", {
    value: iwa?.name ?? "",
    required: true,
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "iwa-2",
  });
  const domains = el("textarea", {
    rows: 4,
    spellcheck: "false",
    placeholder: "corp.example.com",
    value: (iwa?.granted_domains ?? []).join("\n"),
  });
  await ask({
    title: iwa ? `Whom ${iwa.name} may vouch for` : "Let an IWA vouch",
    content: [
      iwa ? null : el("label", {}, "Name of the IWA", name),
      el("label", {}, "Domains, one a line; none: for nobody", domains),
      el(
        "p",
        { class: "soft" },
        "For the computers and people of these domains, and of no others. It counts at once.",
      ),
    ],
    button: "Save domains",
    act: async () => {
      const who = name.value.trim();
      // Its domains would be replaced unseen.
      if (!iwa && registered.some((one) => one.name === who))
        throw new ApiError(0, {
          message: `${who} has registered.`,
          remedy: "Change its domains where it is listed.",
        });
      await call("IwaRegistryService/SetIwaDomains", {
        name: who,
        domains: domainsOf(domains.value),
      });
      say(
        `${who} vouches for ${domainsOf(domains.value).join(", ") || "nobody"}.`,
      );
      await again();
      return true;
    },
  });
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
        ? "No administrator lets it vouch for a domain."
        : silent
          ? "It has not been heard of for two minutes."
          : (iwa.problem ?? "");
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
        [
          "Role",
          iwa.primary
            ? "Primary"
            : `Backup${iwa.withheld ? ": not used while the org enrolls by primary ones alone" : ""}`,
        ],
        ["Binding", (iwa.binding ?? "").toUpperCase()],
        ["Service name", iwa.spn],
        ["Serves", (iwa.domains ?? []).join(", ")],
        ["Vouches for", (iwa.granted_domains ?? []).join(", ") || "nobody"],
        ["Last heard of", timeText(iwa.last_heartbeat)],
      ].map(([name, value]) =>
        el("div", {}, el("dt", {}, name), el("dd", {}, value || "not known")),
      ),
    ),
    el(
      "div",
      { class: "buttons" },
      enableButton(iwa, again),
      may("IwaRegistryService/SetIwaDomains")
        ? el(
            "button",
            {
              type: "button",
              "aria-label": `Change the domains of ${iwa.name}`,
              onclick: () => setDomains(iwa, [], again),
            },
            "Domains…",
          )
        : null,
    ),
  );
}

/** @param {any} iwa @param {() => Promise<void>} again */
function enableButton(iwa, again) {
  return may("IwaRegistryService/SetIwaEnabled")
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
                say(`${iwa.name} is ${iwa.enabled ? "disabled" : "enabled"}.`);
                await again();
                return true;
              },
            }),
        },
        iwa.enabled ? "Disable…" : "Enable…",
      )
    : null;
}
