// Judges WS-Federation answers by passport-wsfed-saml2. Reads {"options", "fields"} as JSON from
// standard input: the strategy's options, and the form that a browser posts. Prints {"profile"}, or
// {"error"} with what the library says.
"use strict";

const { Strategy } = require("passport-wsfed-saml2");

// The library warns of `new Buffer`, which is its own affair.
process.removeAllListeners("warning");
process.on("warning", () => {});

let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", () => {
  const { options, fields } = JSON.parse(text);
  const tell = (what) => console.log(JSON.stringify(what));
  const strategy = new Strategy(options, (profile, done) => done(null, profile));
  strategy.success = (profile) => tell({ profile });
  strategy.fail = (why) => tell({ error: String((why && why.message) || why) });
  strategy.error = (why) => tell({ error: String(why.message) });
  strategy.redirect = (url) => tell({ redirect: url });
  const request = fields ? { method: "POST", body: fields } : { method: "GET", query: {} };
  strategy.authenticate(request, {});
});
