// Apps: their rules, what these come to, and what they were.

import { el, fill } from "../dom.js";
import { call, listen, may } from "./api.js";
import { ask, problemBox, say } from "./dialogs.js";
import { decisionView } from "./log.js";
import {
  newRule,
  problemsOf,
  ruleEditor,
  ruleText,
  PLATFORMS,
} from "./rules.js";
import { dataTable, forgetPlaces } from "./table.js";
import { countText, plural, timeText } from "./text.js";

/** How its protocol names an app. @param {any} app */
const nameOf = (app) => app.saml?.entity_id ?? app.ws_fed?.realm ?? "";

/** @param {HTMLElement} main */
export function appsPage(main) {
  fill(
    main,
    el("h1", {}, "Apps"),
    may("AppService/PutApp")
      ? el(
          "p",
          {},
          el("a", { class: "button main", href: "#/apps/+new" }, "Add an app"),
        )
      : null,
    dataTable({
      name: "Apps",
      search: "Search by name",
      columns: [
        {
          title: "Name",
          cell: (app) =>
            el(
              "a",
              { href: `#/apps/${encodeURIComponent(app.id)}` },
              app.label || app.id,
            ),
        },
        {
          title: "Address part",
          wide: true,
          cell: (app) => el("code", {}, app.id),
        },
        {
          title: "Entity id or realm",
          wide: true,
          cell: (app) => nameOf(app),
        },
        {
          title: "Device trust",
          width: "8.5rem",
          cell: (app) =>
            el(
              "span",
              {
                class: `badge ${app.needs_device_challenge ? "good" : "soft"}`,
              },
              app.needs_device_challenge ? "Asked for" : "Not asked",
            ),
        },
      ],
      load: async (query) => {
        const { apps = [] } = await call("AppService/ListApps");
        const wanted = query.toLowerCase();
        return {
          rows: apps.filter((/** @type {any} */ app) =>
            `${app.label} ${app.id}`.toLowerCase().includes(wanted),
          ),
          next: "",
        };
      },
      empty: el(
        "p",
        {},
        "No app yet. Add one by the metadata that it publishes.",
      ),
    }),
  );
}

/** Rules without what is output only. @param {any[]} rules */
const editable = (rules) =>
  structuredClone(rules.filter((rule) => !rule.is_default));

/** @param {HTMLElement} main @param {string} id */
export async function appPage(main, id) {
  const answer = await call("AppService/GetApp", { app_id: id });
  const app = answer.app;
  const readOnly = !may("AppService/SetRules");
  const rules = editable(app.rules ?? []);
  const saved = JSON.stringify(rules);
  const notes = el("div");
  const changedNote = el("span", { class: "soft", role: "status" });
  const save = el(
    "button",
    { type: "button", class: "main", disabled: true },
    "Save rules",
  );
  const draft = () => ({ app_id: id, rules: { rules } });

  const changed = () => {
    const dirty = JSON.stringify(rules) !== saved;
    const wrong = rules.some(
      (rule) =>
        problemsOf(rule, rules, Boolean(app.has_client_conditions)).length > 0,
    );
    save.disabled = !dirty || wrong;
    fill(
      changedNote,
      wrong ? "Something is wrong with a rule." : dirty ? "Not saved yet." : "",
    );
    unsaved = dirty && main.isConnected;
  };
  const editor = ruleEditor({
    rules,
    hasClients: Boolean(app.has_client_conditions),
    readOnly,
    changed,
  });
  save.addEventListener("click", () =>
    saveRules(main, app, rules, answer.version, draft()).catch((error) =>
      fill(notes, problemBox(error)),
    ),
  );

  fill(
    main,
    el("p", {}, el("a", { href: "#/apps" }, "Apps")),
    el("h1", {}, app.label || id),
    el(
      "p",
      { class: "soft" },
      `${app.ws_fed ? "WS-Federation" : "SAML"} app ${nameOf(app)}`,
    ),
    may("AppService/PutApp")
      ? el(
          "p",
          {},
          el(
            "a",
            { class: "button", href: `#/apps/${encodeURIComponent(id)}/edit` },
            "Edit the app",
          ),
        )
      : null,
    lostBox(app.lost_references),
    el("h2", {}, "Rules"),
    el(
      "p",
      { class: "soft" },
      "The first active rule that matches decides. Drag a rule by its handle, or use the arrow keys on it.",
    ),
    editor.element,
    el(
      "p",
      { class: "default-rule soft" },
      "Last: the default rule, which allows and cannot be edited.",
    ),
    readOnly
      ? el(
          "p",
          { class: "soft" },
          "Your role may look at rules and not change them.",
        )
      : el(
          "div",
          { class: "buttons sticky" },
          el(
            "button",
            {
              type: "button",
              onclick: () => {
                rules.push(newRule(`Rule ${rules.length + 1}`));
                editor.draw();
                changed();
                const details = editor.element.querySelector(
                  "li:last-child details",
                );
                if (details instanceof HTMLDetailsElement) details.open = true;
              },
            },
            "Add rule",
          ),
          save,
          changedNote,
        ),
    notes,
    analysisBox(draft),
    whatIfBox(draft),
    may("PolicyAnalysisService/ReplaySignIns") ? replayBox(draft) : null,
    el("section", {}, el("h2", {}, "Versions"), await versions(main, id, app)),
    may("AppService/RemoveApp")
      ? el(
          "div",
          { class: "buttons" },
          el(
            "button",
            { type: "button", class: "danger", onclick: () => remove(app) },
            `Remove ${app.label || id}…`,
          ),
        )
      : null,
  );
}

