// Certificates by device and by user, blocked computers, and who signs them.

import { el, fill } from "../dom.js";
import { call, may } from "./api.js";
import { ask, say } from "./dialogs.js";
import { dataTable, forgetPlaces } from "./table.js";
import { dayText, enumText, plural, timeText } from "./text.js";

/**
 * The first `count` certificates that fit.
 * @param {object} filter
 * @param {number} count
 * @returns {Promise<any[]>}
 */
export async function listCertificates(filter, count) {
  const page = await call("CertificateAdminService/ListCertificates", {
    ...filter,
    page_size: count,
  });
  return page.certificates ?? [];
}

/** Certificates that are good, as a list that names each. @param {any[]} good */
export function goodList(good) {
  return el(
    "ul",
    {},
    good
      .slice(0, 20)
      .map((one) =>
        el(
          "li",
          {},
          el("code", {}, one.serial),
          `, until ${dayText(one.not_after)}`,
        ),
      ),
    good.length > 20 ? el("li", {}, `and ${good.length - 20} more`) : null,
  );
}

/** @param {any} one */
function stateBadge(one) {
  if (one.revoked_at) {
    const held = one.reason === "REVOCATION_REASON_CERTIFICATE_HOLD";
    return el(
      "span",
      { class: held ? "badge warn" : "badge bad" },
      held ? "On hold" : "Revoked",
    );
  }
  const over = Date.parse(one.not_after) <= Date.now();
  return el(
    "span",
    { class: over ? "badge soft" : "badge good" },
    over ? "Expired" : "Good",
  );
}

/** Who an id is, asked once. @type {Map<string, Promise<string>>} */
const names = new Map();
/** @param {string} id */
function nameOf(id) {
  const link = el("a", { href: `#/people/${encodeURIComponent(id)}` }, id);
  let name = names.get(id);
  if (name === undefined) {
    name = call("UserService/GetUser", { id }).then(
      (answer) => answer.user.principal,
      () => id,
    );
    names.set(id, name);
  }
  name.then((text) => fill(link, text));
  return link;
}

/**
 * @param {object} filter
 * @param {string} name
 * @param {() => Promise<void>} again
 */
export function certificateTable(filter, name, again) {
  return dataTable({
    name,
    columns: [
      { title: "Serial", cell: (one) => el("code", {}, one.serial) },
      { title: "Person", cell: (one) => nameOf(one.user_id) },
      {
        title: "Device",
        wide: true,
        cell: (one) =>
          el(
            "a",
            { href: `#/devices/${encodeURIComponent(one.device_id)}` },
            el("code", {}, one.device_id),
          ),
      },
      {
        title: "Issued",
        wide: true,
        width: "8rem",
        cell: (one) => dayText(one.issued_at),
      },
      {
        title: "Until",
        wide: true,
        width: "8rem",
        cell: (one) => dayText(one.not_after),
      },
      { title: "State", width: "6.5rem", cell: stateBadge },
      { title: "", width: "6.5rem", cell: (one) => actOf(one, again) },
    ],
    load: async (query, token) => {
      const page = await call("CertificateAdminService/ListCertificates", {
        ...filter,
        ...(query ? { serial: query.replaceAll(/[\s:]/g, "") } : {}),
        page_size: 500,
        page_token: token,
      });
      return {
        rows: page.certificates ?? [],
        next: page.next_page_token ?? "",
      };
    },
    search:
      "user_id" in filter || "device_id" in filter
        ? undefined
        : "Find by serial number",
    placeholder: "as the certificate prints it",
    empty:
      "No certificate. A computer of the domain gets one when its registration task runs: docs/operations.md says how it is set up.",
  });
}

/** @param {any} one @param {() => Promise<void>} again */
function actOf(one, again) {
  if (one.revoked_at && one.reason === "REVOCATION_REASON_CERTIFICATE_HOLD") {
    if (!may("CertificateAdminService/ReleaseHold")) return null;
    return el(
      "button",
      {
        type: "button",
        onclick: () => release(one, again),
        "aria-label": `Release certificate ${one.serial}`,
      },
      "Release…",
    );
  }
  if (one.revoked_at || !may("CertificateAdminService/RevokeCertificate"))
    return null;
  return el(
    "button",
    {
      type: "button",
      onclick: () => revoke(one, again),
      "aria-label": `Revoke certificate ${one.serial}`,
    },
    "Revoke…",
  );
}

