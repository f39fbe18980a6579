"""Service providers of others judge our SAML: node-saml, samlify, pysaml2, mod_auth_mellon,
Shibboleth, SimpleSAMLphp. Sign-ons that they or the org begin, encrypted assertions, one signature or two, sign-out, and keys that
change meanwhile."""
import base64
import pathlib
import re
import tempfile
import threading
import unittest
import urllib.parse

from support.apache import MellonProvider, ShibbolethProvider
from support.browser import Browser, sign_in
from support.environment import Environment, wait_until
from support.php import SimpleSamlPhpProvider, missing
from support.saml import IdentityProvider, KeyPair, NodeProvider, PySaml2Provider, Refused


class Saml(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.environment = Environment()
        cls.environment.__enter__()
        cls.addClassCleanup(cls.environment.__exit__, None, None, None)
        folder = tempfile.TemporaryDirectory(prefix="dt-saml-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.ca = cls.environment.path_of(cls.environment.endpoints["ca_bundle"], "ca.pem")
        cls.pair = KeyPair(cls.folder, "sp")
        _, cls.user = cls.environment.device_and_user()

    def idp(self):
        url = self.environment.endpoints["saml_metadata_url"]
        return IdentityProvider(Browser(self.ca).get(url).body)

    def register(self, provider, *settings):
        """Everybody may sign in: which rules there are is not asked here."""
        self.addCleanup(provider.close)
        metadata = self.folder / f"{provider.id}.xml"
        metadata.write_text(provider.metadata())
        self.environment.dtctl("app", "add", metadata, "--id", provider.id, "--replace", *settings)
        start = f"{self.environment.endpoints['org_url']}/app/{provider.id}/sso/saml"
        wait_until(lambda: Browser(self.ca).once("GET", start).status != 404, 10,
                   "the gateway to know the app")
        return start

    def sign_on(self, provider, browser, url=None):
        """What the provider makes of a sign-on; that of the person is one of its own values."""
        page = sign_in(browser, url or provider.ask(), self.user)
        form = page.form_with(lambda form: "SAMLResponse" in form.fields)
        self.assertIsNotNone(form, text_of(page))
        self.assertEqual(form.action, provider.acs)
        told = provider.judge(form.fields)
        self.assertEqual(one(told["attributes"]["principal"]), self.user["principal"])
        return told, form

    def sign_out(self, provider, browser):
        """By the provider; the page after it, where the browser would go on."""
        url = provider.leave()
        for _ in range(10):
            page = browser.once("GET", url)
            if page.status not in (302, 303):
                return page
            url = urllib.parse.urljoin(url, page.headers["Location"])
            if url.startswith(provider.slo):
                return provider.left(url.partition("?")[2])
        return self.fail(f"more than 10 redirects: {url}")

    def check(self, provider, *settings):
        """In, and out again; then the org does not know the browser any more."""
        self.register(provider, *settings)
        browser = Browser(self.ca)
        told, _ = self.sign_on(provider, browser)
        self.sign_out(provider, browser)
        self.assertIn("/signin", browser.once("GET", provider.ask()).headers["Location"])
        return told

    def test_node_saml(self):
        for wants, settings in ((("assertion",), ()),
                                (("response", "assertion"), ("--sign", "both")),
                                (("response",), ("--sign", "response"))):
            for encrypted in (False, True):
                with self.subTest(wants=wants, encrypted=encrypted):
                    self.check(NodeProvider("node-saml", self.idp(), self.pair, wants, encrypted),
                               *settings)

    def test_samlify(self):
        for encrypted in (False, True):
            with self.subTest(encrypted=encrypted):
                self.check(NodeProvider("samlify", self.idp(), self.pair, ("assertion",), encrypted))

    def test_pysaml2(self):
        for wants in (("response",), ("assertion",)):
            for encrypted in (False, True):
                with self.subTest(wants=wants, encrypted=encrypted):
                    self.check(PySaml2Provider(self.folder, self.idp(), self.pair, encrypted, wants))

    def test_pysaml2_takes_a_sign_on_that_the_org_begins(self):
        provider = PySaml2Provider(self.folder, self.idp(), self.pair)
        start = self.register(provider)
        self.sign_on(provider, Browser(self.ca), start)

    def test_pysaml2_verifies_an_ecdsa_signature(self):
        first = PySaml2Provider(self.folder, self.idp(), self.pair, wants=("assertion",))
        self.register(first, "--key", "ecdsa")
        self.addCleanup(self.environment.dtctl, "app", "remove", first.id, "--yes")
        # The key is in the metadata from now on.
        wait_until(lambda: any(len(each) < 1000 for each in self.idp().certificates), 10,
                   "the ECDSA key in the metadata")
        provider = PySaml2Provider(self.folder, self.idp(), self.pair, wants=("assertion",),
                                   name=first.id)
        _, form = self.sign_on(provider, Browser(self.ca))
        self.assertIn("ecdsa-sha256", decoded(form))

    def check_in_server(self, provider):
        """SP-initiated, all the way to the page; out; and once more as the org begins it."""
        start = self.register(provider)
        browser = Browser(self.ca)
        for begin in (provider.home, start):
            page = sign_in(browser, begin, self.user)
            form = page.form_with(lambda form: "SAMLResponse" in form.fields)
            self.assertIsNotNone(form, text_of(page))
            browser.submit(page, form)
            page = browser.get(provider.home)
            self.assertEqual(page.headers.get("X-Principal"), self.user["principal"], text_of(page))
            browser.get(provider.logout)
            self.assertIn("/bye", browser.visited[-1][1], browser.visited)
            page = browser.get(provider.home)
            self.assertIsNotNone(page.form_with(lambda form: form.name_of("password")), text_of(page))

    def test_mellon(self):
        for encrypted in (False, True):
            with self.subTest(encrypted=encrypted):
                self.check_in_server(MellonProvider(self.folder, self.idp(), self.pair, encrypted))

    def test_shibboleth(self):
        for encrypted in (False, True):
            with self.subTest(encrypted=encrypted):
                self.check_in_server(
                    ShibbolethProvider(self.folder, self.idp(), self.pair, encrypted))

    @unittest.skipIf(missing(), missing())
    def test_simplesamlphp(self):
        for encrypted in (False, True):
            with self.subTest(encrypted=encrypted):
                self.check_in_server(
                    SimpleSamlPhpProvider(self.folder, self.idp(), self.pair, encrypted))

    def test_signing_out_at_the_org_signs_out_of_apps(self):
        mellon = MellonProvider(self.folder, self.idp(), self.pair, False)
        self.register(mellon)
        browser = Browser(self.ca)
        page = sign_in(browser, mellon.home, self.user)
        browser.submit(page, page.form_with(lambda form: "SAMLResponse" in form.fields))
        self.assertEqual(browser.once("GET", mellon.home).status, 200)
        org = self.environment.endpoints["org_url"]
        page = browser.get(f"{org}/signout")
        page = browser.submit(page, page.form_with(lambda form: form.action == "/signout"))
        self.assertIn("That goes for the apps that you opened, too.", page.body)
        self.assertNotEqual(browser.once("GET", mellon.home).status, 200)

    def test_a_rotation_stops_no_sign_on(self):
        """People sign in all the time; each answer is taken by an app that has read the metadata
        once the new key was in it, and nothing else."""
        old = self.idp()
        self.environment.dtctl("saml-key", "rotate", "--use-after", "1", "--retire-after", "1")
        wait_until(lambda: set(self.idp().certificates) - set(old.certificates), 40,
                   "the new key in the metadata")
        idp = self.idp()
        provider = NodeProvider("node-saml", idp, self.pair)
        self.register(provider)
        signers, failures, over = set(), [], threading.Event()

        def keep_signing_in():
            browser = Browser(self.ca)
            while not over.is_set():
                try:
                    _, form = self.sign_on(provider, browser)
                    signers.add(certificate_in(decoded(form)))
                except (AssertionError, Refused) as error:
                    failures.append(error)
                    return

        thread = threading.Thread(target=keep_signing_in)
        thread.start()
        try:
            wait_until(lambda: signers or failures, 20, "a first sign-on")
            waiting = self.environment.dtctl("saml-key", "list").stdout
            new = next(line for line in waiting.splitlines() if "published" in line).split()[0]
            self.environment.dtctl("saml-key", "activate", new)
            wait_until(lambda: len(signers) == 2 or failures, 40, "an answer by the new key")
        finally:
            over.set()
            thread.join()
        self.assertEqual(failures, [])
        self.assertLessEqual(signers, set(idp.certificates))

    def test_metadata_of_today_is_taken_and_settings_stay(self):
        first = PySaml2Provider(self.folder, self.idp(), self.pair, wants=("assertion",))
        self.register(first, "--name-id", "persistent")
        other = KeyPair(self.folder, "sp-of-tomorrow")
        second = PySaml2Provider(self.folder, self.idp(), other, wants=("assertion",), name=first.id)
        metadata = self.folder / "tomorrow.xml"
        metadata.write_text(second.metadata())
        self.environment.dtctl("app", "refresh", first.id, "--metadata", metadata)
        shown = self.environment.dtctl("app", "show", first.id).stdout
        self.assertIn("persistent", shown)
        browser = Browser(self.ca)
        # Requests by the key of yesterday are refused, those of today taken.
        wait_until(lambda: browser.once("GET", first.ask()).status == 400, 10, "the new key to count")
        told, _ = self.sign_on(second, browser)
        self.assertRegex(told["name"], "^[0-9a-f]{64}$")


def text_of(page):
    """What a person reads on it."""
    return page.url + " " + re.sub(r"<[^>]*>", "", re.sub(r"(?s)<style>.*?</style>", "", page.body))


def one(values):
    return values if isinstance(values, str) else values[0]


def decoded(form):
    return base64.b64decode(form.fields["SAMLResponse"]).decode()


def certificate_in(xml):
    return xml.partition("<ds:X509Certificate>")[2].partition("<")[0]


if __name__ == "__main__":
    unittest.main()
