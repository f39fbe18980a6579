// Adding and editing an app: by the metadata that it publishes or by hand, looked at before it is
// registered. What the org refuses is said at the field that it is about.

import { el, fill } from "../dom.js";
import { ApiError, call } from "./api.js";
import { problemBox, say } from "./dialogs.js";
import { forgetPlaces } from "./table.js";
import { plural } from "./text.js";

const METADATA_BYTES_MAX = 64 * 1024;
const NAME_IDS = [
  ["", "What the metadata names first, else the org's default"],
  ["urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified", "Unspecified"],
  ["urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress", "Email address"],
  ["urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", "Persistent"],
  ["urn:oasis:names:tc:SAML:2.0:nameid-format:transient", "Transient"],
];
const SIGNED = [
  ["SAML_SIGNED_PART_UNSPECIFIED", "What the metadata wants"],
  ["SAML_SIGNED_PART_RESPONSE", "The response"],
  ["SAML_SIGNED_PART_ASSERTION", "The assertion"],
  ["SAML_SIGNED_PART_BOTH", "Both"],
];
const KEYS = [
  ["SAML_KEY_KIND_UNSPECIFIED", "RSA"],
  ["SAML_KEY_KIND_ECDSA", "ECDSA"],
];
const ENCRYPTION = [
  ["SAML_ENCRYPTION_UNSPECIFIED", "Where the metadata has a key for it"],
  ["SAML_ENCRYPTION_NEVER", "Never"],
  ["SAML_ENCRYPTION_ALWAYS", "Always"],
];
const TOKENS = [
  ["TOKEN_TYPE_UNSPECIFIED", "SAML 1.1"],
  ["TOKEN_TYPE_SAML_2_0", "SAML 2.0"],
];
const CLAIMS = [
  ["CLAIMS_UNSPECIFIED", "The general ones"],
  ["CLAIMS_OFFICE_365", "Those that Office 365 reads"],
];

/** An address part made of a file's name. @param {string} name */
const idOf = (name) =>
  name
    .replace(/\.[^.]*$/, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 64);

/** Octets as JSON carries them. @param {Uint8Array} octets */
const base64 = (octets) =>
  btoa(Array.from(octets, (octet) => String.fromCharCode(octet)).join(""));

/** @param {string[][]} choices @param {string | undefined} chosen @param {Record<string, any>} attributes */
const select = (choices, chosen, attributes) =>
  el(
    "select",
    attributes,
    choices.map(([value, text]) =>
      el("option", { value, selected: value === (chosen ?? "") }, text),
    ),
  );

/**
 * A field with a place for what is wrong with it. `subject`: how the org's refusals name it, or what
 * these begin with.
 * @param {string} subject @param {string} label @param {HTMLElement} input @param {string} [hint]
 */
function field(subject, label, input, hint = "") {
  const id = `field-${subject.replaceAll(/[^a-z]/g, "-")}`;
  input.id = id;
  input.dataset.subject = subject;
  return el(
    "div",
    { class: "field" },
    el("label", { for: id }, label),
    hint ? el("p", { class: "soft", id: `${id}-hint` }, hint) : null,
    input,
    el("p", { class: "problem", id: `${id}-problem`, hidden: true }),
  );
}

/** @param {HTMLElement} form */
function clearProblems(form) {
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
  }
  for (const text of form.querySelectorAll(".field > .problem")) {
    /** @type {HTMLElement} */ (text).hidden = true;
    fill(text);
  }
}

/** At its field when it is about one, else in `notes`. @param {HTMLElement} form @param {HTMLElement} notes @param {unknown} error */
function showProblem(form, notes, error) {
  const subject = error instanceof ApiError ? error.subject : "";
  const inputs = [
    .../** @type {NodeListOf<HTMLElement>} */ (
      form.querySelectorAll("[data-subject]")
    ),
  ];
  const input =
    inputs.find((one) => one.dataset.subject === subject) ??
    inputs.find((one) => subject.startsWith(`${one.dataset.subject}.`));
  if (!input || !subject || !(error instanceof ApiError)) {
    fill(notes, problemBox(error));
    return;
  }
  const text = /** @type {HTMLElement} */ (
    form.querySelector(`#${input.id}-problem`)
  );
  fill(text, error.message, error.remedy ? ` ${error.remedy}` : "");
  text.hidden = false;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", text.id);
  input.focus();
}

