// Device Trust and the other switches of the org (ORG-1 to ORG-4).

import { el, fill } from "../dom.js";
import { ApiError, call, may } from "./api.js";
import { ask, problemBox, say } from "./dialogs.js";
import { forgetPlaces } from "./table.js";
import { spanText, timeText } from "./text.js";

/** @param {boolean | undefined} on */
function onOff(on) {
  return el(
    "span",
    { class: `badge ${on ? "good" : "soft"}` },
    on ? "On" : "Off",
  );
}

/** Warnings that a change came with. @param {string[] | undefined} warnings */
function warningBox(warnings) {
  if (!warnings?.length) return null;
  return el(
    "div",
    { class: "box warn", role: "alert" },
    el("h3", {}, "Mind this"),
    warnings.map((text) => el("p", {}, text)),
  );
}

/** @param {HTMLElement} main */
export async function settingsPage(main) {
  const answer = await call("SettingsService/GetSettings");
  const settings = answer.settings;
  const notes = el("div");
  /** @param {string} method @param {object} request @param {string} done */
  const change = async (method, request, done) => {
    const changed = await call(`SettingsService/${method}`, request);
    forgetPlaces();
    await settingsPage(main);
    const box = warningBox(changed.warnings);
    if (box) main.querySelector("h1")?.after(box);
    say(done);
    return true;
  };

  const displayName = el("input", {
    name: "display_name",
    value: settings.display_name ?? "",
    placeholder: settings.org_id,
    maxlength: 64,
  });
  const may_change = may("SettingsService/SetDeviceTrust");
  const learnMore = el("input", {
    type: "url",
    name: "learn_more",
    value: settings.learn_more_url ?? "",
    placeholder: "https://intranet.example.com/device-trust",
    disabled: !may_change,
  });
  const trust = el(
    "section",
    { class: "box" },
    el("h2", {}, "Device Trust ", onOff(settings.device_trust_enabled)),
    el(
      "p",
      {},
      settings.device_trust_enabled
        ? "Rules may ask for a trusted device, and untrusted ones see why they are refused."
        : "No rule with Trusted or Not trusted is met by anybody.",
    ),
    settings.disabled_while_in_use
      ? el(
          "p",
          { class: "warn" },
          "It was switched off by force while rules use it: untrusted users see neither the security message nor Learn more.",
        )
      : null,
    settings.device_trust_changed_at
      ? el(
          "p",
          { class: "soft" },
          `Changed ${timeText(settings.device_trust_changed_at)} by ${settings.device_trust_changed_by}.`,
        )
      : null,
    el(
      "form",
      {
        class: "inline",
        onsubmit: async (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          try {
            await change(
              "SetDeviceTrust",
              {
                enabled: Boolean(settings.device_trust_enabled),
                learn_more_url: learnMore.value,
                expected_version: answer.version,
              },
              "Learn more saved.",
            );
          } catch (error) {
            fill(notes, problemBox(error));
          }
        },
      },
      el("label", {}, "Learn more address, on the refusal page", learnMore),
      may_change ? el("button", { type: "submit" }, "Save address") : null,
    ),
    may_change
      ? el(
          "button",
          {
            type: "button",
            class: settings.device_trust_enabled ? "danger" : "main",
            onclick: () =>
              switchTrust(
                !settings.device_trust_enabled,
                answer.version,
                change,
              ),
          },
          settings.device_trust_enabled
            ? "Switch Device Trust off…"
            : "Switch Device Trust on",
        )
      : null,
    notes,
  );

  /** @param {string} title @param {string} about @param {boolean} on @param {string} method @param {string} field */
  const switchBox = (title, about, on, method, field) =>
    el(
      "section",
      { class: "box" },
      el("h2", {}, `${title} `, onOff(on)),
      el("p", {}, about),
      may(`SettingsService/${method}`)
        ? el(
            "button",
            {
              type: "button",
              onclick: () =>
                ask({
                  title: `Switch ${title} ${on ? "off" : "on"}?`,
                  content: [el("p", {}, about)],
                  button: `Switch ${title} ${on ? "off" : "on"}`,
                  danger: on,
                  act: () =>
                    change(
                      method,
                      { [field]: !on, expected_version: answer.version },
                      `${title} is ${on ? "off" : "on"}.`,
                    ),
                }),
            },
            on ? "Switch off…" : "Switch on…",
          )
        : null,
    );

  fill(
    main,
    el("h1", {}, "Settings"),
    trust,
    switchBox(
      "Read-only mode",
      "While it is on, people sign in as ever, and enrollment and renewal are refused.",
      Boolean(settings.read_only),
      "SetReadOnly",
      "read_only",
    ),
    switchBox(
      "Device Trust capability",
      "The operator's switch for the whole deployment. Both it and Device Trust must be on.",
      Boolean(settings.capability_enabled),
      "SetCapability",
      "enabled",
    ),
    switchBox(
      "Active Directory integration",
      `A condition of enrollment. Domains: ${(settings.ad_domains ?? []).join(", ") || "none"}.`,
      Boolean(settings.ad_integration_active),
      "SetAdIntegration",
      "active",
    ),
    switchBox(
      "Enrollment by primary IWAs alone",
      "While it is off, computers enroll through a backup IWA when no primary one of their domain serves them.",
      Boolean(settings.iwa_primary_only),
      "SetIwaFailover",
      "primary_only",
    ),
    may("SettingsService/SetDisplayName")
      ? el(
          "form",
          {
            class: "box",
            onsubmit: async (/** @type {SubmitEvent} */ event) => {
              event.preventDefault();
              try {
                await change(
                  "SetDisplayName",
                  {
                    display_name: displayName.value.trim(),
                    expected_version: answer.version,
                  },
                  "Name saved.",
                );
              } catch (error) {
                fill(notes, problemBox(error));
                notes.scrollIntoView();
              }
            },
          },
          el("h2", {}, "Name of the organization"),
          el(
            "label",
            {},
            "As authenticator apps show it beside the codes",
            displayName,
          ),
          el("button", { type: "submit" }, "Save name"),
        )
      : null,
    el(
      "section",
      { class: "box" },
      el("h2", {}, "Changed by dtctl"),
      el(
        "dl",
        {},
        [
          [
            "Sessions end",
            `${spanText(settings.session_lifetime) || "12 hours"} after their password` +
              (spanText(settings.session_idle_timeout)
                ? `, and ${spanText(settings.session_idle_timeout)} after their last use`
                : ""),
            "dtctl sessions limits",
          ],
          [
            "First second factor",
            settings.factor_self_enrollment
              ? "People enroll it by themselves"
              : "An administrator enrolls it",
            "dtctl self-enrollment",
          ],
          [
            "Apps name people by",
            settings.default_name_id_format?.split(":").at(-1) || "unspecified",
            "dtctl name-id",
          ],
        ].map(([name, value, verb]) =>
          el(
            "div",
            {},
            el("dt", {}, name),
            el("dd", {}, value, " ", el("code", {}, verb)),
          ),
        ),
      ),
    ),
  );
}