/** Whether rules were edited and not saved: asked before one goes elsewhere. */
let unsaved = false;
export function hasUnsavedRules() {
  return unsaved;
}
export function forgetUnsavedRules() {
  unsaved = false;
}
addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});

/** @param {any[] | undefined} lost */
function lostBox(lost) {
  if (!lost?.length) return null;
  return el(
    "div",
    { class: "box warn" },
    el("h3", {}, "Rules name what is not there"),
    el(
      "ul",
      {},
      lost.map((one) => el("li", {}, `${one.rule_name}: ${one.name}`)),
    ),
  );
}

/** Shows what would come out otherwise, then saves. @param {HTMLElement} main @param {any} app @param {any[]} rules @param {string} version @param {object} draft */
async function saveRules(main, app, rules, version, draft) {
  const compared = await call("PolicyAnalysisService/ComparePolicies", {
    before: { app_id: app.id },
    after: draft,
  });
  const differences = compared.differences ?? [];
  await ask({
    title: `Save the rules of ${app.label || app.id}?`,
    content: [
      compared.equivalent
        ? el("p", {}, "No sign-in comes out otherwise than before.")
        : el("p", {}, "These sign-ins come out otherwise:"),
      el(
        "ul",
        {},
        differences
          .slice(0, 12)
          .map((/** @type {any} */ one) =>
            el(
              "li",
              {},
              `${one.example_text}: ${outcome(one.outcome_before)} before, ${outcome(one.outcome_after)} now`,
            ),
          ),
      ),
      compared.bound
        ? el("p", { class: "warn" }, `There may be more: ${compared.bound}`)
        : null,
    ],
    button: "Save rules",
    act: async () => {
      await call("AppService/SetRules", {
        app_id: app.id,
        rules,
        expected_version: version,
      });
      forgetUnsavedRules();
      forgetPlaces();
      await appPage(main, app.id);
      say(`Rules of ${app.label || app.id} saved.`);
      return true;
    },
  });
}

/** @param {string | undefined} value */
const outcome = (value) =>
  (value ?? "").replace("OUTCOME_", "").toLowerCase().replaceAll("_", " ");

/** @param {() => object} draft */
function analysisBox(draft) {
  const out = el("div", { "aria-live": "polite" });
  return el(
    "section",
    { class: "box" },
    el("h2", {}, "Analysis"),
    el(
      "p",
      { class: "soft" },
      "Over every sign-in that there may be: rules that are never reached, that lock everybody out, that need certificates nobody has.",
    ),
    el(
      "button",
      {
        type: "button",
        onclick: async () => {
          try {
            const { findings = [], bound } = await call(
              "PolicyAnalysisService/AnalyzePolicy",
              { policy: draft() },
            );
            fill(
              out,
              findings.length
                ? el(
                    "ul",
                    { class: "list" },
                    findings.map((/** @type {any} */ one) =>
                      el(
                        "li",
                        {},
                        el(
                          "span",
                          { class: `badge ${one.warning ? "bad" : "soft"}` },
                          one.warning ? "Warning" : "Note",
                        ),
                        ` ${one.message}`,
                        one.example_text
                          ? el(
                              "p",
                              { class: "soft" },
                              `For example: ${one.example_text}`,
                            )
                          : null,
                      ),
                    ),
                  )
                : el("p", { class: "good" }, "Nothing found."),
              bound
                ? el("p", { class: "warn" }, `There may be more: ${bound}`)
                : null,
            );
          } catch (error) {
            fill(out, problemBox(error));
          }
        },
      },
      "Analyze these rules",
    ),
    out,
  );
}

const DAY_MS = 86_400_000;
const FLIPS_MAX = 20;

