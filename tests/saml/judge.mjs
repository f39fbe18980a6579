// node-saml and samlify as service providers, for saml_test.py: a line of JSON in, a line out.
//
//   {"do": "set", "library": "node-saml", ...}    makes the service provider; answers {"metadata"}
//   {"do": "ask"}                                  where a sign-on begins: {"url"}
//   {"do": "judge", "response": "BASE64"}          what a response says: {"name", "attributes", ...}
//   {"do": "leave"}                                where a sign-out begins: {"url"}
//   {"do": "left", "query": "a=b&..."}             what came back after it: {"left": true}
//
// Whatever a library throws comes back as {"error"}.
import { createInterface } from "node:readline";
import { SAML, generateServiceProviderMetadata } from "@node-saml/node-saml";
import * as samlify from "samlify";

// It takes nothing without one; schemas are not what is asked of it here.
samlify.setSchemaValidator({ validate: async () => "not looked at" });

class NodeSaml {
  constructor(given) {
    this.options = {
      callbackUrl: given.acs,
      logoutCallbackUrl: given.slo,
      entryPoint: given.idp.signOn,
      logoutUrl: given.idp.signOut,
      issuer: given.entityId,
      idpIssuer: given.idp.entityId,
      idpCert: given.idp.certificates,
      audience: given.entityId,
      privateKey: given.key,
      publicCert: given.certificate,
      decryptionPvk: given.encrypted ? given.key : undefined,
      signatureAlgorithm: "sha256",
      validateInResponseTo: "always",
      wantAuthnResponseSigned: given.wants.includes("response"),
      wantAssertionsSigned: given.wants.includes("assertion"),
    };
    this.encrypted = given.encrypted;
    this.saml = new SAML(this.options);
  }
  metadata() {
    const { publicCert } = this.options;
    return generateServiceProviderMetadata({
      issuer: this.options.issuer,
      callbackUrl: this.options.callbackUrl,
      logoutCallbackUrl: this.options.logoutCallbackUrl,
      wantAssertionsSigned: this.options.wantAssertionsSigned,
      signatureAlgorithm: "sha256",
      publicCerts: publicCert,
      privateKey: this.options.privateKey,
      decryptionPvk: this.options.decryptionPvk,
      decryptionCert: this.encrypted ? publicCert : null,
    });
  }
  async ask() {
    return { url: await this.saml.getAuthorizeUrlAsync("here", "sp.localhost", {}) };
  }
  async judge({ response }) {
    const { profile } = await this.saml.validatePostResponseAsync({ SAMLResponse: response });
    this.profile = profile;
    const { nameID, nameIDFormat, sessionIndex, attributes } = profile;
    return { name: nameID, format: nameIDFormat, session: sessionIndex, attributes };
  }
  async leave() {
    return { url: await this.saml.getLogoutUrlAsync(this.profile, "bye", {}) };
  }
  async left({ query }) {
    const { loggedOut } = await this.saml.validateRedirectAsync(
      Object.fromEntries(new URLSearchParams(query)),
      query,
    );
    return { left: loggedOut };
  }
}

class Samlify {
  constructor(given) {
    this.sp = samlify.ServiceProvider({
      entityID: given.entityId,
      wantAssertionsSigned: given.wants.includes("assertion"),
      wantMessageSigned: given.wants.includes("response"),
      wantLogoutResponseSigned: true,
      privateKey: given.key,
      signingCert: given.certificate,
      encPrivateKey: given.encrypted ? given.key : undefined,
      encryptCert: given.encrypted ? given.certificate : undefined,
      requestSignatureAlgorithm: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
      assertionConsumerService: [{ Binding: samlify.Constants.namespace.binding.post, Location: given.acs }],
      singleLogoutService: [{ Binding: samlify.Constants.namespace.binding.redirect, Location: given.slo }],
    });
    this.idp = samlify.IdentityProvider({
      metadata: given.idp.metadata,
      isAssertionEncrypted: given.encrypted,
      wantLogoutRequestSigned: true,
    });
  }
  metadata() {
    return this.sp.getMetadata();
  }
  async ask() {
    return { url: this.sp.createLoginRequest(this.idp, "redirect").context };
  }
  async judge({ response }) {
    const { extract } = await this.sp.parseLoginResponse(this.idp, "post", {
      body: { SAMLResponse: response },
    });
    this.extract = extract;
    return {
      name: extract.nameID,
      session: extract.sessionIndex.sessionIndex,
      attributes: extract.attributes,
    };
  }
  async leave() {
    const { nameID, sessionIndex } = this.extract;
    const { context } = this.sp.createLogoutRequest(this.idp, "redirect", {
      logoutNameID: nameID,
      sessionIndex: sessionIndex.sessionIndex,
    });
    return { url: context };
  }
  async left({ query }) {
    const fields = Object.fromEntries(new URLSearchParams(query));
    await this.sp.parseLogoutResponse(this.idp, "redirect", {
      query: fields,
      octetString: query.slice(0, query.indexOf("&Signature=")),
    });
    return { left: true };
  }
}

let provider;
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const given = JSON.parse(line);
    if (given.do === "set") {
      provider = given.library === "samlify" ? new Samlify(given) : new NodeSaml(given);
      answer = { metadata: provider.metadata() };
    } else {
      answer = await provider[given.do](given);
    }
  } catch (error) {
    answer = { error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
