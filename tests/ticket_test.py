"""Signing in with a Kerberos ticket, judged by curl and Chromium with the ticket that kinit got: who has
one sees no form, who has none sees the form at once, and a ticket that was shown is worth nothing more."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from browser_test import load_tool
from support.chromium import Chromium
from support.environment import EnvironmentTest, run

FORM = 'name="password"'


@unittest.skipUnless(shutil.which("kinit"), "krb5-user is not installed: tools/setup --tests")
class Ticket(EnvironmentTest):
    ARGUMENTS = ("--ticket-sign-in",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ca = cls.environment.path_of(cls.endpoints["ca_bundle"], "ca.pem")
        cls.app = next(app for app in cls.endpoints["apps"]
                       if app["device_trust"] == "any" and app["protocol"] == "saml2")
        cls.start = f"{cls.endpoints['org_url']}/app/{cls.app['id']}/sso/saml"

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="dt-ticket-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        _, self.user = self.environment.device_and_user()
        self.kerberos = {"KRB5_CONFIG": self.endpoints["kerberos"]["krb5_conf"],
                         "KRB5CCNAME": f"FILE:{self.folder}/cc"}

    def log_on(self):
        subprocess.run(["kinit", self.user["principal"].split("@")[0]], check=True, text=True,
                       input=self.user["password"] + "\n", env={**os.environ, **self.kerberos},
                       capture_output=True, timeout=30)

    def curl(self, *arguments, jar="jar"):
        """Page, and what curl says of its requests."""
        done = run("curl", "-sv", "--cacert", self.ca, "-c", self.folder / jar, "-b",
                   self.folder / jar, *arguments, env={**os.environ, **self.kerberos})
        return done.stdout, done.stderr

    def test_curl_with_a_ticket_sees_no_form(self):
        self.log_on()
        page, told = self.curl("-L", "--negotiate", "-u", ":", self.start)
        self.assertNotIn(FORM, page)
        self.assertIn("SAMLResponse", page, told)
        # It asks for a ticket by itself, or when told to.
        self.assertLessEqual(len(re.findall(r"< HTTP/1.1 401", told)), 1)
        self.assertIn("user.session.start", self.environment.dtctl("log", "--json").stdout)
        # The session goes on without the ticket.
        page, _ = self.curl("-L", self.start)
        self.assertIn("SAMLResponse", page)

    def test_curl_without_a_ticket_sees_the_form_and_no_second_question(self):
        page, told = self.curl("-L", "--negotiate", "-u", ":", self.start)
        self.assertIn(FORM, page)
        self.assertEqual(len(re.findall(r"< HTTP/1.1 401", told)), 1, told)

    def test_a_ticket_that_was_shown_is_worth_nothing_more(self):
        self.log_on()
        _, told = self.curl("-L", "--negotiate", "-u", ":", self.start)
        shown = re.search(r"> GET /signin\?(?:.*\n)*?> Authorization: (Negotiate \S+)", told)[1]
        # Another browser, another sign-on.
        _, told = self.curl(self.start, jar="thief")
        signin = re.search(r"< location: (\S+)", told)[1]
        page, told = self.curl("-H", f"Authorization: {shown}",
                               self.endpoints["org_url"] + signin, jar="thief")
        self.assertIn(FORM, page)
        self.assertIn("< HTTP/1.1 200", told)
        self.assertNotIn("__Host-dt-session", told)

    def test_whoever_is_disabled_meanwhile_types_and_is_refused(self):
        self.log_on()
        people = self.environment.dtctl("people", "deactivate", self.user["principal"], "--yes",
                                        check=False)
        self.addCleanup(self.environment.dtctl, "people", "activate", self.user["principal"])
        self.assertEqual(people.returncode, 0, people.stderr)
        page, _ = self.curl("-L", "--negotiate", "-u", ":", self.start)
        self.assertIn(FORM, page)

    @unittest.skipUnless(shutil.which("chromium") and shutil.which("certutil"),
                         "chromium or libnss3-tools is not installed: tools/setup --tests")
    def test_chromium_with_a_ticket_is_signed_in_at_once(self):
        self.log_on()
        load_tool("open-browser").make_store(self.folder, self.endpoints, {"state": "none"})
        # In a profile that no server has ever asked it stays in its sandbox, and shows the form.
        for page in ("document.querySelector('input[type=password]')",
                     "document.body.innerText.includes('Sign out')"):
            with Chromium(self.folder, ["--auth-server-allowlist=org.localhost",
                                        "--disable-auth-negotiate-cname-lookup"],
                          self.kerberos) as browser:
                browser.open(self.endpoints["org_url"] + "/")
                browser.wait_for(page)
                text = browser.evaluate("document.body.innerText")
        self.assertIn(self.user["principal"], text)

    @unittest.skipUnless(shutil.which("chromium") and shutil.which("certutil"),
                         "chromium or libnss3-tools is not installed: tools/setup --tests")
    def test_chromium_that_may_show_none_shows_the_form(self):
        self.log_on()
        load_tool("open-browser").make_store(self.folder, self.endpoints, {"state": "none"})
        with Chromium(self.folder, [], self.kerberos) as browser:
            browser.open(self.endpoints["org_url"] + "/")
            browser.wait_for("document.querySelector('input[type=password]')")


if __name__ == "__main__":
    unittest.main()
