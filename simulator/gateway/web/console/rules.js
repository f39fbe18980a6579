// The rules of one app as a person edits them: what may be chosen together (POL-1 to POL-4), how they
// are ordered, and what they come to.

import { el, fill } from "../dom.js";

export const PLATFORMS = [
  ["PLATFORM_KIND_WINDOWS", "Windows"],
  ["PLATFORM_KIND_MACOS", "macOS"],
  ["PLATFORM_KIND_IOS", "iOS"],
  ["PLATFORM_KIND_ANDROID", "Android"],
  ["PLATFORM_KIND_OTHER_MOBILE", "Other mobile"],
  ["PLATFORM_KIND_OTHER_DESKTOP", "Other desktop"],
];
export const CLIENTS = [
  ["CLIENT_KIND_WEB_BROWSER", "Web browser"],
  ["CLIENT_KIND_MODERN_AUTH", "Modern authentication"],
  [
    "CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY",
    "Exchange ActiveSync or legacy",
  ],
];
const TRUST = [
  ["TRUST_CONDITION_ANY", "Any device"],
  ["TRUST_CONDITION_TRUSTED", "Trusted"],
  ["TRUST_CONDITION_NOT_TRUSTED", "Not trusted"],
];
const PLACES = [
  ["KIND_ANYWHERE", "Anywhere"],
  ["KIND_ON_NETWORK", "On network"],
  ["KIND_OFF_NETWORK", "Off network"],
  ["KIND_IN_ZONES", "In zones"],
  ["KIND_NOT_IN_ZONES", "Not in zones"],
];
const FREQUENCIES = [
  ["FACTOR_FREQUENCY_ONCE_PER_SESSION", "Once per session"],
  ["FACTOR_FREQUENCY_EVERY_SIGN_ON", "At every sign-on"],
  ["FACTOR_FREQUENCY_EVERY_INTERVAL", "At most every"],
];
/** What may not be selected beside Trusted and Not trusted. */
const NEVER_WITH_TRUST = [
  "PLATFORM_KIND_OTHER_MOBILE",
  "PLATFORM_KIND_OTHER_DESKTOP",
  "CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY",
];

/** @param {string[][]} all */
const keys = (all) => all.map(([key]) => key);
/** @param {string[][]} all @param {string} key */
const labelOf = (all, key) => all.find(([one]) => one === key)?.[1] ?? key;

/** A rule as a new one begins: all clients and platforms are selected (POL-1). @param {string} name */
export function newRule(name) {
  return {
    name,
    active: true,
    people: { everyone: true },
    action: { access: "ACCESS_DENIED" },
  };
}

/** @param {any} rule */
function wantsTrust(rule) {
  return (
    rule.trust === "TRUST_CONDITION_TRUSTED" ||
    rule.trust === "TRUST_CONDITION_NOT_TRUSTED"
  );
}

/**
 * What is wrong with a rule, in sentences (POL-3 and what the org would refuse anyway).
 * @param {any} rule @param {any[]} rules @param {boolean} hasClients
 * @returns {string[]}
 */
export function problemsOf(rule, rules, hasClients) {
  const found = [];
  if (!rule.name?.trim()) found.push("Give the rule a name.");
  if (rules.some((other) => other !== rule && other.name === rule.name))
    found.push(`Another rule is called “${rule.name}”.`);
  const platforms = rule.platforms?.length ? rule.platforms : keys(PLATFORMS);
  const clients = rule.clients?.length
    ? rule.clients
    : hasClients
      ? keys(CLIENTS)
      : [];
  const clash = [...platforms, ...clients].filter((one) =>
    NEVER_WITH_TRUST.includes(one),
  );
  if (wantsTrust(rule) && clash.length > 0) {
    const names = clash.map((one) => labelOf([...PLATFORMS, ...CLIENTS], one));
    found.push(
      `${labelOf(TRUST, rule.trust)} can only be chosen when ${names.join(" and ")} ${names.length === 1 ? "is" : "are"} not selected.`,
    );
  }
  if (rule.active && rule.report_only)
    found.push("A report-only rule cannot be active.");
  const zones = ["KIND_IN_ZONES", "KIND_NOT_IN_ZONES"].includes(
    rule.location?.kind,
  );
  if (zones && !rule.location.zones?.length)
    found.push("Name at least one zone.");
  if (
    !rule.people?.everyone &&
    !rule.people?.user_ids?.length &&
    !rule.people?.groups?.length
  ) {
    found.push("Name at least one person or group, or choose everyone.");
  }
  return found;
}