/** @param {any} one @param {() => Promise<void>} again */
async function revoke(one, again) {
  const reason = el(
    "select",
    {},
    el(
      "option",
      { value: "REVOCATION_REASON_CESSATION_OF_OPERATION" },
      "The computer is no longer used",
    ),
    el(
      "option",
      { value: "REVOCATION_REASON_CERTIFICATE_HOLD" },
      "For a while: put it on hold",
    ),
    el(
      "option",
      { value: "REVOCATION_REASON_KEY_COMPROMISE" },
      "Lost or stolen: the key is never certified again",
    ),
  );
  await ask({
    title: `Revoke certificate ${one.serial}?`,
    content: [
      el(
        "p",
        {},
        `Of device ${one.device_id}, good until ${dayText(one.not_after)}. Every gateway refuses it within a second.`,
      ),
      el("label", {}, "Why", reason),
    ],
    button: `Revoke ${one.serial}`,
    danger: true,
    act: async () => {
      await call("CertificateAdminService/RevokeCertificate", {
        serial: one.serial,
        reason: reason.value,
      });
      say(
        `Certificate ${one.serial} is ${reason.value.endsWith("HOLD") ? "on hold" : "revoked"}.`,
      );
      await again();
      return true;
    },
  });
}

/** @param {any} one @param {() => Promise<void>} again */
async function release(one, again) {
  await ask({
    title: `Release certificate ${one.serial}?`,
    content: [
      el(
        "p",
        {},
        `It is on hold since ${timeText(one.revoked_at)}, and will be good again.`,
      ),
    ],
    button: `Release ${one.serial}`,
    act: async () => {
      await call("CertificateAdminService/ReleaseHold", { serial: one.serial });
      say(`Certificate ${one.serial} is good again.`);
      await again();
      return true;
    },
  });
}

/** @param {HTMLElement} main */
export async function devicesPage(main) {
  const [blocked, issuers] = await Promise.all([
    call("CertificateAdminService/ListBlockedDevices", { page_size: 1000 }),
    call("IssuerAdminService/ListIssuers"),
  ]);
  const again = () => devicesPage(main);
  fill(
    main,
    el("h1", {}, "Devices and certificates"),
    certificateTable({}, "Certificates", again),
    el("h2", {}, "Blocked computers"),
    blocked.devices?.length
      ? el(
          "ul",
          { class: "list" },
          blocked.devices.map((/** @type {any} */ one) =>
            el(
              "li",
              {},
              el("code", {}, one.computer_sid || one.device_id),
              ` since ${timeText(one.blocked_at)}, by ${one.requested_by} `,
              may("CertificateAdminService/UnblockDevice")
                ? el(
                    "button",
                    { type: "button", onclick: () => unblock(one, again) },
                    "Let it enroll…",
                  )
                : null,
            ),
          ),
        )
      : el("p", { class: "soft" }, "None."),
    may("CertificateAdminService/BlockDevice")
      ? el(
          "button",
          { type: "button", onclick: () => block("", again) },
          "Block a computer…",
        )
      : null,
    may("CertificateAdminService/ListBlockedKeys")
      ? [el("h2", {}, "Keys that are never certified again"), keyTable()]
      : null,
    el("h2", {}, "Issuers"),
    el(
      "ul",
      { class: "list" },
      (issuers.issuers ?? []).map((/** @type {any} */ one) =>
        el(
          "li",
          {},
          el("code", {}, one.id),
          ` ${enumText(one.state, "ISSUER_STATE_")}, until ${dayText(one.not_after)}`,
        ),
      ),
    ),
  );
}

/** Keys of certificates that were revoked because theirs was lost or stolen. */
function keyTable() {
  return dataTable({
    name: "Blocked keys",
    columns: [
      { title: "Thumbprint", cell: (one) => el("code", {}, one.thumbprint) },
      { title: "Of certificate", cell: (one) => el("code", {}, one.serial) },
      {
        title: "Since",
        wide: true,
        cell: (one) => timeText(one.blocked_at),
      },
      { title: "By", wide: true, cell: (one) => one.requested_by },
    ],
    load: async (_, token) => {
      const page = await call("CertificateAdminService/ListBlockedKeys", {
        page_size: 500,
        page_token: token,
      });
      return { rows: page.keys ?? [], next: page.next_page_token ?? "" };
    },
    empty: "None. A key comes here when its certificate is lost or stolen.",
  });
}

