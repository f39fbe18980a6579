"""Sign-in to a foreign WS-Federation app, as a browser sees it; tokens are judged by xmlsec1 and by
passport-wsfed-saml2. Mail clients with name and password, and what dtctl registers."""
import base64
import hashlib
import json
import pathlib
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from urllib.parse import urlencode

from support.browser import Browser, sign_in
from support.environment import ROOT, Environment, run, wait_until

REALM = "https://crm.example.com/realm?tenant=1&kind=wsfed"
REPLY = "https://crm.example.com/wsfed?a=1&b=2"
METADATA = f"""<?xml version="1.0"?>
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{REALM.replace('&', '&amp;')}">
  <RoleDescriptor xsi:type="fed:ApplicationServiceType" ServiceDisplayName="Customers"
      protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706"
      xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
      xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706">
    <fed:PassiveRequestorEndpoint><EndpointReference xmlns="http://www.w3.org/2005/08/addressing">
      <Address>{REPLY.replace('&', '&amp;')}</Address>
    </EndpointReference></fed:PassiveRequestorEndpoint>
  </RoleDescriptor>
</EntityDescriptor>
"""
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
NAMES = {"md": "urn:oasis:names:tc:SAML:2.0:metadata", "d": "http://www.w3.org/2000/09/xmldsig#"}
OFFICE_REALM = "urn:example:office"


def envelope(user, password, realm=OFFICE_REALM):
    return f"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header>
<o:Security s:mustUnderstand="1"
 xmlns:o="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">