/** Sign-ins that are kept, by these rules. @param {() => object} draft */
function replayBox(draft) {
  const out = el("div", { "aria-live": "polite" });
  const days = el(
    "select",
    {},
    el("option", { value: "1" }, "The last day"),
    el("option", { value: "7" }, "The last 7 days"),
    el("option", { value: "" }, "All that are kept"),
  );
  return el(
    "section",
    { class: "box" },
    el("h2", {}, "Recorded sign-ins"),
    el(
      "p",
      { class: "soft" },
      "Those that there were, decided again by these rules: whom they would let in, and whom no more.",
    ),
    el(
      "form",
      {
        class: "inline",
        onsubmit: async (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          try {
            const since = Date.now() - Number(days.value) * DAY_MS;
            const { messages } = await listen(
              "PolicyAnalysisService/ReplaySignIns",
              {
                policy: draft(),
                flips_max: FLIPS_MAX,
                ...(days.value ? { since: new Date(since).toISOString() } : {}),
              },
            );
            fill(out, replayed(messages));
          } catch (error) {
            fill(out, problemBox(error));
          }
        },
      },
      el("label", {}, "Sign-ins", days),
      el("button", { type: "submit" }, "Replay them"),
    ),
    out,
  );
}

/** @param {any[]} messages */
function replayed(messages) {
  const summary = messages.find((one) => one.summary)?.summary;
  if (!summary)
    return [
      el(
        "p",
        { class: "warn" },
        "There are too many for the console. Take fewer days, or ",
        el("code", {}, "dtctl rules replay"),
        ".",
      ),
    ];
  const flips = messages.filter((one) => one.flip).map((one) => one.flip);
  const others = Number(summary.flipped ?? 0);
  const depend = Number(summary.depends_on_device ?? 0);
  return [
    el(
      "p",
      { class: others ? "warn" : "good" },
      `${plural(Number(summary.replayed ?? 0), "sign-in")} replayed: ${others ? countText(others) : "none"} would come out otherwise.`,
    ),
    depend
      ? el(
          "p",
          {},
          `${plural(depend, "sign-in")} more: it depends on a device that nobody asked for then.`,
        )
      : null,
    el(
      "ul",
      { class: "list" },
      flips.map((/** @type {any} */ one) =>
        el(
          "li",
          {},
          `${timeText(one.at)}, ${one.principal}: ${outcome(one.before)} then, ${outcome(one.after)} by these rules${one.depends_on_device ? ", unless its device is trusted" : ""}. `,
          may("DecisionService/ExplainDecision")
            ? el(
                "a",
                { href: `#/explain/${encodeURIComponent(one.code)}` },
                one.code,
              )
            : null,
          one.why ? el("p", { class: "soft" }, one.why) : null,
        ),
      ),
    ),
    others + depend > flips.length
      ? el("p", { class: "soft" }, `These are the first ${flips.length}.`)
      : null,
  ];
}

/** @param {() => object} draft */
function whatIfBox(draft) {
  const out = el("div", { "aria-live": "polite" });
  const field = (
    /** @type {string} */ label,
    /** @type {Record<string, any>} */ attributes,
  ) =>
    el(
      "label",
      {},
      label,
      el("input", { autocomplete: "off", spellcheck: "false", ...attributes }),
    );
  return el(
    "section",
    { class: "box" },
    el("h2", {}, "What if"),
    el(
      "p",
      { class: "soft" },
      "As the rules above decide, saved or not, without anybody signing in.",
    ),
    el(
      "form",
      {
        class: "fields",
        onsubmit: async (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          const data = new FormData(
            /** @type {HTMLFormElement} */ (event.target),
          );
          const signIn = Object.fromEntries(
            [...data.entries()].filter(([, value]) => value !== ""),
          );
          if (signIn.factor_age) signIn.factor_age = "60s";
          try {
            const answer = await call("PolicyAnalysisService/WhatIf", {
              policy: draft(),
              sign_in: signIn,
            });
            fill(out, decisionView(answer.decision));
          } catch (error) {
            fill(out, problemBox(error));
          }
        },
      },
      field("Person, by principal; nobody in particular when empty", {
        name: "user",
        placeholder: "ada@corp.test",
      }),
      field("Address", { name: "address", placeholder: "10.1.2.3" }),
      el(
        "label",
        {},
        "Platform",
        el(
          "select",
          { name: "claimed_platform" },
          el("option", { value: "" }, "Unknown"),
          PLATFORMS.map(([value, text]) => el("option", { value }, text)),
        ),
      ),
      el(
        "label",
        {},
        "Client",
        el(
          "select",
          { name: "client_kind" },
          el("option", { value: "CLIENT_KIND_WEB_BROWSER" }, "Web browser"),
          el(
            "option",
            { value: "CLIENT_KIND_MODERN_AUTH" },
            "Modern authentication",
          ),
          el(
            "option",
            { value: "CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY" },
            "Exchange ActiveSync or legacy",
          ),
        ),
      ),
      el(
        "label",
        {},
        "Device",
        el(
          "select",
          { name: "trust" },
          el("option", { value: "TRUST_STATE_TRUSTED" }, "Trusted"),
          el("option", { value: "TRUST_STATE_NOT_TRUSTED" }, "Not trusted"),
          el("option", { value: "" }, "No challenge was passed"),
        ),
      ),
      el(
        "label",
        { class: "check" },
        el("input", { type: "checkbox", name: "factor_age" }),
        "Second factor shown",
      ),
      el(
        "div",
        { class: "buttons" },
        el("button", { type: "submit" }, "Decide"),
      ),
    ),
    out,
  );
}

