// Making elements without markup in text: what comes from outside can only become text.

/**
 * What may stand in an element; null, undefined and false are nothing.
 * @typedef {Node | string | number | null | undefined | false} Content
 */

/**
 * An element with attributes and content. An attribute of value null, undefined or false is left
 * out, true is an empty one; "onclick" and the like take a function, "value", "checked" and the
 * like are properties.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Content | Content[])} content
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") {
      element.addEventListener(name.slice(2), value);
    } else if (PROPERTIES.has(name)) {
      Object.assign(element, { [name]: value });
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  put(element, ...content);
  return element;
}

const PROPERTIES = new Set([
  "value",
  "checked",
  "disabled",
  "hidden",
  "selected",
  "indeterminate",
]);

/**
 * Appends content to an element.
 * @param {Element | DocumentFragment} parent
 * @param {...(Content | Content[])} content
 */
export function put(parent, ...content) {
  for (const item of content.flat()) {
    if (item === null || item === undefined || item === false) continue;
    parent.append(item instanceof Node ? item : String(item));
  }
}

/**
 * Puts content in place of what an element has.
 * @param {Element} parent
 * @param {...(Content | Content[])} content
 */
export function fill(parent, ...content) {
  parent.replaceChildren();
  put(parent, ...content);
}
