// People, and what one of them has (ORG-4): certificates, a second factor, a status.

import { el, fill } from "../dom.js";
import { call, may } from "./api.js";
import { certificateTable, goodList, listCertificates } from "./devices.js";
import { ask, problemBox, say } from "./dialogs.js";
import { dataTable, forgetPlaces } from "./table.js";
import { countText, enumText, personText, plural, timeText } from "./text.js";

/** @param {any} user */
function statusBadge(user) {
  const active = user.status === "USER_STATUS_ACTIVE";
  return el(
    "span",
    { class: `badge ${active ? "good" : "bad"}` },
    active ? "Active" : "Deactivated",
  );
}

const SYNC_LOOK_MS = 1000;
const SYNC_LOOKS_MAX = 120;

/** What keeps people: the directories that are read, and how far that is (ORG-4). */
function directories() {
  const place = el("div");
  if (!may("PeopleSyncService/GetPeopleSync")) return place;
  /** @returns {Promise<any[]>} */
  const look = async () => {
    const { domains = [] } = await call("PeopleSyncService/GetPeopleSync");
    fill(place, domains.map(box));
    return domains;
  };
  /** Shows how far it is until the pass after `passes` has ended. @param {string} domain @param {number} passes */
  const follow = async (domain, passes) => {
    for (
      let looks = 0;
      looks < SYNC_LOOKS_MAX && place.isConnected;
      looks += 1
    ) {
      const one = (await look()).find((each) => each.domain === domain);
      if (!one || Number(one.passes ?? 0) > passes) return;
      await new Promise((later) => setTimeout(later, SYNC_LOOK_MS));
    }
  };
  /** @param {any} one */
  const box = (one) => {
    const stopped = one.state === "STATE_STOPPED";
    const bad = stopped || one.state === "STATE_FAILED";
    return el(
      "section",
      { class: "box", "aria-label": `Directory of ${one.domain}` },
      el(
        "h2",
        {},
        `Directory of ${one.domain} `,
        el(
          "span",
          { class: `badge ${bad ? "bad" : "good"}` },
          enumText(one.state, "STATE_"),
        ),
      ),
      one.error ? el("p", { class: "problem" }, one.error) : null,
      stopped
        ? el(
            "p",
            { class: "problem" },
            `It would deactivate ${countText(one.deactivations)} people, ${(one.deactivated_examples ?? []).join(", ")} among them, and waits for an administrator.`,
          )
        : null,
      el(
        "p",
        { class: "soft" },
        `${countText(one.people)} people in ${plural(Number(one.groups ?? 0), "group")}; last read ${timeText(one.synced_at)}.`,
      ),
      one.refused?.length
        ? el(
            "details",
            {},
            el("summary", {}, "Not taken"),
            el(
              "ul",
              {},
              one.refused.map((/** @type {string} */ text) =>
                el("li", {}, text),
              ),
            ),
          )
        : null,
      el(
        "div",
        { class: "buttons" },
        may("PeopleSyncService/RunPeopleSync")
          ? el(
              "button",
              {
                type: "button",
                "aria-label": `Read the directory of ${one.domain} now`,
                onclick: async () => {
                  await call("PeopleSyncService/RunPeopleSync", {
                    domain: one.domain,
                  });
                  say(`The directory of ${one.domain} is being read.`);
                  forgetPlaces();
                  await follow(one.domain, Number(one.passes ?? 0));
                },
              },
              "Read it now",
            )
          : null,
        stopped && may("PeopleSyncService/ApprovePeopleSync")
          ? el(
              "button",
              { type: "button", class: "danger", onclick: () => approve(one) },
              `Let it deactivate ${countText(one.deactivations)}…`,
            )
          : null,
      ),
    );
  };
  /** @param {any} one */
  const approve = (one) =>
    ask({
      title: `Deactivate ${countText(one.deactivations)} people of ${one.domain}?`,
      content: [
        el(
          "p",
          {},
          "Their sign-ins end and their certificates are revoked. Check first that the directory really has them no longer.",
        ),
      ],
      button: `Deactivate ${countText(one.deactivations)} people`,
      danger: true,
      act: async () => {
        await call("PeopleSyncService/ApprovePeopleSync", {
          domain: one.domain,
          deactivations: one.deactivations,
        });
        say(`The directory of ${one.domain} is read, and deactivates them.`);
        forgetPlaces();
        follow(one.domain, Number(one.passes ?? 0));
        return true;
      },
    });
  // The people are worth seeing without it.
  look().catch((error) => fill(place, problemBox(error)));
  return place;
}

/** @param {HTMLElement} main */
export function peoplePage(main) {
  fill(
    main,
    el("h1", {}, "People"),
    directories(),
    dataTable({
      name: "People",
      search: "Search by name or principal",
      placeholder: "ada@corp.test",
      columns: [
        {
          title: "Name",
          cell: (user) =>
            el(
              "a",
              { href: `#/people/${encodeURIComponent(user.id)}` },
              personText(user),
            ),
        },
        { title: "Principal", cell: (user) => user.principal },
        {
          title: "Groups",
          wide: true,
          cell: (user) => (user.groups ?? []).join(", "),
        },
        {
          title: "Second factor",
          wide: true,
          width: "9rem",
          cell: (user) => (user.factors?.length ? "Yes" : "No"),
        },
        { title: "Status", width: "8.5rem", cell: statusBadge },
      ],
      load: async (query, token) => {
        const page = await call("UserService/ListUsers", {
          query,
          page_size: 500,
          page_token: token,
        });
        return { rows: page.users ?? [], next: page.next_page_token ?? "" };
      },
      empty: el(
        "p",
        {},
        "Nobody is here yet. People come from Active Directory: start dt-policy with --people, or ",
        el("code", {}, "dtctl people import FILE"),
        ".",
      ),
    }),
  );
}

