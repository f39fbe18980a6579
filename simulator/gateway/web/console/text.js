// Values of the contracts as people read them.

/** "COMPUTER_DISABLED" of REASON_COMPUTER_DISABLED, "App admin" of ROLE_APP_ADMIN.
 * @param {string | undefined} value @param {string} prefix */
export function enumText(value, prefix) {
  if (!value) return "";
  const words = value.replace(prefix, "").toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const when = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "medium",
});
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const number = new Intl.NumberFormat();

/** @param {string | undefined} timestamp */
export function timeText(timestamp) {
  return timestamp ? when.format(new Date(timestamp)) : "never";
}
/** @param {string | undefined} timestamp */
export function dayText(timestamp) {
  return timestamp ? day.format(new Date(timestamp)) : "";
}
/** @param {number | string | undefined} value */
export function countText(value) {
  return number.format(Number(value ?? 0));
}
/** "30 minutes", "12 hours" of "1800s"; empty for none. @param {string | undefined} duration */
export function spanText(duration) {
  const minutes = Math.round(Number.parseFloat(duration ?? "0") / 60);
  if (minutes === 0) return "";
  return minutes % 60 === 0
    ? plural(minutes / 60, "hour")
    : plural(minutes, "minute");
}
/** "1 certificate", "2 certificates". @param {number} count @param {string} noun */
export function plural(count, noun) {
  return `${countText(count)} ${noun}${count === 1 ? "" : "s"}`;
}
/** A person as a sentence names them. @param {any} user */
export function personText(user) {
  return user?.display_name || user?.principal || "somebody";
}
