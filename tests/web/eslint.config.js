import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-implicit-globals": "error",
      "no-eval": "error",
      // Text becomes text: dom.js.
      "no-restricted-properties": [
        "error",
        { property: "innerHTML" },
        { property: "outerHTML" },
        { property: "insertAdjacentHTML" },
      ],
    },
  },
  { files: ["tests/**/*.js"], languageOptions: { globals: globals.node } },
  {
    files: ["simulator/gateway/web/**/*.js"],
    languageOptions: { globals: globals.browser, ecmaVersion: 2023 },
  },
  {
    // Their functions run in the browser.
    files: ["tests/web/stories/**/*.js", "tests/web/screenshots.js"],
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
  },
];
