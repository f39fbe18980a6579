// Why somebody is not let in: every check in the order in which one needs the other, with the first
// remedy on top, and what is known of the person, the device or the sign-in.

import { el, fill } from "../dom.js";
import { call } from "./api.js";
import { decisionView } from "./log.js";
import { dayText, personText, timeText } from "./text.js";

const SUBJECTS = [
  ["code", "A code on a page that was refused"],
  ["user", "A person, by principal"],
  ["device", "A device, by its id"],
];

/** @param {string | undefined} state */
function stateBadge(state) {
  if (state === "CHECK_STATE_PASSED")
    return el("span", { class: "badge good" }, "Holds");
  if (state === "CHECK_STATE_FAILED")
    return el("span", { class: "badge bad" }, "Fails");
  return el("span", { class: "badge soft" }, "Not known");
}

/** `rest`: "user/ada@corp.test". @param {HTMLElement} main @param {string} rest */
export async function doctorPage(main, rest) {
  const slash = rest.indexOf("/");
  const kind = SUBJECTS.some(([value]) => value === rest.slice(0, slash))
    ? rest.slice(0, slash)
    : "code";
  const asked = slash > 0 ? rest.slice(slash + 1) : "";
  const subject = el(
    "select",
    { name: "kind" },
    SUBJECTS.map(([value, text]) =>
      el("option", { value, selected: value === kind }, text),
    ),
  );
  const input = el("input", {
    name: "subject",
    value: asked,
    required: true,
    autocomplete: "off",
    spellcheck: "false",
  });
  const answer = el("div", { "aria-live": "polite" });
  fill(
    main,
    el("h1", {}, "Doctor"),
    el(
      "form",
      {
        class: "inline",
        onsubmit: (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          const next = `#/doctor/${subject.value}/${encodeURIComponent(input.value.trim())}`;
          if (location.hash === next)
            dispatchEvent(new HashChangeEvent("hashchange"));
          else location.hash = next;
        },
      },
      el("label", {}, "About", subject),
      el("label", {}, "Code, principal or id", input),
      el("button", { type: "submit", class: "main" }, "Diagnose"),
    ),
    answer,
  );
  if (!asked) return;
  fill(
    answer,
    diagnosis(await call("DiagnosticsService/Diagnose", { [kind]: asked })),
  );
}

/** @param {any} found */
function diagnosis(found) {
  const failed = (found.checks ?? []).find(
    (/** @type {any} */ one) => one.id === found.first_failed,
  );
  return el(
    "div",
    {},
    failed
      ? el(
          "section",
          { class: "box warn" },
          el("h2", {}, `${failed.title}: no`),
          el("p", {}, failed.finding),
          el("p", {}, el("strong", {}, "Do this first: "), found.remedy),
        )
      : el(
          "section",
          { class: "box" },
          el("h2", {}, "No check fails"),
          found.remedy ? el("p", {}, found.remedy) : null,
        ),
    found.user || found.device_id
      ? el(
          "p",
          {},
          found.user
            ? el(
                "a",
                { href: `#/people/${encodeURIComponent(found.user.id)}` },
                personText(found.user),
              )
            : null,
          found.device_id
            ? [" Device ", el("code", {}, found.device_id)]
            : null,
        )
      : null,
    el("h2", {}, "Checks"),
    el(
      "ol",
      { class: "list checks" },
      (found.checks ?? []).map((/** @type {any} */ one) =>
        el(
          "li",
          {},
          stateBadge(one.state),
          " ",
          el("strong", {}, one.title),
          one.finding ? el("p", { class: "soft" }, one.finding) : null,
          one.remedy ? el("p", {}, one.remedy) : null,
        ),
      ),
    ),
    found.decision ? decisionView(found.decision) : null,
    section(
      "Certificates",
      (found.certificates ?? []).map((/** @type {any} */ one) => [
        el("code", {}, one.serial),
        ` until ${dayText(one.not_after)}`,
        one.revoked_at ? `, revoked ${timeText(one.revoked_at)}` : "",
      ]),
    ),
    section(
      "Events",
      (found.events ?? []).map((/** @type {any} */ one) => [
        `${timeText(one.at)} `,
        el("code", {}, one.type),
        ` ${one.display_message ?? ""}`,
      ]),
    ),
  );
}

/** @param {string} title @param {import("../dom.js").Content[][]} items */
function section(title, items) {
  if (items.length === 0) return null;
  return el(
    "section",
    {},
    el("h2", {}, title),
    el(
      "ul",
      { class: "list" },
      items.map((item) => el("li", {}, ...item)),
    ),
  );
}
