// A table of any length: rows come page by page as one scrolls, and only those that can be seen are
// in the document. It keeps its place and its search while one is elsewhere in the console.

import { el, fill, put } from "../dom.js";
import { ApiError } from "./api.js";
import { problemBox } from "./dialogs.js";
import { countText } from "./text.js";

const ROW_PIXELS = 44;
const SPARE_ROWS = 12; // Above and below what can be seen.
const SEARCH_PAUSE_MS = 250;

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: any) => import("../dom.js").Content | import("../dom.js").Content[]} cell
 * @property {string} [width] Of a grid column; "1fr" unless given.
 * @property {boolean} [wide] Left out where there is little room.
 */
/**
 * @typedef {object} TableSettings
 * @property {string} name What the table lists: its accessible name, and that of its place.
 * @property {Column[]} columns The first one names the row.
 * @property {(query: string, token: string) => Promise<{rows: any[], next: string}>} load
 * @property {import("../dom.js").Content} empty What to do when there is nothing.
 * @property {string} [search] Label of the search field; none: no search.
 * @property {string} [placeholder]
 */

/** Where each table was left. @type {Map<string, {query: string, top: number, rows: any[], next: string}>} */
const places = new Map();

let epoch = 0;

/** Forgets where tables were, after something in them has changed. */
export function forgetPlaces() {
  epoch += 1;
  places.clear();
}

