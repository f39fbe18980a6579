// Who administers the org.

import { el, fill } from "../dom.js";
import { call, may } from "./api.js";
import { ask, say } from "./dialogs.js";
import { dayText, enumText, personText } from "./text.js";

const ROLES = [
  ["ROLE_READ_ONLY", "Read only: looks at everything"],
  ["ROLE_HELP_DESK", "Help desk: people, devices and certificates"],
  ["ROLE_APP_ADMIN", "App admin: apps, rules and zones"],
  ["ROLE_SUPER_ADMIN", "Super admin: everything"],
];

/** @param {HTMLElement} main */
export async function adminsPage(main) {
  const { admins = [] } = await call("AdminRoleService/ListAdmins");
  const again = () => adminsPage(main);
  const mayGrant = may("AdminRoleService/GrantRole");
  fill(
    main,
    el("h1", {}, "Administrators"),
    mayGrant
      ? el(
          "button",
          { type: "button", class: "main", onclick: () => grant(again) },
          "Give a role…",
        )
      : null,
    el(
      "table",
      {},
      el("caption", { class: "visually-hidden" }, "Administrators"),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ["Person", "Role", "Given", ""].map((text) =>
            el("th", { scope: "col" }, text),
          ),
        ),
      ),
      el(
        "tbody",
        {},
        admins.map((/** @type {any} */ one) =>
          el(
            "tr",
            {},
            el(
              "th",
              { scope: "row" },
              el(
                "a",
                { href: `#/people/${encodeURIComponent(one.user.id)}` },
                personText(one.user),
              ),
            ),
            el(
              "td",
              {},
              enumText(one.role, "ROLE_"),
              one.user.factors?.length
                ? null
                : el("p", { class: "warn" }, "No second factor"),
            ),
            el("td", {}, `${dayText(one.granted_at)} by ${one.granted_by}`),
            el(
              "td",
              {},
              may("AdminRoleService/RevokeRole")
                ? el(
                    "button",
                    {
                      type: "button",
                      "aria-label": `Take the role of ${personText(one.user)} away`,
                      onclick: () => take(one, again),
                    },
                    "Take away…",
                  )
                : null,
            ),
          ),
        ),
      ),
    ),
  );
}

/** @param {() => Promise<void>} again */
async function grant(again) {
  const user = el("input", {
    name: "user",
    required: true,
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "ada@corp.test",
  });
  const role = el(
    "select",
    {},
    ROLES.map(([value, text]) => el("option", { value }, text)),
  );
  await ask({
    title: "Give somebody a role",
    content: [
      el("label", {}, "Principal", user),
      el("label", {}, "Role", role),
      el("p", { class: "soft" }, "It counts from the next sign-in on."),
    ],
    button: "Give the role",
    act: async () => {
      const answer = await call("AdminRoleService/GrantRole", {
        user: user.value,
        role: role.value,
      });
      say(
        answer.warning
          ? `Done. ${personText(answer.admin.user)} has no second factor yet.`
          : `${personText(answer.admin.user)} is ${enumText(role.value, "ROLE_")}.`,
      );
      await again();
      return true;
    },
  });
}

/** @param {any} one @param {() => Promise<void>} again */
async function take(one, again) {
  await ask({
    title: `Take the role of ${personText(one.user)} away?`,
    content: [
      el(
        "p",
        {},
        `${enumText(one.role, "ROLE_")} since ${dayText(one.granted_at)}. The next call is refused.`,
      ),
    ],
    button: `Take the role of ${personText(one.user)} away`,
    danger: true,
    act: async () => {
      await call("AdminRoleService/RevokeRole", { user: one.user.id });
      say(`${personText(one.user)} administers nothing any more.`);
      await again();
      return true;
    },
  });
}
