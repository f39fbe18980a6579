// The System Log: search by filter, live tail, and each event whole.

import { el, fill, put } from "../dom.js";
import { call, listen } from "./api.js";
import { problemBox } from "./dialogs.js";
import { enumText, timeText } from "./text.js";

const PAGE_EVENTS = 100;
const SHOWN_EVENTS_MAX = 2000; // Of a tail: the oldest go.

/** @type {AbortController | null} */
let tail = null;

/** Ends the live tail, when one goes elsewhere. */
export function leaveLog() {
  tail?.abort();
  tail = null;
}

/** @param {any} event */
function eventItem(event) {
  const result = event.outcome?.result ?? "";
  const bad = result.endsWith("FAILURE") || result.endsWith("DENY");
  const body = el("div");
  return el(
    "details",
    {
      class: "event",
      ontoggle: (/** @type {Event} */ toggle) => {
        const open = /** @type {HTMLDetailsElement} */ (toggle.target).open;
        if (open && !body.hasChildNodes()) {
          const id = event.debug_data?.code;
          put(
            body,
            id
              ? el(
                  "p",
                  {},
                  el(
                    "a",
                    { href: `#/explain/${encodeURIComponent(id)}` },
                    `Why: explain ${id}`,
                  ),
                )
              : null,
          );
          body.append(
            el(
              "pre",
              { tabindex: 0, role: "region", "aria-label": "The whole event" },
              JSON.stringify(event, null, 2),
            ),
          );
        }
      },
    },
    el(
      "summary",
      {},
      el("time", { datetime: event.at }, timeText(event.at)),
      el("code", {}, event.type),
      el("span", { class: "who" }, event.actor?.display_name ?? ""),
      el(
        "span",
        { class: `badge ${bad ? "bad" : "good"}` },
        enumText(result, "RESULT_") || "None",
      ),
      el(
        "span",
        { class: "message" },
        [event.display_message, event.outcome?.reason]
          .filter(Boolean)
          .join(": "),
      ),
    ),
    body,
  );
}

/** @param {HTMLElement} main @param {string} given An expression. */
export async function logPage(main, given) {
  leaveLog();
  const expression = el("input", {
    name: "expression",
    value: given,
    spellcheck: "false",
    autocomplete: "off",
    placeholder:
      'eventType eq "pki.cert.revoke" and outcome.result eq "SUCCESS"',
    "aria-describedby": "filter-help",
  });
  const live = el("input", { type: "checkbox", role: "switch" });
  const list = el("div", {
    class: "events",
    role: "log",
    "aria-label": "Events, newest first",
  });
  const notes = el("div");
  const status = el("p", { class: "soft", role: "status" });
  const more = el("button", { type: "button", hidden: true }, "Older events");
  let token = "";

  const load = async (/** @type {boolean} */ anew) => {
    fill(notes);
    try {
      const page = await call("SystemLogService/SearchEvents", {
        filter: { expression: expression.value },
        page_size: PAGE_EVENTS,
        page_token: anew ? "" : token,
      });
      if (anew) fill(list);
      for (const event of page.events ?? []) list.append(eventItem(event));
      token = page.next_page_token ?? "";
      more.hidden = !token;
      fill(
        status,
        list.childElementCount === 0
          ? token
            ? "None so far: look at older events."
            : "No event fits this filter."
          : "",
      );
      return page.events?.[0]?.sequence ?? "0";
    } catch (error) {
      fill(notes, problemBox(error));
      return "";
    }
  };
  more.addEventListener("click", () => load(false));

  const follow = async (/** @type {string} */ from) => {
    const controller = new AbortController();
    tail = controller;
    let after = from;
    fill(status, "Live: new events appear on top.");
    while (!controller.signal.aborted) {
      try {
        const said = await listen(
          "SystemLogService/TailEvents",
          { filter: { expression: expression.value }, after_sequence: after },
          controller.signal,
        );
        for (const message of said.messages) {
          for (const event of message.events ?? [])
            list.prepend(eventItem(event));
          if (message.sequence) after = message.sequence;
        }
        while (list.childElementCount > SHOWN_EVENTS_MAX)
          list.lastElementChild?.remove();
      } catch (error) {
        if (controller.signal.aborted) return;
        live.checked = false;
        controller.abort();
        fill(notes, problemBox(error));
        fill(status);
      }
    }
  };

  const begin = async () => {
    leaveLog();
    const newest = await load(true);
    if (live.checked && newest !== "") follow(newest);
  };
  live.addEventListener("change", begin);

  fill(
    main,
    el("h1", {}, "System Log"),
    el(
      "form",
      {
        class: "inline",
        role: "search",
        onsubmit: (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          history.replaceState(
            null,
            "",
            `#/log/${encodeURIComponent(expression.value)}`,
          );
          begin();
        },
      },
      el("label", {}, "Filter", expression),
      el("button", { type: "submit" }, "Search"),
      el("label", { class: "check" }, live, "Live"),
    ),
    el(
      "p",
      { class: "soft", id: "filter-help" },
      "By eventType, actor.alternateId, target.id, outcome.result, client.ipAddress and more, with eq, ne, co, sw, pr, gt, and, or, not.",
    ),
    notes,
    status,
    list,
    more,
  );
  await begin();
}