export class DataTable extends HTMLElement {
  /** @type {TableSettings} */
  #settings = {
    name: "",
    columns: [],
    load: async () => ({ rows: [], next: "" }),
    empty: "",
  };
  /** @type {any[]} */
  #rows = [];
  #next = "";
  #query = "";
  #loading = false;
  #generation = 0;
  #first = -1;
  #last = -1;
  #timer = 0;
  #scroller = el("div", { class: "rows", tabindex: 0, role: "rowgroup" });
  #space = el("div", { class: "space", role: "presentation" });
  #status = el("p", { class: "soft count", role: "status" });
  #note = el("div");
  #table = el("div", { role: "table", class: "grid" });

  /** @param {TableSettings} settings */
  set settings(settings) {
    this.#settings = settings;
    if (this.isConnected) this.#build();
  }

  connectedCallback() {
    this.#build();
  }

  disconnectedCallback() {
    this.#generation += 1;
    clearTimeout(this.#timer);
    if (this.#epoch !== epoch) return; // What it shows is no longer so.
    places.set(this.#settings.name, {
      query: this.#query,
      top: this.#top,
      rows: this.#rows,
      next: this.#next,
    });
  }

  #top = 0;
  #epoch = -1;

  #build() {
    const settings = this.#settings;
    if (!settings.name) return;
    this.#epoch = epoch;
    const place = places.get(settings.name);
    this.#query = place?.query ?? "";
    const columns = settings.columns
      .map((column) => column.width ?? "minmax(0, 1fr)")
      .join(" ");
    const narrow = settings.columns
      .filter((column) => !column.wide)
      .map((column) => column.width ?? "minmax(0, 1fr)")
      .join(" ");
    this.style.setProperty("--columns", columns);
    this.style.setProperty("--columns-narrow", narrow);
    this.#table.setAttribute("aria-label", settings.name);
    this.#scroller.setAttribute("aria-label", settings.name);
    const head = el(
      "div",
      { role: "rowgroup" },
      el(
        "div",
        { role: "row", class: "row head", "aria-rowindex": 1 },
        settings.columns.map((column) =>
          el(
            "div",
            { role: "columnheader", class: column.wide ? "wide" : "" },
            column.title,
          ),
        ),
      ),
    );
    fill(this.#scroller, this.#space);
    this.#scroller.addEventListener("scroll", () => this.#draw(), {
      passive: true,
    });
    fill(this.#table, head, this.#scroller);
    fill(
      this,
      settings.search ? this.#searchField() : null,
      this.#status,
      this.#note,
      this.#table,
    );
    if (place) {
      this.#rows = place.rows;
      this.#next = place.next;
      this.#redraw();
      this.#scroller.scrollTop = place.top;
    } else {
      this.reload();
    }
  }

  #searchField() {
    const input = el("input", {
      type: "search",
      value: this.#query,
      placeholder: this.#settings.placeholder,
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
          this.#query = input.value;
          this.reload();
        }, SEARCH_PAUSE_MS);
      },
    });
    return el(
      "label",
      { class: "search" },
      el("span", {}, this.#settings.search),
      input,
    );
  }

  /** Begins anew, at the top. */
  reload() {
    this.#generation += 1;
    this.#loading = false;
    this.#rows = [];
    this.#next = "";
    this.#scroller.scrollTop = 0;
    this.#load();
  }

  async #load() {
    if (this.#loading) return;
    this.#loading = true;
    const generation = this.#generation;
    this.#scroller.setAttribute("aria-busy", "true");
    if (this.#rows.length === 0) fill(this.#status, "Loading…");
    try {
      const page = await this.#settings.load(this.#query, this.#next);
      if (generation !== this.#generation) return;
      for (const row of page.rows) this.#rows.push(row);
      this.#next = page.next;
      fill(this.#note);
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#next = "";
      fill(
        this.#note,
        problemBox(
          error instanceof ApiError
            ? error
            : new ApiError(0, { message: String(error) }),
        ),
        el(
          "button",
          { type: "button", onclick: () => this.reload() },
          "Try again",
        ),
      );
    }
    this.#loading = false;
    this.#scroller.removeAttribute("aria-busy");
    this.#redraw();
  }

  #redraw() {
    const count = this.#rows.length;
    fill(
      this.#status,
      count === 0
        ? ""
        : this.#next
          ? `${countText(count)} so far`
          : `${countText(count)} in all`,
    );
    const nothing = count === 0 && !this.#next && !this.#note.hasChildNodes();
    this.#table.hidden = count === 0;
    if (nothing) {
      fill(
        this.#note,
        el(
          "div",
          { class: "empty" },
          this.#query
            ? `Nothing is called “${this.#query}”.`
            : this.#settings.empty,
        ),
      );
    } else if (count > 0 && this.#note.querySelector(".empty")) {
      fill(this.#note);
    }
    this.#table.setAttribute(
      "aria-rowcount",
      String(this.#next ? -1 : count + 1),
    );
    this.#space.style.height = `${count * ROW_PIXELS}px`;
    this.#first = -1;
    this.#draw();
  }

  #draw() {
    const top = this.#scroller.scrollTop;
    this.#top = top;
    const seen = Math.ceil(this.#scroller.clientHeight / ROW_PIXELS);
    const first = Math.max(0, Math.floor(top / ROW_PIXELS) - SPARE_ROWS);
    const last = Math.min(this.#rows.length, first + seen + 2 * SPARE_ROWS);
    if (this.#next && last > this.#rows.length - 2 * SPARE_ROWS) this.#load();
    if (first === this.#first && last === this.#last) return;
    this.#first = first;
    this.#last = last;
    // The row that has the focus stays, so that the keyboard is not thrown out of the table.
    const focused = /** @type {HTMLElement | null} */ (
      this.#space.querySelector(".row:focus-within")
    );
    const kept = focused ? Number(focused.dataset.index) : -1;
    const rows = document.createDocumentFragment();
    for (let index = first; index < last; index += 1) {
      rows.append(index === kept && focused ? focused : this.#row(index));
    }
    if (focused && (kept < first || kept >= last)) rows.append(focused);
    const active = document.activeElement;
    this.#space.replaceChildren(rows);
    if (
      focused &&
      active instanceof HTMLElement &&
      active !== document.activeElement
    ) {
      active.focus({ preventScroll: true });
    }
  }

  /** @param {number} index */
  #row(index) {
    const element = el("div", {
      role: "row",
      class: "row",
      "aria-rowindex": index + 2,
      "data-index": index,
    });
    element.style.transform = `translateY(${index * ROW_PIXELS}px)`;
    const row = this.#rows[index];
    this.#settings.columns.forEach((column, at) => {
      const cell = el("div", {
        role: at === 0 ? "rowheader" : "cell",
        class: column.wide ? "wide" : "",
      });
      const content = column.cell(row);
      put(cell, ...(Array.isArray(content) ? content : [content]));
      element.append(cell);
    });
    return element;
  }
}

customElements.define("data-table", DataTable);

/** @param {TableSettings} settings */
export function dataTable(settings) {
  const table = /** @type {DataTable} */ (document.createElement("data-table"));
  table.settings = settings;
  return table;
}
