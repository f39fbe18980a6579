// The admin console: opens with a second factor, then a page for each part of the org.

import { el, fill } from "../dom.js";
import { adminsPage } from "./admins.js";
import {
  ApiError,
  consoleCall,
  may,
  onFactorNeeded,
  setMethods,
} from "./api.js";
import {
  appPage,
  appsPage,
  forgetUnsavedRules,
  hasUnsavedRules,
} from "./apps.js";
import { devicePage, devicesPage } from "./devices.js";
import { askForFactor, factorFields, factorOf, problemBox } from "./dialogs.js";
import { downloadsPage } from "./downloads.js";
import { iwasPage } from "./iwas.js";
import { explainPage, leaveLog, logPage } from "./log.js";
import { peoplePage, personPage } from "./people.js";
import { settingsPage } from "./settings.js";
import { enumText } from "./text.js";
import { zonesPage } from "./zones.js";

/**
 * @typedef {object} Part
 * @property {string} path
 * @property {string} title
 * @property {string} method What one must be able to call to see it.
 * @property {(main: HTMLElement, rest: string) => void | Promise<void>} show
 */
/** @type {Part[]} */
const PARTS = [
  {
    path: "settings",
    title: "Settings",
    method: "SettingsService/GetSettings",
    show: settingsPage,
  },
  {
    path: "apps",
    title: "Apps",
    method: "AppService/ListApps",
    show: (main, rest) => appsPart(main, rest),
  },
  {
    path: "zones",
    title: "Zones",
    method: "ZoneService/GetZones",
    show: zonesPage,
  },
  {
    path: "people",
    title: "People",
    method: "UserService/ListUsers",
    show: (main, id) => (id ? personPage(main, id) : peoplePage(main)),
  },
  {
    path: "devices",
    title: "Devices",
    method: "CertificateAdminService/ListCertificates",
    show: (main, id) => (id ? devicePage(main, id) : devicesPage(main)),
  },
  {
    path: "iwas",
    title: "IWAs",
    method: "IwaRegistryService/ListIwas",
    show: iwasPage,
  },
  {
    path: "log",
    title: "System Log",
    method: "SystemLogService/SearchEvents",
    show: logPage,
  },
  {
    path: "explain",
    title: "Explain",
    method: "DecisionService/ExplainDecision",
    show: explainPage,
  },
  {
    path: "doctor",
    title: "Doctor",
    method: "DiagnosticsService/Diagnose",
    show: async (main, rest) =>
      (await import("./doctor.js")).doctorPage(main, rest),
  },
  {
    path: "hooks",
    title: "Event hooks",
    method: "EventHookService/ListHooks",
    show: async (main) => (await import("./hooks.js")).hooksPage(main),
  },
  {
    path: "downloads",
    title: "Downloads",
    method: "SettingsService/GetSettings",
    show: downloadsPage,
  },
  {
    path: "admins",
    title: "Admins",
    method: "AdminRoleService/ListAdmins",
    show: adminsPage,
  },
];

/** "", "ID", "ID/edit"; no id begins with a plus sign. @param {HTMLElement} main @param {string} rest */
async function appsPart(main, rest) {
  const [id, verb] = rest.split("/");
  if (!id) return appsPage(main);
  if (id !== "+new" && verb !== "edit") return appPage(main, id);
  const { editAppPage, newAppPage } = await import("./app_edit.js");
  return id === "+new" ? newAppPage(main) : editAppPage(main, id);
}

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
const orgName = document.body.dataset.org ?? "";

function mark() {
  const image = document.body.dataset.mark;
  return image
    ? el("img", { class: "mark", src: image, alt: "" })
    : el("span", { class: "mark", "aria-hidden": "true" }, orgName.slice(0, 1));
}

/** @param {string} title @param {...import("../dom.js").Content} content */
function plainPage(title, ...content) {
  document.title = `${title} · ${orgName}`;
  fill(
    app,
    el("header", { class: "plain" }, mark(), el("span", {}, orgName)),
    el("main", { class: "plain" }, el("h1", {}, title), ...content),
  );
}

async function start() {
  try {
    const answer = await consoleCall("GetConsole");
    if (!answer.state.open) {
      await openWithFactor(answer.state);
      return;
    }
    setMethods(answer.methods);
    shell(answer.state);
  } catch (error) {
    const known = error instanceof ApiError ? error : null;
    if (
      known?.reason === "SESSION_EXPIRED" ||
      known?.reason === "SESSION_ENDED"
    ) {
      plainPage(
        "Sign in as an administrator",
        el(
          "p",
          {},
          "This sign-in is over, or it began before you were given a role in the console.",
        ),
        el(
          "p",
          {},
          el(
            "a",
            { class: "button main", href: "/signout" },
            "Sign out, then sign in again",
          ),
        ),
      );
    } else if (known?.reason === "CALLER_NOT_ALLOWED") {
      plainPage(
        "You administer nothing here",
        problemBox(known),
        el("p", {}, el("a", { href: "/" }, "To your apps")),
      );
    } else {
      plainPage(
        "The console does not open",
        problemBox(error),
        el(
          "button",
          { type: "button", class: "main", onclick: start },
          "Try again",
        ),
      );
    }
  }
}