<o:UsernameToken><o:Username>{user}</o:Username><o:Password>{password}</o:Password></o:UsernameToken>
</o:Security></s:Header><s:Body>
<t:RequestSecurityToken xmlns:t="http://schemas.xmlsoap.org/ws/2005/02/trust">
<t:RequestType>http://schemas.xmlsoap.org/ws/2005/02/trust/Issue</t:RequestType>
<p:AppliesTo xmlns:p="http://schemas.xmlsoap.org/ws/2004/09/policy">
<a:EndpointReference xmlns:a="http://www.w3.org/2005/08/addressing"><a:Address>{realm}</a:Address>
</a:EndpointReference></p:AppliesTo></t:RequestSecurityToken></s:Body></s:Envelope>"""


class WsFed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="dt-rp-")
        cls.addClassCleanup(folder.cleanup)
        metadata = pathlib.Path(folder.name) / "crm2.xml"
        metadata.write_text(METADATA)
        cls.environment = Environment("--wsfed-metadata", metadata, "--wsfed-realm", "urn:example:plain",
                                      "--wsfed-reply", "http://127.0.0.1:9/")
        cls.environment.__enter__()
        cls.addClassCleanup(cls.environment.__exit__, None, None, None)
        cls.endpoints = cls.environment.endpoints
        cls.app = cls.app_of(REALM)
        cls.ca = cls.environment.path_of(cls.endpoints["ca_bundle"], "ca.pem")
        cls.passive = cls.endpoints["org_url"] + "/sso/wsfed"
        cls.certificate = cls.signing_certificate()

    @classmethod
    def app_of(cls, realm):
        return next(app for app in cls.endpoints["apps"] if app["entity_id"] == realm)

    @classmethod
    def signing_certificate(cls):
        metadata = Browser(cls.ca).get(cls.endpoints["wsfed_metadata_url"])
        root = ElementTree.fromstring(metadata.body.encode())
        return "".join(root.find("md:RoleDescriptor//d:X509Certificate", NAMES).text.split())

    def pem(self):
        path = self.environment.folder / "sts.pem"
        lines = "\n".join(self.certificate[i:i + 64] for i in range(0, len(self.certificate), 64))
        path.write_text(f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
        return path

    def browser(self, device=None, **options):
        if device is None:
            return Browser(self.ca, **options)
        name = device["user"]
        return Browser(self.ca, self.environment.path_of(device["cert_pem"], f"{name}.pem"),
                       self.environment.path_of(device["key_pem"], f"{name}.key"), **options)

    def url(self, realm=REALM, **more):
        return self.passive + "?" + urlencode({"wa": "wsignin1.0", "wtrealm": realm, **more})

    def token_form(self, page):
        form = page.form_with(lambda form: "wresult" in form.fields)
        self.assertIsNotNone(form, page.body)
        return form

    def judge(self, fields, **options):
        """What passport-wsfed-saml2 makes of a form."""
        options = {"realm": REALM, "identityProviderUrl": self.passive, "recipientUrl": REPLY,
                   "thumbprints": [hashlib.sha1(self.der()).hexdigest()], **options}
        result = subprocess.run(["node", "wsfed.js"], cwd=ROOT / "tests/npm", text=True,
                                input=json.dumps({"options": options, "fields": fields}),
                                capture_output=True, check=True, timeout=60)
        return json.loads(result.stdout)

    def der(self):
        return base64.b64decode(self.certificate)

    def xmlsec(self, xml, id_attribute, element, check=True):
        document = self.environment.folder / "token.xml"
        document.write_text(xml)
        return run("xmlsec1", "--verify", "--pubkey-cert-pem", self.pem(),
                   f"--id-attr:{id_attribute}", element, document, check=check)

    def test_a_trusted_device_gets_a_token_that_others_accept(self):
        device, user = self.environment.device_and_user()
        page = sign_in(self.browser(device), self.url(wctx="rm=0&id=\"<x>"), user)
        form = self.token_form(page)
        self.assertEqual(form.action, REPLY)
        self.assertEqual(form.fields["wctx"], "rm=0&id=\"<x>")
        profile = self.judge(form.fields).get("profile")
        self.assertIsNotNone(profile, self.judge(form.fields))
        self.assertEqual(profile[CLAIMS + "upn"], user["principal"])
        self.assertEqual(profile[CLAIMS + "nameidentifier"], user["principal"])
        self.assertEqual(sorted(profile["http://schemas.xmlsoap.org/claims/Group"]),
                         sorted(user["groups"]))
        assertion = "urn:oasis:names:tc:SAML:1.0:assertion:Assertion"
        self.xmlsec(form.fields["wresult"], "AssertionID", assertion)
        tampered = form.fields["wresult"].replace("corp.test", "evil.test")
        self.assertNotEqual(self.xmlsec(tampered, "AssertionID", assertion, check=False).returncode, 0)
        self.assertIn("error", self.judge({**form.fields, "wresult": tampered}))
        self.assertIn("Audience", self.judge(form.fields, realm="urn:example:other")["error"])

    def test_a_saml_2_token_is_accepted_too(self):
        self.environment.dtctl("app", "add", "--realm", "urn:example:saml2", "--reply", REPLY, "--token",
                               "saml2.0")
        device, user = self.environment.device_and_user()
        url = self.url("urn:example:saml2")
        wait_until(lambda: self.browser().get(url).status == 200, 15, "the gateway knows the app")
        form = self.token_form(sign_in(self.browser(device), url, user))
        judged = self.judge(form.fields, realm="urn:example:saml2")
        self.assertEqual(judged.get("profile", judged).get(CLAIMS + "upn"), user["principal"])
        self.xmlsec(form.fields["wresult"], "ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion")
        self.assertIn("Recipient", self.judge(form.fields, realm="urn:example:saml2",
                                              recipientUrl="https://crm.example.com/")["error"])

    def test_the_library_begins_sign_ins_that_the_gateway_takes(self):
        begun = self.judge(None, wreply=REPLY)["redirect"]
        page = self.browser().get(begun)
        self.assertIsNotNone(page.form_with(lambda form: form.name_of("password")), page.body)

    def test_an_unmanaged_device_is_refused(self):
        _, user = self.environment.device_and_user()
        page = sign_in(self.browser(), self.url(), user)
        self.assertEqual(page.status, 403, page.body)
        self.assertIn("administrator", page.body)

    def test_an_unregistered_wreply_gets_a_page(self):
        page = self.browser().once("GET", self.url(wreply="https://evil.example/"))
        self.assertEqual(page.status, 400)
        self.assertNotIn("Location", page.headers)
        self.assertIn("WSFED_REPLY_NOT_REGISTERED", page.body)
        self.assertNotIn('href="https://evil', page.body)

    def test_our_metadata_verifies(self):
        metadata = self.browser().get(self.endpoints["wsfed_metadata_url"])
        path = self.environment.folder / "federation.xml"
        path.write_text(metadata.body)
        run("xmlsec1", "--verify", "--pubkey-cert-pem", self.pem(), "--id-attr:ID",
            f"{NAMES['md']}:EntityDescriptor", path)

    def soap(self, body):
        """What a mail host sends for a client with basic authentication."""
        browser = self.browser(user_agent="Microsoft-Server-ActiveSync/15.1")
        return browser.once("POST", self.passive + "/active", body=body.encode(),
                            headers={"Content-Type": "application/soap+xml; charset=utf-8"})

    def test_a_mail_client_is_told_apart_from_browsers(self):
        _, user = self.environment.device_and_user()
        page = self.soap(envelope(user["principal"], user["password"]))
        self.assertEqual(page.status, 200, page.body)
        assertion = re.search(r"<saml:Assertion .*</saml:Assertion>", page.body, re.S)[0]
        self.xmlsec(assertion, "AssertionID", "urn:oasis:names:tc:SAML:1.0:assertion:Assertion")
        self.assertIn("ImmutableID", assertion)
        self.assertIn(user["principal"], assertion)

        # The rule for them goes; then nothing but "everything else" is left, which denies.
        rules = json.loads(self.environment.dtctl("rules", "get", "office").stdout)
        rules[0]["active"] = False
        path = self.environment.folder / "rules.json"
        path.write_text(json.dumps(rules))
        self.environment.dtctl("rules", "set", "office", path)
        refused = self.soap(envelope(user["principal"], user["password"]))
        self.assertEqual(refused.status, 400, refused.body)
        code = re.search(r"Code ([0-9A-Z]{4}-[0-9A-Z]{4})", refused.body)[1]
        decision = json.loads(self.environment.dtctl("explain", code, "--json").stdout)
        self.assertEqual(decision["client_kind"], "CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY")
        self.assertEqual(decision["rule_name"], "everything else")

    def test_a_wrong_password_of_a_mail_client_says_no_more(self):
        _, user = self.environment.device_and_user(number=1)
        wrong = self.soap(envelope(user["principal"], "wrong"))
        nobody = self.soap(envelope("nobody@corp.test", "wrong"))
        self.assertEqual((wrong.status, wrong.body), (nobody.status, nobody.body))
        self.assertIn("FailedAuthentication", wrong.body)

    def test_dtctl_shows_a_relying_party(self):
        shown = self.environment.dtctl("app", "show", self.app["id"]).stdout
        self.assertIn(REALM, shown)
        self.assertIn("SAML 1.1", shown)
        self.assertIn("WS-Federation", self.environment.dtctl("app", "list").stdout)
        self.environment.dtctl("app", "add", "--realm", "urn:federation:MicrosoftOnline", "--id", "o365",
                               "--office365", "--reply", "https://login.microsoftonline.com/login.srf")
        stored = json.loads(self.environment.dtctl("app", "show", "o365", "--json").stdout)
        self.assertTrue(stored["has_client_conditions"])
        self.assertEqual(stored["ws_fed"]["claims"], "CLAIMS_OFFICE_365")
        # New reply URLs; the rest stays.
        self.environment.dtctl("app", "add", "--realm", "urn:federation:MicrosoftOnline", "--id", "o365",
                               "--replace", "--reply", "https://login.microsoftonline.com/new")
        stored = json.loads(self.environment.dtctl("app", "show", "o365", "--json").stdout)
        self.assertEqual(stored["ws_fed"]["claims"], "CLAIMS_OFFICE_365")
        self.assertEqual(stored["ws_fed"]["reply_urls"], ["https://login.microsoftonline.com/new"])

    def test_dtctl_says_which_options_go_together(self):
        for words, said in ((("--realm", "urn:a"), "--realm goes with --reply"),
                            (("app.xml", "--office365"), "does not go with"),
                            (("--realm", "urn:a", "--reply", "https://a", "--token", "jwt"), "--token")):
            refused = self.environment.dtctl("app", "add", *words, check=False)
            self.assertEqual(refused.returncode, 2)
            self.assertIn(said, refused.stderr)


if __name__ == "__main__":
    unittest.main()