/** One decision with every condition of every rule. @param {HTMLElement} main @param {string} code */
export async function explainPage(main, code) {
  const input = el("input", {
    name: "code",
    value: code,
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "7F3K-9QXD",
  });
  const answer = el("div");
  fill(
    main,
    el("h1", {}, "Why was a sign-in refused?"),
    el(
      "form",
      {
        class: "inline",
        onsubmit: (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          location.hash = `#/explain/${encodeURIComponent(input.value.trim())}`;
        },
      },
      el("label", {}, "The code on the page that the person saw", input),
      el("button", { type: "submit", class: "main" }, "Explain"),
    ),
    answer,
  );
  if (!code) return;
  const { decision } = await call("DecisionService/ExplainDecision", { code });
  fill(answer, decisionView(decision));
}

/** @param {any} decision */
export function decisionView(decision) {
  const denied = decision.outcome === "OUTCOME_DENIED";
  return el(
    "section",
    { class: "box" },
    el(
      "h2",
      {},
      el(
        "span",
        { class: `badge ${denied ? "bad" : "good"}` },
        enumText(decision.outcome, "OUTCOME_"),
      ),
      ` by rule ${decision.rule_index ?? ""} “${decision.rule_name ?? ""}”`,
    ),
    decision.remedy ? el("p", { class: "problem" }, decision.remedy) : null,
    el(
      "dl",
      {},
      [
        ["When", decision.at ? timeText(decision.at) : ""],
        ["App", decision.app_label],
        ["Person", decision.user?.principal],
        ["Address", decision.client?.address],
        ["Device", decision.device_id],
        [
          "Device trust",
          [
            enumText(decision.trust, "TRUST_STATE_"),
            enumText(decision.trust_reason, "REASON_"),
          ]
            .filter(Boolean)
            .join(": "),
        ],
      ]
        .filter(([, value]) => value)
        .map(([name, value]) =>
          el("div", {}, el("dt", {}, name), el("dd", {}, value)),
        ),
    ),
    el(
      "ol",
      { class: "trace" },
      (decision.rules ?? []).map((/** @type {any} */ rule) =>
        el(
          "li",
          { value: rule.index },
          el("strong", {}, rule.name),
          " ",
          rule.matched
            ? el("span", { class: "badge good" }, "decides")
            : rule.report_only
              ? el(
                  "span",
                  { class: "badge soft" },
                  rule.holds ? "report only, would match" : "report only",
                )
              : rule.active
                ? null
                : el("span", { class: "badge soft" }, "inactive"),
          el(
            "ul",
            {},
            (rule.conditions ?? []).map((/** @type {any} */ condition) =>
              el(
                "li",
                { class: condition.matched ? "good" : "bad" },
                `${condition.matched ? "✓" : "✗"} ${condition.condition}: wants ${condition.wanted || "anything"}, is ${condition.seen || "unknown"}`,
              ),
            ),
          ),
        ),
      ),
    ),
  );
}