/** What would be registered. @param {any} app @param {boolean} replaces */
function preview(app, replaces) {
  /** @type {[string, string[]][]} */
  const facts = [];
  const saml = app.saml;
  if (saml) {
    facts.push(
      ["Entity id", [saml.entity_id]],
      [
        "Answers go to",
        (saml.acs ?? []).map(
          (/** @type {any} */ one) =>
            `${one.url}${one.is_default ? " (default)" : ""}`,
        ),
      ],
      [
        "Is told of sign-outs at",
        (saml.single_logout ?? []).map((/** @type {any} */ one) => one.url),
      ],
      [
        "Its requests",
        [
          saml.requests_signed
            ? "are refused without a signature"
            : "may come without a signature",
          `${plural((saml.signing_certificates_der ?? []).length, "certificate")} to check them with`,
        ],
      ],
      [
        "Assertions",
        [
          saml.encryption_key
            ? "can be encrypted"
            : "can't be encrypted: the metadata has no key for it",
        ],
      ],
    );
  } else {
    facts.push(
      ["Realm", [app.ws_fed?.realm ?? ""]],
      ["Tokens go to", app.ws_fed?.reply_urls ?? []],
    );
  }
  return el(
    "section",
    { class: "box", "aria-labelledby": "preview-title" },
    el("h2", { id: "preview-title", tabindex: -1 }, `${app.label} (${app.id})`),
    el(
      "p",
      { class: replaces ? "warn" : "soft" },
      replaces
        ? "An app of this address part is there: its registration is replaced, its rules stay."
        : "A new app. Until it has rules of its own, everybody may sign in to it.",
    ),
    el(
      "dl",
      {},
      facts
        .filter(([, values]) => values.some(Boolean))
        .map(([name, values]) =>
          el(
            "div",
            {},
            el("dt", {}, name),
            values.map((value) => el("dd", {}, value)),
          ),
        ),
    ),
  );
}

/** The page to add an app. @param {HTMLElement} main */
export function newAppPage(main) {
  edit(main, { id: "", label: "" }, "0", true);
}

/** The page to edit one. @param {HTMLElement} main @param {string} id */
export async function editAppPage(main, id) {
  const { app, version } = await call("AppService/GetApp", { app_id: id });
  edit(main, app, version, false);
}

