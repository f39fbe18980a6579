#!/usr/bin/env bash
# samlify takes no signed message of the Redirect binding from an identity provider whose metadata names
# two signing certificates.
#
# An identity provider that changes its key publishes the old certificate and the new one side by side
# for a while (SAML metadata 2.4.1.1: a receiver tries each). For a signature inside XML, samlify does. One in
# a query string it verifies with what it found in the metadata, which is a list now, as if that were
# one certificate: the error speaks of PEM, whichever of the two has signed.
# Why it matters: single logout by Redirect fails for such service providers from the first day of a
# change of keys until its end, while sign-on goes on.
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -euo pipefail
package=samlify@2.13.1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm install --silent --no-audit --no-fund --prefix . "$package" > npm.log 2>&1 ||
  { echo "cannot fetch $package" >&2; exit 2; }
for name in old new; do
  openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=$name" -days 30 -keyout $name.key -out $name.crt 2> openssl.log ||
    { cat openssl.log >&2; exit 2; }
done
cat > try.cjs <<'J'
// A signed LogoutRequest in a query string, for metadata with one certificate and with two.
// 0: taken with one, an error with two.
const fs = require("node:fs");
const saml = require("samlify");

const redirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const keyDescriptor = (name) => `
  <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>
  ${fs.readFileSync(`${name}.crt`, "utf8").replace(/-----.*-----/g, "").trim()}
  </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`;
const metadata = (names) => `
  <md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example/">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">${names.map(keyDescriptor).join("")}
  <md:SingleLogoutService Binding="${redirect}" Location="https://idp.example/slo"/>
  <md:SingleSignOnService Binding="${redirect}" Location="https://idp.example/sso"/>
  </md:IDPSSODescriptor></md:EntityDescriptor>`;

saml.setSchemaValidator({ validate: async () => "not looked at" });
const provider = saml.ServiceProvider({
  entityID: "https://sp.example/",
  wantLogoutRequestSigned: true,
  singleLogoutService: [{ Binding: redirect, Location: "https://sp.example/slo" }],
});

async function take(signer, names) {
  const from = saml.IdentityProvider({
    metadata: metadata([signer]),
    privateKey: fs.readFileSync(`${signer}.key`),
  });
  const { context } = from.createLogoutRequest(provider, "redirect", { logoutNameID: "ada@example.org" });
  const url = new URL(context);
  const octetString = url.search.slice(1).replace(/&Signature=.*/, "");
  try {
    await provider.parseLogoutRequest(saml.IdentityProvider({ metadata: metadata(names) }), "redirect", {
      query: Object.fromEntries(url.searchParams),
      octetString,
    });
    return "taken";
  } catch (error) {
    return `refused: ${error.message ?? error}`;
  }
}

(async () => {
  const said = [];
  for (const [signer, names] of [["old", ["old"]], ["old", ["old", "new"]], ["new", ["old", "new"]]]) {
    said.push(await take(signer, names));
    console.log(`metadata with ${names.join(" and ")}, signed by ${signer}: ${said.at(-1)}`);
  }
  process.exit(said[0] === "taken" && said.slice(1).every((one) => one.startsWith("refused")) ? 0 : 1);
})();
J
echo "$package, node $(node --version)"
node try.cjs || { echo "it takes them" >&2; exit 1; }
