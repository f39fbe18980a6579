// Network zones, which the locations of rules name (POL-2).

import { el, fill } from "../dom.js";
import { call, may } from "./api.js";
import { ask, say } from "./dialogs.js";
import { plural } from "./text.js";

/** @param {HTMLElement} main */
export async function zonesPage(main) {
  const answer = await call("ZoneService/GetZones");
  /** @type {{name: string, cidr?: string[]}[]} */
  const zones = answer.zones ?? [];
  const mayChange = may("ZoneService/SetZones");
  const again = () => zonesPage(main);

  /** @param {{name: string, cidr?: string[]}[]} wanted @param {string} done */
  const save = async (wanted, done) => {
    await call("ZoneService/SetZones", {
      zones: wanted,
      expected_version: answer.version,
    });
    say(done);
    await again();
    return true;
  };
  /** @param {number} at */
  const edit = (at) => {
    const zone = zones[at] ?? { name: "", cidr: [] };
    const name = el("input", {
      value: zone.name,
      required: true,
      autocomplete: "off",
    });
    const networks = el("textarea", {
      rows: 5,
      value: (zone.cidr ?? []).join("\n"),
      placeholder: "10.0.0.0/8",
      spellcheck: "false",
    });
    return ask({
      title: zones[at] ? `Zone ${zone.name}` : "New zone",
      content: [
        el("label", {}, "Name; “network” is the company's own", name),
        el("label", {}, "Networks, one a line", networks),
      ],
      button: "Save zone",
      act: () => {
        const changed = {
          name: name.value.trim(),
          cidr: networks.value.split(/[\s,]+/).filter(Boolean),
        };
        const wanted = zones[at]
          ? zones.map((one, index) => (index === at ? changed : one))
          : [...zones, changed];
        return save(wanted, `Zone ${changed.name} saved.`);
      },
    });
  };
  /** @param {number} at */
  const remove = (at) =>
    ask({
      title: `Remove zone ${zones[at].name}?`,
      content: [el("p", {}, "Refused while a rule names it.")],
      button: `Remove zone ${zones[at].name}`,
      danger: true,
      act: () =>
        save(
          zones.filter((_, index) => index !== at),
          `Zone ${zones[at].name} is removed.`,
        ),
    });

  fill(
    main,
    el("h1", {}, "Zones"),
    mayChange
      ? el(
          "button",
          { type: "button", class: "main", onclick: () => edit(-1) },
          "Add zone…",
        )
      : null,
    zones.length === 0
      ? el(
          "div",
          { class: "empty" },
          "No zone yet. Name the company's addresses “network”, and rules can tell on network from off network.",
        )
      : zones.map((zone, at) =>
          el(
            "section",
            { class: "box" },
            el("h2", {}, zone.name),
            el("p", {}, el("code", {}, (zone.cidr ?? []).join(", "))),
            el(
              "p",
              { class: "soft" },
              plural(zone.cidr?.length ?? 0, "network"),
            ),
            mayChange
              ? el(
                  "div",
                  { class: "buttons" },
                  el(
                    "button",
                    {
                      type: "button",
                      "aria-label": `Change zone ${zone.name}`,
                      onclick: () => edit(at),
                    },
                    "Change…",
                  ),
                  el(
                    "button",
                    {
                      type: "button",
                      "aria-label": `Remove zone ${zone.name}`,
                      onclick: () => remove(at),
                    },
                    "Remove…",
                  ),
                )
              : null,
          ),
        ),
  );
}