/** @param {any} state */
async function openWithFactor(state) {
  const problem = el("div");
  plainPage(
    "Open the console",
    el(
      "p",
      { class: "soft" },
      `Signed in as ${state.principal}, ${enumText(state.role, "ROLE_").toLowerCase()}.`,
    ),
    state.has_factor
      ? el(
          "form",
          {
            onsubmit: async (/** @type {SubmitEvent} */ event) => {
              event.preventDefault();
              try {
                await consoleCall(
                  "OpenConsole",
                  factorOf(/** @type {HTMLFormElement} */ (event.target)),
                );
                await start();
              } catch (error) {
                fill(problem, problemBox(error));
              }
            },
          },
          problem,
          ...factorFields(),
          el("button", { type: "submit", class: "main" }, "Open the console"),
        )
      : el(
          "p",
          { class: "problem" },
          "You have no second factor, and the console opens with one alone. Another administrator gives you one: dtctl factor enroll.",
        ),
    el("p", {}, el("a", { href: "/" }, "To your apps")),
  );
  /** @type {HTMLElement | null} */ (app.querySelector("[autofocus]"))?.focus();
}

/** @param {any} state */
function shell(state) {
  const main = el("main", { id: "main", tabindex: -1 });
  const nav = el("nav", { "aria-label": "Parts of the console" });
  const parts = PARTS.filter((part) => may(part.method));
  const toggle = el(
    "button",
    {
      type: "button",
      class: "bare menu",
      "aria-expanded": "false",
      "aria-controls": "parts",
      onclick: () => {
        const open = nav.classList.toggle("open");
        toggle.setAttribute("aria-expanded", String(open));
      },
    },
    "Menu",
  );
  fill(
    nav,
    el(
      "ul",
      { id: "parts" },
      parts.map((part) =>
        el(
          "li",
          {},
          el(
            "a",
            { href: `#/${part.path}`, "data-path": part.path },
            part.title,
          ),
        ),
      ),
    ),
  );
  fill(
    app,
    el(
      "a",
      {
        class: "skip",
        href: "#main",
        onclick: (/** @type {Event} */ event) => (
          event.preventDefault(),
          main.focus()
        ),
      },
      "Skip to the content",
    ),
    el(
      "header",
      { class: "bar" },
      mark(),
      el("strong", {}, orgName),
      el(
        "span",
        { class: "soft who" },
        `${state.principal}, ${enumText(state.role, "ROLE_").toLowerCase()}`,
      ),
      el("button", { type: "button", onclick: closeConsole }, "Close console"),
      toggle,
    ),
    el("div", { class: "frame" }, nav, main),
  );

  let shown = "";
  const route = async () => {
    const [path, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
    const part = parts.find((one) => one.path === path) ?? parts[0];
    if (!part) {
      fill(main, el("p", {}, "Your role sees nothing here."));
      return;
    }
    const argument = decodeURIComponent(rest.join("/"));
    if (hasUnsavedRules() && location.hash !== shown) {
      if (!confirm("The rules are changed and not saved. Leave them?")) {
        history.replaceState(null, "", shown);
        return;
      }
      forgetUnsavedRules();
    }
    shown = location.hash;
    leaveLog();
    nav.classList.remove("open");
    toggle.setAttribute("aria-expanded", "false");
    for (const link of nav.querySelectorAll("a")) {
      if (link.dataset.path === part.path)
        link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${part.title} · Console · ${orgName}`;
    // A page that is late must not overwrite another one.
    const page = el("div", { class: "page" });
    fill(main, page);
    try {
      await part.show(page, argument);
    } catch (error) {
      if (!page.isConnected) return;
      const over = error instanceof ApiError && error.status === 401;
      fill(
        page,
        el("h1", {}, part.title),
        problemBox(error),
        el(
          "button",
          { type: "button", class: "main", onclick: over ? start : route },
          "Try again",
        ),
      );
    }
    const title = page.querySelector("h1");
    title?.setAttribute("tabindex", "-1");
    if (
      document.activeElement === document.body ||
      main.contains(document.activeElement)
    )
      title?.focus({ preventScroll: true });
  };
  removeEventListener("hashchange", router);
  router = route;
  addEventListener("hashchange", router);
  route();
}

/** @type {() => void} */
let router = () => {};

async function closeConsole() {
  removeEventListener("hashchange", router);
  leaveLog();
  try {
    await consoleCall("CloseConsole");
  } finally {
    await start();
  }
}

// Buttons' own failures, of acts outside of dialogs: never silent.
addEventListener("unhandledrejection", (event) => {
  const main = document.querySelector(".page") ?? app;
  main.prepend(problemBox(event.reason));
  event.preventDefault();
});

onFactorNeeded(askForFactor);
start();
