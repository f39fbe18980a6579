"""Chromium as a person uses it: certificate in its store, policy that chooses it. Skipped where
Chromium can't be installed, or its policy not be written."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shutil
import tempfile
import unittest

from support.browser import totp
from support.chromium import Chromium
from support.environment import ROOT, EnvironmentTest

SIGN_IN = "document.querySelector('input[type=password]')"
FACTOR = "document.querySelector('input[autocomplete=one-time-code]')"


def load_tool(name):
    """tools/NAME, a program without an ending, as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(ROOT / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@unittest.skipUnless(all(shutil.which(program) for program in ("chromium", "certutil", "pk12util")),
                     "chromium or libnss3-tools is not installed: tools/setup --tests")
@unittest.skipUnless(os.geteuid() == 0,
                     "only root may write Chromium's policy: run the tests as root, in a container say")
class Browser(EnvironmentTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tool = load_tool("open-browser")
        policy = cls.tool.policy(cls.endpoints)
        policy.__enter__()
        cls.addClassCleanup(policy.__exit__, None, None, None)
        cls.app = next(app for app in cls.endpoints["apps"] if app["device_trust"] == "trusted")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="dt-browser-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)

    def sign_in(self, browser, user, app=None):
        browser.open((app or self.app)["home_url"])
        browser.wait_for(SIGN_IN)
        browser.evaluate(f"document.querySelector('input[name=username]').value="
                         f"{json.dumps(user['principal'])};"
                         f"document.querySelector('input[name=password]').value="
                         f"{json.dumps(user['password'])};document.forms[0].requestSubmit()")
        done = "!document.querySelector('input[type=password]')"
        browser.wait_for(f"{done} && (location.host.startsWith('apps.') || {FACTOR} || "
                         "document.querySelector('code'))")
        if browser.evaluate(f"!!{FACTOR}"):
            code = totp(user["totp_secret"])
            browser.evaluate(f"{FACTOR}.value='{code}';document.forms[0].requestSubmit()")

    def test_a_trusted_computer_reaches_the_app(self):
        device, user = self.environment.device_and_user()
        self.tool.make_store(self.home, self.endpoints, device, user)
        with Chromium(self.home) as browser:
            self.sign_in(browser, user)
            browser.wait_for("location.host.startsWith('apps.') && "
                             "document.body.innerText.includes('Welcome')")

    def test_a_trusted_computer_signs_in_and_out_by_ws_federation(self):
        device, user = self.environment.device_and_user()
        office = next(app for app in self.endpoints["apps"] if app["protocol"] == "ws-federation")
        self.tool.make_store(self.home, self.endpoints, device)
        with Chromium(self.home) as browser:
            self.sign_in(browser, user, office)
            browser.wait_for("document.body.innerText.includes('Welcome to Office')")
            self.assertIn("ImmutableID", browser.evaluate("document.body.innerText"))
            browser.evaluate("[...document.links].find(a => a.innerText == 'Sign out everywhere').click()")
            browser.wait_for("document.body.innerText.includes('Signed out')")
            browser.evaluate("[...document.links].find(a => a.innerText.startsWith('Back to')).click()")
            browser.wait_for("location.host.startsWith('apps.')")
            browser.open(office["home_url"])
            browser.wait_for(SIGN_IN)

    def test_a_computer_without_certificate_sees_the_security_message(self):
        _, user = self.environment.device_and_user()
        self.tool.make_store(self.home, self.endpoints, {"state": "none"})
        with Chromium(self.home) as browser:
            self.sign_in(browser, user)
            browser.wait_for("document.querySelector('code')")
            text = browser.evaluate("document.body.innerText")
            self.assertIn("administrator", text)
            self.assertIn("Learn more", text)
            code = browser.evaluate("document.querySelector('code').innerText")
        explained = json.loads(self.environment.dtctl("explain", code, "--json").stdout)
        self.assertEqual(explained["trust_reason"], "REASON_CERTIFICATE_NOT_PRESENTED")

    def test_a_sign_in_in_a_popup_stays_open_for_its_opener(self):
        self.tool.make_store(self.home, self.endpoints, {"state": "none"})
        with Chromium(self.home) as browser:
            browser.call("Runtime.evaluate", userGesture=True,
                         expression=f"popup = open({json.dumps(self.endpoints['org_url'])})")
            # Once the page of another origin is there, its document can't be seen any more.
            browser.wait_for("popup.closed || !(() => {try {return popup.document} catch {}})()")
            self.assertIs(browser.evaluate("popup.closed"), False)

    def test_a_foreign_certificate_is_not_offered(self):
        device = self.environment.device("foreign_ca")
        user = self.environment.user(device["user"])
        self.tool.make_store(self.home, self.endpoints, device)
        with Chromium(self.home) as browser:
            self.sign_in(browser, user)
            browser.wait_for("document.querySelector('code')")
            code = browser.evaluate("document.querySelector('code').innerText")
        explained = json.loads(self.environment.dtctl("explain", code, "--json").stdout)
        self.assertEqual(explained["trust_reason"], "REASON_CERTIFICATE_NOT_PRESENTED")


if __name__ == "__main__":
    unittest.main()
