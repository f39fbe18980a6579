// Event hooks: the System Log told to others by HTTPS.

import { el, fill } from "../dom.js";
import { call, may } from "./api.js";
import { ask, say } from "./dialogs.js";
import { countText, timeText } from "./text.js";

/** @param {HTMLElement} main */
export async function hooksPage(main) {
  const { hooks = [] } = await call("EventHookService/ListHooks");
  const again = () => hooksPage(main);
  const mayChange = may("EventHookService/AddHook");
  fill(
    main,
    el("h1", {}, "Event hooks"),
    el(
      "p",
      { class: "soft" },
      "Each gets the events that its filter lets through, signed, in their order, again and again until it takes them.",
    ),
    mayChange
      ? el(
          "button",
          { type: "button", class: "main", onclick: () => add(again) },
          "Add hook…",
        )
      : null,
    hooks.length === 0
      ? el("p", {}, "No hook yet.")
      : el(
          "ul",
          { class: "list hooks" },
          hooks.map((/** @type {any} */ hook) =>
            hookItem(hook, mayChange, again),
          ),
        ),
  );
}

/** @param {any} hook */
function stateBadge(hook) {
  if (!hook.enabled) return el("span", { class: "badge soft" }, "Paused");
  if (hook.last_error) return el("span", { class: "badge bad" }, "Failing");
  return el("span", { class: "badge good" }, "Delivers");
}

/** @param {any} hook @param {boolean} mayChange @param {() => Promise<void>} again */
function hookItem(hook, mayChange, again) {
  const dead = Number(hook.dead_letters ?? 0);
  /** @param {string} method @param {object} request @param {string} done */
  const act = async (method, request, done) => {
    await call(`EventHookService/${method}`, { name: hook.name, ...request });
    await again();
    say(done);
  };
  /** @param {string} text @param {() => void} onclick @param {string} [kind] */
  const button = (text, onclick, kind) =>
    el(
      "button",
      {
        type: "button",
        class: kind,
        "aria-label": `${text} ${hook.name}`,
        onclick,
      },
      text,
    );
  return el(
    "li",
    { class: "box" },
    el("h2", {}, hook.name, " ", stateBadge(hook)),
    el(
      "dl",
      {},
      [
        ["Address", hook.url],
        ["Filter", hook.expression || "all events"],
        ["Last delivery", timeText(hook.delivered_at)],
        [
          "Last failure",
          hook.last_error
            ? `${timeText(hook.last_error_at)}: ${hook.last_error}`
            : "",
        ],
        [
          "Given up",
          dead
            ? `${countText(dead)} ${dead === 1 ? "delivery" : "deliveries"}`
            : "",
        ],
        ["Added", `${timeText(hook.created_at)} by ${hook.created_by}`],
      ]
        .filter(([, value]) => value)
        .map(([name, value]) =>
          el("div", {}, el("dt", {}, name), el("dd", {}, value)),
        ),
    ),
    mayChange
      ? el(
          "div",
          { class: "buttons" },
          button(hook.enabled ? "Pause" : "Resume", () =>
            act(
              "SetHookEnabled",
              { enabled: !hook.enabled },
              `${hook.name} is ${hook.enabled ? "paused" : "resumed"}.`,
            ),
          ),
          button("Test", () => tryOut(hook)),
          button("New key…", () => rotate(hook, again)),
          dead
            ? button("Send again what was given up:", () =>
                act("ResendDeadLetters", {}, `${hook.name} gets them again.`),
              )
            : null,
          button("Remove…", () => remove(hook, again), "danger"),
        )
      : null,
  );
}

/** Shown once: nobody can ask for it again. @param {string} title @param {any} secret */
async function showSecret(title, secret) {
  await ask({
    title,
    content: [
      el(
        "p",
        {},
        "The receiver checks deliveries with this key. It is shown this once.",
      ),
      el("p", {}, "Key ", el("code", {}, secret.key_id)),
      el("p", {}, el("code", { class: "secret" }, secret.secret)),
    ],
    button: "I have it",
    act: async () => true,
  });
}

/** @param {() => Promise<void>} again */
async function add(again) {
  const text = { autocomplete: "off", spellcheck: "false" };
  const name = el("input", { ...text, required: true, maxlength: 40 });
  const url = el("input", {
    ...text,
    type: "url",
    required: true,
    placeholder: "https://siem.example.com/device-trust",
  });
  const expression = el("input", {
    ...text,
    placeholder: 'eventType sw "pki."',
  });
  const made = await ask({
    title: "Add an event hook",
    content: [
      el("label", {}, "Name: small letters, digits and dashes", name),
      el("label", {}, "Address of the receiver", url),
      el("label", {}, "Filter; empty: all events", expression),
    ],
    button: "Add hook",
    act: async () =>
      call("EventHookService/AddHook", {
        name: name.value,
        url: url.value,
        expression: expression.value,
      }),
  });
  if (!made) return;
  await showSecret(`${made.hook.name} is added`, made.secret);
  await again();
}

/** @param {any} hook */
async function tryOut(hook) {
  const answer = await call("EventHookService/TestHook", { name: hook.name });
  say(
    answer.delivered
      ? `${hook.name} took the test.`
      : `${hook.name} did not take it: ${answer.error}`,
  );
}

/** @param {any} hook @param {() => Promise<void>} again */
async function rotate(hook, again) {
  const hours = el("input", {
    type: "number",
    min: 1,
    max: 720,
    value: "24",
    required: true,
  });
  const made = await ask({
    title: `A new key for ${hook.name}?`,
    content: [el("label", {}, "Hours for which the old one signs, too", hours)],
    button: `Make a new key for ${hook.name}`,
    act: async () =>
      call("EventHookService/RotateHookKey", {
        name: hook.name,
        overlap_hours: Number(hours.value),
      }),
  });
  if (!made) return;
  await showSecret(`${hook.name} has a new key`, made.secret);
  await again();
}

/** @param {any} hook @param {() => Promise<void>} again */
async function remove(hook, again) {
  await ask({
    title: `Remove ${hook.name}?`,
    content: [
      el(
        "p",
        {},
        `${hook.url} is told nothing more, and what was not delivered goes.`,
      ),
    ],
    button: `Remove ${hook.name}`,
    danger: true,
    act: async () => {
      await call("EventHookService/RemoveHook", { name: hook.name });
      await again();
      say(`${hook.name} is removed.`);
      return true;
    },
  });
}
