// Makes the pages of a person's own account quicker: apps are found as one types, times are those
// of the place, and the dashboard follows when a lock comes or goes. Without it all of them work.

const RECHECK_MS = 60_000; // While the page is looked at.

/** Shows the apps whose name has what is typed, without asking anybody. */
function searchAsTyped() {
  const field = document.querySelector("#q");
  const list = document.querySelector("#apps");
  const none = document.querySelector("#none-found");
  if (!(field instanceof HTMLInputElement) || !(list instanceof HTMLElement))
    return;
  // A search that the address asked for leaves out tiles: those come with the form alone.
  if (field.value !== "") return;
  const tiles = [...list.children].filter(
    (item) => item instanceof HTMLElement,
  );
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLocaleLowerCase();
    let shown = 0;
    for (const tile of tiles) {
      const name = tile.querySelector(".name")?.textContent ?? "";
      tile.hidden = !name.toLocaleLowerCase().includes(wanted);
      if (!tile.hidden) shown += 1;
    }
    if (none instanceof HTMLElement) none.hidden = shown > 0;
  });
  field.form?.querySelector("button")?.setAttribute("hidden", "");
  field.form?.addEventListener("submit", (event) => event.preventDefault());
}

/** Times in the words and the zone of whoever reads them. */
function localTimes() {
  const format = new Intl.DateTimeFormat(undefined, {
    dateStyle: "medium",
    timeStyle: "short",
  });
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.textContent = format.format(at);
  }
}

/**
 * Loads the page again when it would say something else by now: a lock, an app, the end of the
 * session. Asks when the page is looked at again, and once a minute while it is.
 */
function followDevice() {
  const version = document.body.dataset["version"];
  if (version === undefined) return;
  let asking = false;
  const ask = async () => {
    if (asking || document.visibilityState !== "visible") return;
    asking = true;
    try {
      const response = await fetch("/dashboard/version", { cache: "no-store" });
      const over = response.status === 401;
      const now = response.ok ? await response.json() : {};
      const typing = document.activeElement instanceof HTMLInputElement;
      if (over || (response.ok && now.version !== version && !typing))
        location.reload();
    } catch {
      // Away for now; the next look asks again.
    } finally {
      asking = false;
    }
  };
  document.addEventListener("visibilitychange", ask);
  window.addEventListener("focus", ask);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) void ask();
  });
  setInterval(ask, RECHECK_MS);
}

searchAsTyped();
localTimes();
followDevice();