/** One sentence. @param {any} rule */
export function ruleText(rule) {
  const parts = [];
  parts.push(
    rule.people?.everyone || !rule.people
      ? "Everyone"
      : [...(rule.people.groups ?? []), ...(rule.people.user_ids ?? [])].join(
          ", ",
        ),
  );
  if (rule.clients?.length)
    parts.push(
      rule.clients
        .map((/** @type {string} */ one) => labelOf(CLIENTS, one))
        .join(", "),
    );
  if (rule.platforms?.length && rule.platforms.length < PLATFORMS.length)
    parts.push(
      rule.platforms
        .map((/** @type {string} */ one) => labelOf(PLATFORMS, one))
        .join(", "),
    );
  if (rule.location?.kind && rule.location.kind !== "KIND_ANYWHERE")
    parts.push(
      [
        labelOf(PLACES, rule.location.kind),
        ...(rule.location.zones ?? []),
      ].join(" "),
    );
  if (wantsTrust(rule))
    parts.push(`device ${labelOf(TRUST, rule.trust).toLowerCase()}`);
  const allowed = rule.action?.access === "ACCESS_ALLOWED";
  return `${parts.join(" · ")} → ${allowed ? "allowed" : "denied"}${allowed && rule.action.prompt_for_factor ? " with a second factor" : ""}`;
}

/**
 * The list of rules, edited in place. `changed` is called after each change.
 * @param {{rules: any[], hasClients: boolean, readOnly: boolean, changed: () => void}} settings
 */
export function ruleEditor({ rules, hasClients, readOnly, changed }) {
  const list = el("ol", { class: "rules" });
  const told = el("p", { class: "visually-hidden", role: "status" });
  let dragged = -1;

  /** @param {number} from @param {number} to @param {boolean} focus */
  const move = (from, to, focus) => {
    if (to < 0 || to >= rules.length || from === to) return;
    const [rule] = rules.splice(from, 1);
    rules.splice(to, 0, rule);
    draw();
    changed();
    fill(told, `${rule.name} is now rule ${to + 1} of ${rules.length}.`);
    if (focus)
      /** @type {HTMLElement | null} */ (
        list.children[to]?.querySelector(".handle")
      )?.focus();
  };

  const draw = () => {
    const open = new Set(
      [...list.querySelectorAll("details[open]")].map(
        (one) => /** @type {HTMLElement} */ (one).dataset.rule,
      ),
    );
    fill(
      list,
      ...rules.map((rule, index) => ruleItem(rule, index, open.has(rule.name))),
    );
  };

  /** @param {any} rule @param {number} index @param {boolean} open */
  const ruleItem = (rule, index, open) => {
    const summary = el("span", { class: "soft" }, ruleText(rule));
    const problems = el("div");
    const title = el("strong", {}, rule.name);
    const state = el(
      "span",
      { class: "badge soft", hidden: rule.active },
      rule.report_only ? "report only" : "inactive",
    );
    const check = () => {
      const found = problemsOf(rule, rules, hasClients);
      fill(
        problems,
        ...found.map((text) =>
          el("p", { class: "problem", role: "alert" }, text),
        ),
      );
      fill(summary, ruleText(rule));
      fill(title, rule.name);
      state.hidden = rule.active;
      fill(state, rule.report_only ? "report only" : "inactive");
      item.classList.toggle("wrong", found.length > 0);
    };
    const update = () => {
      check();
      changed();
    };
    const handle = el(
      "button",
      {
        type: "button",
        class: "handle bare",
        draggable: "true",
        disabled: readOnly,
        "aria-label": `Move rule ${index + 1}, ${rule.name}: arrow keys up and down`,
        onkeydown: (/** @type {KeyboardEvent} */ event) => {
          const step =
            event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
          if (step === 0) return;
          event.preventDefault();
          move(index, index + step, true);
        },
        ondragstart: (/** @type {DragEvent} */ event) => {
          dragged = index;
          event.dataTransfer?.setData("text/plain", rule.name);
          event.dataTransfer?.setDragImage(item, 10, 10);
        },
        ondragend: () => {
          dragged = -1;
          list
            .querySelectorAll(".over")
            .forEach((one) => one.classList.remove("over"));
        },
      },
      "⠿",
    );
    const item = el(
      "li",
      {
        class: "rule",
        ondragover: (/** @type {DragEvent} */ event) => {
          if (dragged < 0) return;
          event.preventDefault();
          item.classList.add("over");
        },
        ondragleave: () => item.classList.remove("over"),
        ondrop: (/** @type {DragEvent} */ event) => {
          if (dragged < 0) return;
          event.preventDefault();
          const from = dragged;
          dragged = -1;
          move(from, index, false);
        },
      },
      handle,
      el(
        "details",
        { open, "data-rule": rule.name },
        el("summary", {}, title, " ", state, el("br"), summary),
        ruleFields(rule, hasClients, readOnly, update),
        readOnly
          ? null
          : el(
              "div",
              { class: "buttons" },
              el(
                "button",
                {
                  type: "button",
                  "aria-label": `Move ${rule.name} up`,
                  disabled: index === 0,
                  onclick: () => move(index, index - 1, true),
                },
                "Move up",
              ),
              el(
                "button",
                {
                  type: "button",
                  "aria-label": `Move ${rule.name} down`,
                  disabled: index === rules.length - 1,
                  onclick: () => move(index, index + 1, true),
                },
                "Move down",
              ),
              el(
                "button",
                {
                  type: "button",
                  "aria-label": `Remove ${rule.name} from the list`,
                  onclick: () => {
                    rules.splice(index, 1);
                    draw();
                    changed();
                    fill(
                      told,
                      `${rule.name} is removed from the list. Nothing is saved yet.`,
                    );
                  },
                },
                "Remove from list",
              ),
            ),
      ),
      problems,
    );
    check();
    return item;
  };
  draw();
  return { element: el("div", {}, told, list), draw };
}