/** One computer: whose certificates it has, and what ends them. @param {HTMLElement} main @param {string} id */
export async function devicePage(main, id) {
  const again = async () => {
    forgetPlaces();
    await devicePage(main, id);
  };
  fill(
    main,
    el("p", {}, el("a", { href: "#/devices" }, "Devices and certificates")),
    el("h1", {}, "Computer ", el("code", {}, id)),
    el(
      "div",
      { class: "buttons" },
      may("CertificateAdminService/RevokeForDevice")
        ? el(
            "button",
            {
              type: "button",
              class: "danger",
              onclick: () => revokeAll(id, again),
            },
            "Revoke its certificates…",
          )
        : null,
      may("CertificateAdminService/BlockDevice")
        ? el(
            "button",
            { type: "button", onclick: () => block(id, again) },
            "Block this computer…",
          )
        : null,
    ),
    may("DiagnosticsService/Diagnose")
      ? el(
          "p",
          {},
          el(
            "a",
            { href: `#/doctor/device/${encodeURIComponent(id)}` },
            "Why is this computer not trusted?",
          ),
        )
      : null,
    el("h2", {}, "Certificates"),
    certificateTable({ device_id: id }, `Certificates of ${id}`, again),
  );
}

/** @param {string} id @param {() => Promise<void>} again */
async function revokeAll(id, again) {
  const now = Date.now();
  const good = (await listCertificates({ device_id: id }, 1000)).filter(
    (one) => !one.revoked_at && Date.parse(one.not_after) > now,
  );
  if (good.length === 0) {
    say("The computer has no certificate that could be revoked.");
    return;
  }
  const what = plural(good.length, "certificate");
  const reason = computerReasons();
  await ask({
    title: `Revoke ${what} of ${id}?`,
    content: [
      el(
        "p",
        {},
        "Whoever they are for. Every gateway refuses them within a second. The computer may enroll again: blocking it keeps it from that.",
      ),
      goodList(good),
      el("label", {}, "Why", reason),
    ],
    button: `Revoke ${what}`,
    danger: true,
    act: async () => {
      const answer = await call("CertificateAdminService/RevokeForDevice", {
        device: { device_id: id },
        reason: reason.value,
      });
      say(
        `${plural(Number(answer.revoked ?? 0), "certificate")} of ${id} ${reason.value.endsWith("HOLD") ? "on hold" : "revoked"}.`,
      );
      await again();
      return true;
    },
  });
}

/** Why all certificates of a computer are revoked. */
function computerReasons() {
  return el(
    "select",
    {},
    el(
      "option",
      { value: "REVOCATION_REASON_CESSATION_OF_OPERATION" },
      "It is no longer used",
    ),
    el(
      "option",
      { value: "REVOCATION_REASON_CERTIFICATE_HOLD" },
      "For a while: its certificates are put on hold",
    ),
    el(
      "option",
      { value: "REVOCATION_REASON_KEY_COMPROMISE" },
      "Lost or stolen: its keys are never certified again",
    ),
  );
}

/** @param {string} id Empty: one that the dialog asks for. @param {() => Promise<void>} again */
async function block(id, again) {
  const name = el("input", {
    value: id,
    required: true,
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "S-1-5-21-… or a device id",
  });
  const unknown = el("input", { type: "checkbox" });
  const reason = computerReasons();
  await ask({
    title: id ? `Block ${id}?` : "Block a computer",
    content: [
      el(
        "p",
        {},
        "Its certificates are revoked, and it gets no other until it is let in again. Every gateway refuses them within a second.",
      ),
      id ? null : el("label", {}, "SID of the computer, or device id", name),
      el("label", {}, "Why", reason),
      id
        ? null
        : el(
            "label",
            { class: "check" },
            unknown,
            "It has never enrolled, and the SID is right",
          ),
    ],
    button: "Block the computer",
    danger: true,
    act: async () => {
      const text = name.value.trim();
      const answer = await call("CertificateAdminService/BlockDevice", {
        device: /^s-1-/i.test(text)
          ? { computer_sid: text }
          : { device_id: text },
        reason: reason.value,
        allow_unknown: unknown.checked,
      });
      say(
        `${text} is blocked, ${plural(Number(answer.revoked ?? 0), "certificate")} revoked.`,
      );
      forgetPlaces();
      await again();
      return true;
    },
  });
}

/** @param {any} one @param {() => Promise<void>} again */
async function unblock(one, again) {
  const name = one.computer_sid || one.device_id;
  await ask({
    title: `Let ${name} enroll again?`,
    content: [el("p", {}, "Its certificates stay as they are.")],
    button: `Let ${name} enroll again`,
    act: async () => {
      await call("CertificateAdminService/UnblockDevice", {
        device: { device_id: one.device_id },
      });
      say(`${name} may enroll again.`);
      await again();
      return true;
    },
  });
}