/**
 * ORG-2: while rules use it, switching off is refused with their list; forcing it is another act.
 * @param {boolean} enabled
 * @param {string} version
 * @param {(method: string, request: object, done: string) => Promise<boolean>} change
 */
async function switchTrust(enabled, version, change) {
  const request = { enabled, expected_version: version };
  const done = `Device Trust is ${enabled ? "on" : "off"}.`;
  /** @type {ApiError | null} */
  let inUse = null;
  await ask({
    title: `Switch Device Trust ${enabled ? "on" : "off"}?`,
    content: [
      el(
        "p",
        {},
        enabled
          ? "Rules that ask for a trusted device count at once, and refuse the others."
          : "Nobody is trusted or untrusted from then on, and nobody enrolls.",
      ),
    ],
    button: `Switch Device Trust ${enabled ? "on" : "off"}`,
    danger: !enabled,
    act: async () => {
      try {
        await change("SetDeviceTrust", request, done);
      } catch (error) {
        if (!(error instanceof ApiError) || error.reason !== "SETTING_IN_USE")
          throw error;
        inUse = error;
      }
      return true;
    },
  });
  if (inUse === null) return;
  await ask({
    title: "Rules still use Device Trust",
    content: [
      el("p", { class: "problem" }, /** @type {ApiError} */ (inUse).message),
      el(
        "p",
        {},
        "Change those rules first. Or force it off: then they match nobody, and untrusted users see neither the security message nor Learn more.",
      ),
    ],
    button: "Force Device Trust off",
    danger: true,
    act: () => change("SetDeviceTrust", { ...request, force: true }, done),
  });
}