/** @param {HTMLElement} main @param {string} id */
export async function personPage(main, id) {
  const { user } = await call("UserService/GetUser", { id });
  const active = user.status === "USER_STATUS_ACTIVE";
  const again = async () => {
    forgetPlaces();
    await personPage(main, id);
  };

  const facts = el(
    "dl",
    {},
    [
      ["Principal", user.principal],
      ["E-mail", user.email],
      ["Account", user.account_name],
      ["SID", user.sid],
      ["Groups", (user.groups ?? []).join(", ") || "none"],
      [
        "Kept by",
        user.synced_from ? `the directory of ${user.synced_from}` : "import",
      ],
      ["Second factor", user.factors?.length ? "Yes" : "None"],
    ].map(([name, value]) =>
      el("div", {}, el("dt", {}, name), el("dd", {}, value || "not known")),
    ),
  );

  const acts = el("div", { class: "buttons" });
  if (may("CertificateAdminService/RevokeForUser")) {
    acts.append(
      el(
        "button",
        { type: "button", class: "danger", onclick: () => revoke(user, again) },
        "Revoke Trust Certificate…",
      ),
    );
  }
  if (may("UserService/SetUserStatus")) {
    acts.append(
      el(
        "button",
        { type: "button", onclick: () => setStatus(user, !active, again) },
        active ? "Deactivate…" : "Activate…",
      ),
    );
  }
  if (may("UserService/ResetFactors") && user.factors?.length) {
    acts.append(
      el(
        "button",
        { type: "button", onclick: () => resetFactor(user, again) },
        "Remove second factor…",
      ),
    );
  }
  fill(
    main,
    el("p", {}, el("a", { href: "#/people" }, "People")),
    el("h1", {}, personText(user), " ", statusBadge(user)),
    facts,
    acts,
    may("DiagnosticsService/Diagnose")
      ? el(
          "p",
          {},
          el(
            "a",
            { href: `#/doctor/user/${encodeURIComponent(id)}` },
            "Why is this person not let in?",
          ),
        )
      : null,
    el("h2", {}, "Certificates"),
    certificateTable(
      { user_id: id },
      `Certificates of ${personText(user)}`,
      again,
    ),
  );
}

/** @param {any} user @param {() => Promise<void>} again */
async function revoke(user, again) {
  const all = await listCertificates({ user_id: user.id }, 1000);
  const now = Date.now();
  const good = all.filter(
    (one) => !one.revoked_at && Date.parse(one.not_after) > now,
  );
  if (good.length === 0) {
    say(`${personText(user)} has no certificate that could be revoked.`);
    return;
  }
  const what = plural(good.length, "certificate");
  const reason = el(
    "select",
    { name: "reason" },
    el(
      "option",
      { value: "REVOCATION_REASON_CESSATION_OF_OPERATION" },
      "The computer is no longer used",
    ),
    el(
      "option",
      { value: "REVOCATION_REASON_KEY_COMPROMISE" },
      "Lost or stolen: the key is never certified again",
    ),
    el(
      "option",
      { value: "REVOCATION_REASON_AFFILIATION_CHANGED" },
      "The person has left",
    ),
  );
  await ask({
    title: `Revoke ${what} of ${personText(user)}?`,
    content: [
      el(
        "p",
        {},
        "Every gateway refuses them within a second. The person's computers may enroll again.",
      ),
      goodList(good),
      el("label", {}, "Why", reason),
    ],
    button: `Revoke ${what} of ${personText(user)}`,
    danger: true,
    act: async () => {
      const answer = await call("CertificateAdminService/RevokeForUser", {
        user_id: user.id,
        reason: reason.value,
      });
      say(
        `${plural(Number(answer.revoked ?? 0), "certificate")} of ${personText(user)} revoked.`,
      );
      await again();
      return true;
    },
  });
}

/** @param {any} user @param {boolean} activate @param {() => Promise<void>} again */
async function setStatus(user, activate, again) {
  const verb = activate ? "Activate" : "Deactivate";
  const good = activate
    ? []
    : (await listCertificates({ user_id: user.id }, 1000)).filter(
        (one) => !one.revoked_at,
      );
  await ask({
    title: `${verb} ${personText(user)}?`,
    content: [
      el(
        "p",
        {},
        activate
          ? "The person may sign in and enroll again."
          : `Ends every sign-in of this person and revokes ${plural(good.length, "certificate")}.`,
      ),
      good.length ? goodList(good) : null,
    ],
    button: `${verb} ${personText(user)}`,
    danger: !activate,
    act: async () => {
      await call("UserService/SetUserStatus", {
        user_id: user.id,
        status: activate ? "USER_STATUS_ACTIVE" : "USER_STATUS_DEACTIVATED",
      });
      say(`${personText(user)} is ${activate ? "active" : "deactivated"}.`);
      await again();
      return true;
    },
  });
}

/** @param {any} user @param {() => Promise<void>} again */
async function resetFactor(user, again) {
  await ask({
    title: `Remove the second factor of ${personText(user)}?`,
    content: [
      el(
        "p",
        {},
        "Until there is another one, no rule that prompts for a factor lets this person in.",
      ),
    ],
    button: `Remove the second factor of ${personText(user)}`,
    danger: true,
    act: async () => {
      await call("UserService/ResetFactors", { user_id: user.id });
      say(`${personText(user)} has no second factor now.`);
      await again();
      return true;
    },
  });
}