/** @param {HTMLElement} main @param {any} app @param {string} version @param {boolean} isNew */
function edit(main, app, version, isNew) {
  const saml = app.saml ?? {};
  const settings = saml.settings ?? {};
  const wsFed = app.ws_fed ?? {};
  /** @type {Uint8Array | null} */
  let metadata = null;
  /** @type {any} */
  let looked = null;

  const id = el("input", {
    name: "id",
    value: app.id,
    required: true,
    disabled: !isNew,
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 64,
  });
  const label = el("input", {
    name: "label",
    value: app.label ?? "",
    autocomplete: "off",
    maxlength: 200,
  });
  const file = el("input", {
    type: "file",
    name: "metadata",
    accept: ".xml,application/xml,text/xml,application/samlmetadata+xml",
  });
  const clients = el("input", {
    type: "checkbox",
    name: "clients",
    checked: Boolean(app.has_client_conditions),
  });
  const nameId = select(NAME_IDS, settings.name_id_format, {
    name: "name_id",
  });
  const signed = select(SIGNED, settings.signed_part, { name: "signed" });
  const key = select(KEYS, settings.signing_key, { name: "key" });
  const encryption = select(ENCRYPTION, settings.encryption, {
    name: "encryption",
  });
  const relayState = el("input", {
    name: "relay_state",
    value: saml.default_relay_state ?? "",
    autocomplete: "off",
    spellcheck: "false",
  });
  const realm = el("input", {
    name: "realm",
    value: wsFed.realm ?? "",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "urn:example:app",
  });
  const replies = el(
    "textarea",
    { name: "replies", rows: 3, spellcheck: "false" },
    (wsFed.reply_urls ?? []).join("\n"),
  );
  const tokens = select(TOKENS, wsFed.token_type, { name: "tokens" });
  const claims = select(CLAIMS, wsFed.claims, { name: "claims" });

  const samlFields = el(
    "fieldset",
    {},
    el("legend", {}, "SAML"),
    field("saml.settings.name_id_format", "People are named by", nameId),
    field("saml.settings.signed_part", "Signed is", signed),
    field("saml.settings.signing_key", "With a key of the kind", key),
    field("saml.settings.encryption", "Assertions are encrypted", encryption),
    field(
      "saml",
      "Relay state where no app asked",
      relayState,
      "Where the app leads people who begin at the dashboard.",
    ),
  );
  const wsFedFields = el(
    "fieldset",
    {},
    el("legend", {}, "WS-Federation"),
    field("ws_fed.realm", "Realm", realm),
    field("ws_fed.reply_urls", "Reply addresses, one a line", replies),
    field("ws_fed.token_type", "Kind of token", tokens),
    field("ws_fed.claims", "Claims", claims),
  );
  const byHand = el("input", {
    type: "checkbox",
    name: "by_hand",
    checked: Boolean(app.ws_fed),
    onchange: () => changed(),
  });
  const save = el(
    "button",
    { type: "button", class: "main", disabled: true },
    isNew ? "Add the app" : "Save the app",
  );
  const notes = el("div");
  const shown = el("div", { "aria-live": "polite" });

  const changed = () => {
    looked = null;
    save.disabled = true;
    fill(shown);
    const federation = byHand.checked;
    wsFedFields.hidden = !federation;
    samlFields.hidden = federation && !app.saml;
  };
  file.addEventListener("change", async () => {
    changed();
    const chosen = file.files?.[0];
    metadata = chosen ? new Uint8Array(await chosen.arrayBuffer()) : null;
    if (chosen && isNew && !id.value) id.value = idOf(chosen.name);
  });

  /** As the form says. */
  const described = () => {
    /** @type {any} */
    const next = {
      id: id.value.trim(),
      label: label.value.trim(),
      has_client_conditions: clients.checked,
    };
    if (byHand.checked) {
      next.ws_fed = {
        ...wsFed,
        realm: realm.value.trim(),
        reply_urls: replies.value
          .split("\n")
          .map((line) => line.trim())
          .filter(Boolean),
        token_type: tokens.value,
        claims: claims.value,
      };
    } else {
      next.saml = {
        ...saml,
        default_relay_state: relayState.value,
        settings: {
          ...settings,
          name_id_format: nameId.value,
          signed_part: signed.value,
          signing_key: key.value,
          encryption: encryption.value,
        },
      };
    }
    return next;
  };

  const form = el(
    "form",
    {
      class: "app-form",
      novalidate: true,
      oninput: (/** @type {Event} */ event) => {
        if (event.target !== file) changed();
      },
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        clearProblems(form);
        fill(notes);
        changed();
        try {
          if (metadata && metadata.length > METADATA_BYTES_MAX)
            throw new ApiError(422, {
              subject: "metadata",
              message: `The file has ${metadata.length} bytes, and ${METADATA_BYTES_MAX} are taken here.`,
              remedy: "Register the app by dtctl app add, which takes more.",
            });
          const answer = await call("AppService/PreviewApp", {
            app: described(),
            ...(metadata ? { metadata: base64(metadata) } : {}),
          });
          looked = answer.app;
          fill(shown, preview(answer.app, Boolean(answer.replaces)));
          save.disabled = false;
          /** @type {HTMLElement | null} */ (
            shown.querySelector("#preview-title")
          )?.focus();
        } catch (error) {
          showProblem(form, notes, error);
        }
      },
    },
    field(
      "metadata",
      isNew
        ? "Metadata that the app publishes about itself"
        : "New metadata, when the app has published some",
      file,
      "SAML or WS-Federation, at most 64 KiB.",
    ),
    field(
      "id",
      "Address part",
      id,
      "Small letters, digits and dashes. It can't be changed later.",
    ),
    field("label", "Name that people see", label),
    el(
      "label",
      { class: "check" },
      byHand,
      "A WS-Federation app, described by hand",
    ),
    samlFields,
    wsFedFields,
    field(
      "has_client_conditions",
      "Mail clients and browsers are told apart, as for Office 365",
      clients,
    ),
    notes,
    el(
      "div",
      { class: "buttons sticky" },
      el("button", { type: "submit" }, "Preview"),
      save,
    ),
  );
  save.addEventListener("click", async () => {
    try {
      await call("AppService/PutApp", {
        app: looked,
        ...(isNew ? {} : { expected_version: version }),
      });
    } catch (error) {
      showProblem(form, notes, error);
      return;
    }
    forgetPlaces();
    say(`${looked.label} is ${isNew ? "registered" : "saved"}.`);
    location.hash = `#/apps/${encodeURIComponent(looked.id)}`;
  });

  fill(
    main,
    el("p", {}, el("a", { href: "#/apps" }, "Apps")),
    el("h1", {}, isNew ? "Add an app" : `Edit ${app.label || app.id}`),
    form,
    shown,
  );
  changed();
}
