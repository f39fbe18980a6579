// Questions, the second factor, and what is said in passing.

import { el, fill } from "../dom.js";
import { ApiError, consoleCall } from "./api.js";

/** An error as a person reads it. @param {unknown} error */
export function problemBox(error) {
  const known = error instanceof ApiError ? error : null;
  return el(
    "div",
    { class: "problem", role: "alert" },
    el("p", {}, known ? known.message : String(error)),
    known?.remedy ? el("p", {}, known.remedy) : null,
    known?.reason
      ? el("p", { class: "soft" }, "Reason: ", el("code", {}, known.reason))
      : null,
  );
}

const announcer = el("div", {
  class: "toast",
  role: "status",
  popover: "manual",
});
let toastTimer = 0;

/** Says that something is done. @param {string} text */
export function say(text) {
  if (!announcer.isConnected) document.body.append(announcer);
  announcer.showPopover?.();
  fill(announcer, text);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => announcer.hidePopover?.(), 6000);
}

/**
 * Opens a dialog with a form; `act` is run by its button, and what it throws is shown in the dialog.
 * Resolves to what `act` gave, or undefined when the dialog was left.
 * @template Result
 * @param {object} settings
 * @param {string} settings.title
 * @param {import("../dom.js").Content[]} settings.content
 * @param {string} settings.button
 * @param {boolean} [settings.danger]
 * @param {(form: HTMLFormElement) => Promise<Result>} settings.act
 * @returns {Promise<Result | undefined>}
 */
export function ask({ title, content, button, danger = false, act }) {
  return new Promise((resolve) => {
    /** @type {Result | undefined} */
    let result;
    const problem = el("div");
    const go = el(
      "button",
      { type: "submit", class: danger ? "danger" : "main" },
      button,
    );
    const form = el(
      "form",
      {
        method: "dialog",
        onsubmit: async (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          go.disabled = true;
          try {
            result = await act(form);
            dialog.close();
          } catch (error) {
            fill(problem, problemBox(error));
          }
          go.disabled = false;
        },
      },
      el("h2", { id: "dialog-title" }, title),
      ...content,
      problem,
      el(
        "div",
        { class: "buttons" },
        el(
          "button",
          { type: "button", onclick: () => dialog.close() },
          "Cancel",
        ),
        go,
      ),
    );
    const dialog = el("dialog", { "aria-labelledby": "dialog-title" }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** The fields of a second factor; `factorOf` reads them. */
export function factorFields() {
  const code = el("input", {
    name: "code",
    autocomplete: "one-time-code",
    inputmode: "numeric",
    required: true,
    autofocus: true,
    spellcheck: "false",
  });
  return [
    el(
      "label",
      {},
      "Six digits from your authenticator app, or a recovery code",
      code,
    ),
  ];
}

/** @param {HTMLFormElement} form */
export function factorOf(form) {
  const text = String(new FormData(form).get("code")).replaceAll(/\s/g, "");
  return /^\d{6}$/.test(text) ? { totp_code: text } : { recovery_code: text };
}

/** Asks for the second factor. Resolves to whether it was shown. */
export async function askForFactor() {
  const shown = await ask({
    title: "Show your second factor",
    content: [
      el(
        "p",
        {},
        "What you are about to do asks for a code of the last 15 minutes.",
      ),
      ...factorFields(),
    ],
    button: "Continue",
    act: async (form) => consoleCall("OpenConsole", factorOf(form)),
  });
  return shown !== undefined;
}