/** @param {any} rule @param {boolean} hasClients @param {boolean} readOnly @param {() => void} update */
function ruleFields(rule, hasClients, readOnly, update) {
  rule.people ??= { everyone: true };
  rule.action ??= { access: "ACCESS_DENIED" };

  /** @param {string} label @param {string[]} list @param {string[][]} all @param {(chosen: string[]) => void} set */
  const checks = (label, list, all, set) => {
    const chosen = new Set(list.length ? list : keys(all));
    return el(
      "fieldset",
      { disabled: readOnly },
      el("legend", {}, label),
      all.map(([key, text]) =>
        el(
          "label",
          { class: "check" },
          el("input", {
            type: "checkbox",
            checked: chosen.has(key),
            onchange: (/** @type {Event} */ event) => {
              const box = /** @type {HTMLInputElement} */ (event.target);
              if (!box.checked && chosen.size === 1) {
                box.checked = true; // None would mean all.
                return;
              }
              if (box.checked) chosen.add(key);
              else chosen.delete(key);
              set(
                chosen.size === all.length
                  ? []
                  : keys(all).filter((one) => chosen.has(one)),
              );
              update();
            },
          }),
          text,
        ),
      ),
    );
  };
  /** @param {string} label @param {string[] | undefined} list @param {(names: string[]) => void} set */
  const nameList = (label, list, set) =>
    el(
      "label",
      {},
      label,
      el("input", {
        value: (list ?? []).join(", "),
        disabled: readOnly,
        spellcheck: "false",
        autocomplete: "off",
        oninput: (/** @type {Event} */ event) => {
          set(
            /** @type {HTMLInputElement} */ (event.target).value
              .split(",")
              .map((one) => one.trim())
              .filter(Boolean),
          );
          update();
        },
      }),
    );
  /** @param {string} label @param {string[][]} all @param {string} value @param {(value: string) => void} set */
  const choice = (label, all, value, set) =>
    el(
      "label",
      {},
      label,
      el(
        "select",
        {
          disabled: readOnly,
          onchange: (/** @type {Event} */ event) => {
            set(/** @type {HTMLSelectElement} */ (event.target).value);
            update();
          },
        },
        all.map(([key, text]) =>
          el("option", { value: key, selected: key === value }, text),
        ),
      ),
    );

  const zones = nameList(
    "Zones, by name",
    rule.location?.zones,
    (names) => (rule.location.zones = names),
  );
  zones.hidden = !["KIND_IN_ZONES", "KIND_NOT_IN_ZONES"].includes(
    rule.location?.kind,
  );
  const named = el(
    "div",
    { hidden: rule.people.everyone },
    nameList(
      "Groups",
      rule.people.groups,
      (names) => (rule.people.groups = names),
    ),
    nameList(
      "People, by principal",
      rule.people.user_ids,
      (names) => (rule.people.user_ids = names),
    ),
  );
  const minutes = el(
    "label",
    {
      hidden:
        rule.action.factor_frequency !== "FACTOR_FREQUENCY_EVERY_INTERVAL",
    },
    "Minutes",
    el("input", {
      type: "number",
      min: 1,
      max: 43200,
      value: String(
        Number.parseInt(rule.action.factor_lifetime ?? "3600s", 10) / 60,
      ),
      disabled: readOnly,
      oninput: (/** @type {Event} */ event) => {
        rule.action.factor_lifetime = `${60 * Number(/** @type {HTMLInputElement} */ (event.target).value)}s`;
        update();
      },
    }),
  );
  const factor = el(
    "fieldset",
    { hidden: rule.action.access !== "ACCESS_ALLOWED", disabled: readOnly },
    el("legend", {}, "Second factor"),
    el(
      "label",
      { class: "check" },
      el("input", {
        type: "checkbox",
        checked: Boolean(rule.action.prompt_for_factor),
        onchange: (/** @type {Event} */ event) => {
          rule.action.prompt_for_factor = /** @type {HTMLInputElement} */ (
            event.target
          ).checked;
          update();
        },
      }),
      "Prompt for it",
    ),
    choice(
      "How often",
      FREQUENCIES,
      rule.action.factor_frequency ?? "FACTOR_FREQUENCY_ONCE_PER_SESSION",
      (value) => {
        rule.action.factor_frequency = value;
        const every = value === "FACTOR_FREQUENCY_EVERY_INTERVAL";
        minutes.hidden = !every;
        if (every) rule.action.factor_lifetime ??= "3600s";
        else delete rule.action.factor_lifetime;
      },
    ),
    minutes,
  );

  return el(
    "div",
    { class: "fields" },
    el(
      "label",
      {},
      "Name",
      el("input", {
        value: rule.name,
        maxlength: 128,
        disabled: readOnly,
        oninput: (/** @type {Event} */ event) => {
          rule.name = /** @type {HTMLInputElement} */ (event.target).value;
          update();
        },
      }),
    ),
    choice(
      "State",
      [
        ["active", "Active"],
        ["report", "Report only: for the log alone"],
        ["off", "Inactive"],
      ],
      rule.active ? "active" : rule.report_only ? "report" : "off",
      (value) => {
        rule.active = value === "active";
        rule.report_only = value === "report";
      },
    ),
    choice(
      "People",
      [
        ["everyone", "Everyone"],
        ["named", "Groups and people"],
      ],
      rule.people.everyone ? "everyone" : "named",
      (value) => {
        rule.people.everyone = value === "everyone";
        if (rule.people.everyone) {
          delete rule.people.groups;
          delete rule.people.user_ids;
        }
        named.hidden = rule.people.everyone;
      },
    ),
    named,
    nameList(
      "Except groups",
      rule.people.excluded_groups,
      (names) => (rule.people.excluded_groups = names),
    ),
    choice(
      "Location",
      PLACES,
      rule.location?.kind ?? "KIND_ANYWHERE",
      (value) => {
        rule.location = { kind: value, zones: rule.location?.zones ?? [] };
        const asks = ["KIND_IN_ZONES", "KIND_NOT_IN_ZONES"].includes(value);
        zones.hidden = !asks;
        if (!asks) rule.location.zones = [];
      },
    ),
    zones,
    hasClients
      ? checks(
          "Clients",
          rule.clients ?? [],
          CLIENTS,
          (chosen) => (rule.clients = chosen),
        )
      : null,
    checks(
      "Platforms",
      rule.platforms ?? [],
      PLATFORMS,
      (chosen) => (rule.platforms = chosen),
    ),
    choice(
      "Device trust",
      TRUST,
      rule.trust ?? "TRUST_CONDITION_ANY",
      (value) => (rule.trust = value),
    ),
    choice(
      "Then",
      [
        ["ACCESS_ALLOWED", "Allowed"],
        ["ACCESS_DENIED", "Denied"],
      ],
      rule.action.access,
      (value) => {
        rule.action.access = value;
        factor.hidden = value !== "ACCESS_ALLOWED";
        if (value !== "ACCESS_ALLOWED") rule.action = { access: value };
      },
    ),
    factor,
  );
}
