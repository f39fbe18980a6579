"""Sign-in to a foreign SAML app, as a browser sees it; the answer is judged by xmlsec1."""
import json
import pathlib
import re
import tempfile
import time
import unittest
import xml.etree.ElementTree as ElementTree
from urllib.parse import urljoin

from support.browser import Browser, authn_request_url, saml_response, sign_in
from support.environment import Environment, run, wait_until

ENTITY_ID = "https://app.example.com/metadata?tenant=1&kind=saml"
ACS = "https://app.example.com/saml/acs"
METADATA = f"""<?xml version="1.0"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"
    entityID="{ENTITY_ID.replace('&', '&amp;')}">
  <md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"
      WantAssertionsSigned="true">
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
        Location="{ACS}" index="1" isDefault="true"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>
"""
NAMES = {"p": "urn:oasis:names:tc:SAML:2.0:protocol", "a": "urn:oasis:names:tc:SAML:2.0:assertion",
         "d": "http://www.w3.org/2000/09/xmldsig#", "md": "urn:oasis:names:tc:SAML:2.0:metadata"}


class SignIn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="dt-sp-")
        cls.addClassCleanup(folder.cleanup)
        metadata = pathlib.Path(folder.name) / "my-app.xml"
        metadata.write_text(METADATA)
        cls.environment = Environment("--sp-metadata", metadata)
        cls.environment.__enter__()
        cls.addClassCleanup(cls.environment.__exit__, None, None, None)
        cls.endpoints = cls.environment.endpoints
        cls.app = next(app for app in cls.endpoints["apps"] if app["entity_id"] == ENTITY_ID)
        cls.ca = cls.environment.path_of(cls.endpoints["ca_bundle"], "ca.pem")

    def browser(self, device=None):
        if device is None or device["state"] == "none":
            return Browser(self.ca)
        name = device["user"]
        return Browser(self.ca, self.environment.path_of(device["cert_pem"], f"{name}.pem"),
                       self.environment.path_of(device["key_pem"], f"{name}.key"))

    def url(self, request_id="_request1"):
        return authn_request_url(self.app["sign_on_url"], ENTITY_ID.replace("&", "&amp;"), request_id)

    def test_trusted_device_gets_a_response_that_xmlsec_accepts(self):
        device, user = self.environment.device_and_user()
        browser = self.browser(device)
        page = sign_in(browser, self.url(), user)
        response = saml_response(page)
        self.assertIsNotNone(response, page.body)
        form = page.form_with(lambda form: "SAMLResponse" in form.fields)
        self.assertEqual(form.action, ACS)
        self.assertEqual(form.fields["RelayState"], "here")
        self.check_signature(response)
        self.check_fields(response, user)

    def check_signature(self, response):
        certificate = self.environment.folder / "idp.pem"
        metadata = ElementTree.fromstring(self.browser().get(self.endpoints["saml_metadata_url"]).body)
        der = metadata.find(".//d:X509Certificate", NAMES).text  # The RSA key that signs is first.
        body = "".join(der.split())
        lines = "\n".join(body[i:i + 64] for i in range(0, len(body), 64))
        certificate.write_text(f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
        document = self.environment.folder / "response.xml"
        document.write_bytes(response)
        # The assertion's, as the app's metadata wants it, and no other.
        self.assertEqual(response.count(b"<ds:SignatureValue>"), 1)
        run("xmlsec1", "--verify", "--pubkey-cert-pem", certificate,
            "--id-attr:ID", f"{NAMES['p']}:Response", "--id-attr:ID", f"{NAMES['a']}:Assertion",
            "--node-xpath", f"//*[local-name()='Assertion' and namespace-uri()='{NAMES['a']}']"
            "/*[local-name()='Signature']", document)
        tampered = self.environment.folder / "tampered.xml"
        tampered.write_bytes(response.replace(b"corp.test", b"evil.test"))
        result = run("xmlsec1", "--verify", "--pubkey-cert-pem", certificate, "--id-attr:ID",
                     f"{NAMES['p']}:Response", "--id-attr:ID", f"{NAMES['a']}:Assertion", tampered,
                     check=False)
        self.assertNotEqual(result.returncode, 0)

    def check_fields(self, response, user):
        root = ElementTree.fromstring(response)
        self.assertEqual(root.get("InResponseTo"), "_request1")
        self.assertEqual(root.get("Destination"), ACS)
        self.assertIn("status:Success", root.find("p:Status/p:StatusCode", NAMES).get("Value"))
        assertion = root.find("a:Assertion", NAMES)
        audience = assertion.find(".//a:Audience", NAMES).text
        self.assertEqual(audience, ENTITY_ID)
        confirmation = assertion.find(".//a:SubjectConfirmationData", NAMES)
        self.assertEqual(confirmation.get("Recipient"), ACS)
        self.assertEqual(confirmation.get("InResponseTo"), "_request1")
        self.assertIn(user["principal"].split("@")[0], assertion.find(".//a:NameID", NAMES).text)

    def refused(self, page):
        self.assertEqual(page.status, 403, page.body)
        self.assertIsNone(saml_response(page))
        self.assertIn("administrator", page.body)
        return page

    def test_unmanaged_device_is_refused_and_explained(self):
        _, user = self.environment.device_and_user()
        page = self.refused(sign_in(self.browser(), self.url(), user))
        self.assertIn("Acme Corporation", page.body)
        code = code_of(page.body)
        decision = json.loads(self.environment.dtctl("explain", code, "--json").stdout)
        self.assertEqual(decision["outcome"], "OUTCOME_DENIED")
        self.assertEqual(decision["trust_reason"], "REASON_CERTIFICATE_NOT_PRESENTED")
        pasted = f"\u200e {code.lower().replace('-', '')}\u00a0"
        text = self.environment.dtctl("explain", pasted).stdout
        self.assertIn("CERTIFICATE_NOT_PRESENTED", text)
        self.assertIn("What to do", text)
        doctor = self.environment.dtctl("doctor", "--code", code, check=False)
        self.assertEqual(doctor.returncode, 1, doctor.stderr)
        self.assertTrue(doctor.stdout.startswith("The certificate reaches the mTLS host does not hold: "),
                        doctor.stdout)
        self.assertIn("CERTIFICATE_NOT_PRESENTED", doctor.stdout)

    def test_the_dashboard_locks_after_a_refused_try_and_opens_on_a_trusted_computer(self):
        device, user = self.environment.device_and_user()
        org = self.endpoints["org_url"]
        unmanaged = self.browser()
        page = sign_in(unmanaged, org + "/", user)
        self.assertIn("Your apps", page.body)
        self.assertNotIn("Locked", page.body)
        self.refused(unmanaged.get(f"{org}/open/{self.app['id']}"))
        page = unmanaged.get(org + "/")
        self.assertIn("Why is an app locked?", page.body)
        # The other session of the same person is on a computer that is trusted.
        trusted = self.browser(device)
        sign_in(trusted, org + "/", user)
        opened = sign_in(trusted, f"{org}/open/{self.app['id']}", user)
        self.assertIsNotNone(saml_response(opened), opened.body)
        page = trusted.get(org + "/sessions")
        self.assertIn("trusted by your organization", page.body)
        unverified = page.body.count("not verified")  # Sessions of other tests are among them.
        end = page.form_with(lambda form: form.fields.get("id"))
        trusted.submit(page, end)
        for _ in range(20):
            page = unmanaged.get(org + "/sessions")
            if "type=\"password\"" in page.body:
                break
        self.assertIn("type=\"password\"", page.body)
        self.assertEqual(trusted.get(org + "/sessions").body.count("not verified"), unverified - 1)

    def test_certificate_of_another_user_is_not_trusted(self):
        device, _ = self.environment.device_and_user()
        other = next(u for u in self.endpoints["users"]
                     if u["name"] != device["user"] and u.get("totp_secret"))
        page = self.refused(sign_in(self.browser(device), self.url(), other))
        decision = json.loads(self.environment.dtctl("explain", code_of(page.body), "--json").stdout)
        self.assertEqual(decision["trust_reason"], "REASON_CERTIFICATE_OF_ANOTHER_USER")

    def test_foreign_certificate_ends_at_the_security_message(self):
        device = self.environment.device("foreign_ca")
        user = self.environment.user(device["user"])
        self.refused(sign_in(self.browser(device), self.url(), user))

    def test_revoked_certificate_is_refused(self):
        device = self.environment.device("revoked")
        user = self.environment.user(device["user"])
        page = self.refused(sign_in(self.browser(device), self.url(), user))
        decision = json.loads(self.environment.dtctl("explain", code_of(page.body), "--json").stdout)
        self.assertEqual(decision["trust_reason"], "REASON_CERTIFICATE_REVOKED")

    def test_wrong_password_shows_the_form_again(self):
        _, user = self.environment.device_and_user()
        page = sign_in(self.browser(), self.url(), user, password="wrong")
        self.assertIn(page.status, (200, 401, 403, 422))
        self.assertIsNone(saml_response(page))

    def test_whatever_name_of_the_account_is_typed(self):
        device, user = self.environment.device_and_user(number=1)
        account, domain = user["principal"].split("@")
        netbios = domain.split(".")[0].upper()  # As the simulator names it; the org has it configured.
        for typed in (account, account.upper(), f"{netbios}\\{account}", f"{domain}\\{account}",
                      f"\u200e {account}@{domain.upper()}\t", f"{account}@{netbios}"):
            page = sign_in(self.browser(device), self.url(), dict(user, principal=typed))
            self.check_fields(saml_response(page), user)

    def test_six_tabs_opened_at_once_all_finish(self):
        device, user = self.environment.device_and_user()
        browser = self.browser(device)
        self.assertIsNotNone(saml_response(sign_in(browser, self.url(), user)))
        # Each tab goes one hop at a time, so that all transactions are open together.
        tabs = [("GET", self.url(f"_tab{i}")) for i in range(6)]
        done = 0
        for _ in range(10):
            following = []
            for method, url in tabs:
                page = browser.once(method, url)
                if page.status == 303:
                    following.append(("GET", urljoin(url, page.headers["Location"])))
                elif saml_response(page):
                    done += 1
            tabs = following
        self.assertEqual(done, 6)

    def set_rules(self, rules):
        path = self.environment.folder / "rules.json"
        path.write_text(rules if isinstance(rules, str) else json.dumps(rules))
        self.environment.dtctl("rules", "set", self.app["id"], path)

    def what_a_browser_gets(self, user):
        """Of a whole sign-in: each page's place, and the last one but for what is new each time."""
        browser = self.browser()
        page = sign_in(browser, self.url(), user)
        body = re.sub(r'value="[^"]*"|\?t=[\w-]+', "", page.body)
        body = re.sub(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", "CODE", body)
        names = sorted(name for name in page.headers if name not in ("Date", "Content-Length"))
        places = [(method, url.split("?")[0].split("/")[2:], status) for method, url, status in browser.visited]
        return places, page.status, names, body

    def test_report_only_rules_change_no_byte_and_ask_for_no_certificate(self):
        """Attack 18 of the findings, as a browser without a certificate sees it."""
        kept = self.environment.dtctl("rules", "get", self.app["id"]).stdout
        self.addCleanup(self.set_rules, kept)
        _, user = self.environment.device_and_user()
        denied, allowed = ({"action": {"access": f"ACCESS_{access}"}} for access in ("DENIED", "ALLOWED"))
        report_only = [
            {"name": "managed Windows", "report_only": True, "platforms": ["PLATFORM_KIND_WINDOWS"],
             "trust": "TRUST_CONDITION_TRUSTED", **allowed},
            {"name": "no untrusted Windows", "report_only": True, "platforms": ["PLATFORM_KIND_WINDOWS"],
             "trust": "TRUST_CONDITION_NOT_TRUSTED", **denied},
            {"name": "factor", "report_only": True,
             "action": {"access": "ACCESS_ALLOWED", "prompt_for_factor": True,
                        "factor_frequency": "FACTOR_FREQUENCY_EVERY_SIGN_ON"}},
            {"name": "nobody", "report_only": True, **denied},
            {"name": "everybody", "report_only": True, **allowed}]
        def asks_for_a_certificate():
            return any("mtls" in place[1][0] for place in self.what_a_browser_gets(user)[0])

        for outcome in (allowed, denied):
            rule = {"name": "in force", "active": True, **outcome}
            self.set_rules([rule])
            wait_until(lambda: not asks_for_a_certificate(), 10, "the gateway knows the rules")
            before = self.what_a_browser_gets(user)
            self.set_rules(report_only + [rule])
            # Long enough for the gateway to have asked the org for its apps again.
            end = time.monotonic() + 2.5
            while time.monotonic() < end:
                self.assertEqual(self.what_a_browser_gets(user), before)
            event = json.loads(self.environment.dtctl("log", "--type", "policy.evaluate_sign_on", "--limit",
                                                      "1", "--json").stdout)
            self.assertIn("'nobody': DENIED", event["debugContext"]["debugData"]["report_only"])
        self.set_rules([dict(report_only[0], report_only=False, active=True), rule])
        wait_until(asks_for_a_certificate, 10, "a rule in force asks for a certificate")

    def test_pages_carry_the_hygiene_headers(self):
        page = self.browser().once("GET", self.endpoints["org_url"] + "/no-such-page")
        self.assertEqual(page.status, 404)
        for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy",
                     "Cache-Control"):
            self.assertIn(name, page.headers)


def code_of(body):
    match = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", body)
    if match is None:
        raise AssertionError("no code on the page:\n" + body)
    return match.group(0)


if __name__ == "__main__":
    unittest.main()