/** @param {HTMLElement} main @param {string} id @param {any} app */
async function versions(main, id, app) {
  const object = { kind: "OBJECT_KIND_APP", app_id: id };
  const { versions: list = [] } = await call("HistoryService/ListVersions", {
    object,
    page_size: 50,
  });
  if (list.length === 0)
    return el(
      "p",
      { class: "soft" },
      "None is kept yet: the first change makes one.",
    );
  return el(
    "ol",
    { class: "list versions" },
    list.map((/** @type {any} */ version) =>
      el(
        "li",
        {},
        el("strong", {}, `Version ${version.number}`),
        ` ${version.message || "an earlier release's"}, ${version.at ? timeText(version.at) : ""} ${version.changed_by ? `by ${version.changed_by}` : ""} `,
        version.newest
          ? el("span", { class: "badge good" }, "now")
          : el(
              "button",
              {
                type: "button",
                "aria-label": `Compare version ${version.number}`,
                onclick: () => compare(main, app, object, version),
              },
              "Compare…",
            ),
      ),
    ),
  );
}

/** Lines of one that the other lacks. @param {any[]} one @param {any[]} other */
function lackingIn(one, other) {
  const lines = new Set(
    other.map(
      (rule, index) =>
        `${index + 1}. ${rule.name}: ${ruleText(rule)}${rule.active ? "" : " (inactive)"}`,
    ),
  );
  return one
    .map(
      (rule, index) =>
        `${index + 1}. ${rule.name}: ${ruleText(rule)}${rule.active ? "" : " (inactive)"}`,
    )
    .filter((line) => !lines.has(line));
}

/** @param {HTMLElement} main @param {any} app @param {object} object @param {any} version */
async function compare(main, app, object, version) {
  const then = await call("HistoryService/GetVersion", {
    object,
    number: version.number,
  });
  const now = await call("HistoryService/GetVersion", { object });
  const before = then.app?.rules ?? [];
  const after = now.app?.rules ?? [];
  const gone = lackingIn(before, after);
  const came = lackingIn(after, before);
  const rollback = may("HistoryService/Rollback");
  await ask({
    title: `Version ${version.number} beside the newest`,
    content: [
      gone.length + came.length === 0
        ? el("p", {}, "The rules are the same.")
        : null,
      el(
        "ul",
        { class: "diff" },
        gone.map((line) => el("li", { class: "good" }, `+ ${line}`)),
        came.map((line) => el("li", { class: "bad" }, `− ${line}`)),
      ),
      el(
        "p",
        { class: "soft" },
        rollback
          ? "+ comes back, − goes. The way back is a new version, so nothing is lost."
          : "Going back needs a super admin.",
      ),
    ],
    button: rollback ? `Go back to version ${version.number}` : "Close",
    danger: rollback,
    act: async () => {
      if (!rollback) return true;
      const answer = await call("HistoryService/Rollback", {
        object,
        number: version.number,
        expected_number: now.version.number,
      });
      forgetPlaces();
      await appPage(main, app.id);
      say(
        [
          `${app.label || app.id} is as in version ${version.number}.`,
          ...(answer.warnings ?? []),
        ].join(" "),
      );
      return true;
    },
  });
}

/** @param {any} app */
async function remove(app) {
  const name = app.label || app.id;
  await ask({
    title: `Remove ${name}?`,
    content: [
      el(
        "p",
        {},
        `Nobody signs in to ${name} any more, and its rules go. Decisions that were made for it can still be explained.`,
      ),
    ],
    button: `Remove ${name}`,
    danger: true,
    act: async () => {
      await call("AppService/RemoveApp", { app_id: app.id });
      forgetPlaces();
      forgetUnsavedRules();
      say(`${name} is removed.`);
      location.hash = "#/apps";
      return true;
    },
  });
}
