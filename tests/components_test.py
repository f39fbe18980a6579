"""Services that hang, die, double or find their port taken: the others answer in time, say
what is wrong, and go on when it is over."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import unittest.mock
from urllib.parse import urljoin, urlsplit

from support.browser import Browser, authn_request_url, saml_response, sign_in, totp
from support.environment import (BIN, Environment, EnvironmentTest, free_port, run, wait_until)

PATIENCE_SECONDS = 10


class Stopped:
    """A process that hangs, for as long as the block lasts."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


class Hanging(EnvironmentTest):
    ARGUMENTS = ("--processes",)

    def setUp(self):
        self.device, self.user = self.environment.device_and_user()
        self.ca = self.environment.path_of(self.endpoints["ca_bundle"], "ca.pem")
        self.app = self.endpoints["apps"][0]

    def browser(self, device=None):
        device = device or self.device
        return Browser(self.ca, device["cert_pem"], device["key_pem"])

    def url(self):
        return authn_request_url(self.app["sign_on_url"], self.app["entity_id"], "_request")

    def check(self, device=None):
        return json.loads(self.browser(device).get(self.endpoints["mtls_check_url"]).body)

    def test_with_the_iwa_and_the_kdc_away_a_certificate_signs_in(self):
        device, user = self.environment.device_and_user(number=1)
        with Stopped(self.environment.component("dt-iwa")[0]), \
                Stopped(self.environment.component("krb5kdc")[0]):
            page = sign_in(self.browser(device), self.url(), user)
            self.assertIsNotNone(saml_response(page), page.body)

    def test_a_revocation_reaches_the_gateway_within_a_second(self):
        others_need = [self.environment.device_and_user(number=n)[0] for n in range(2)]
        device = next(device for device in self.endpoints["devices"]
                      if device["state"] == "enrolled" and device not in others_need)
        serial = run("openssl", "x509", "-in", device["cert_pem"], "-noout",
                     "-serial").stdout.split("=")[1].strip()
        self.assertTrue(self.check(device)["trusted"])
        for verb, trusted in ((("revoke", "--serial", serial, "--reason", "hold", "--yes"), False),
                              (("certificates", "release", serial), True),
                              (("revoke", "--serial", serial, "--yes"), False)):
            self.environment.dtctl(*verb)
            answered = time.monotonic()
            while (seen := self.check(device))["trusted"] != trusted:
                self.assertLess(time.monotonic() - answered, 1)
            self.assertEqual(seen["reason"], "" if trusted else "CERTIFICATE_REVOKED")

    def test_without_the_ca_nobody_is_trusted_and_afterwards_again(self):
        self.assertTrue(self.check()["trusted"])
        with Stopped(self.environment.component("dt-ca")[0]):
            wait_until(lambda: not self.check()["trusted"], 15, "revocation data is stale")
            self.assertEqual(self.check()["reason"], "REVOCATION_DATA_STALE")
        wait_until(lambda: self.check()["trusted"], 15, "the device is trusted again")

    def test_without_the_org_sign_in_says_so_in_time_and_afterwards_works(self):
        browser = self.browser()
        page = browser.get(self.url())
        form = page.form_with(lambda form: form.name_of("password"))
        values = {form.name_of("text"): self.user["principal"],
                  form.name_of("password"): self.user["password"]}
        with Stopped(self.environment.component("dt-policy")[0]):
            started = time.monotonic()
            refused = browser.submit(page, form, **values)
            self.assertLess(time.monotonic() - started, PATIENCE_SECONDS)
            self.assertEqual(refused.status, 503, refused.body)
        def works():
            return saml_response(sign_in(self.browser(), self.url(), self.user)) is not None
        wait_until(works, 35, "sign-in works again")  # A code of TOTP serves once in 30 s.

    def test_dtctl_names_the_service_that_hangs(self):
        with Stopped(self.environment.component("dt-ca")[0]):
            result = self.environment.dtctl("revoke", "--serial", "0badc0de", "--yes", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("DEPENDENCY_UNAVAILABLE", result.stderr)
        self.assertIn("CA", result.stderr)


class TwoGateways(EnvironmentTest):
    ARGUMENTS = ("--processes",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.org_port = urlsplit(cls.endpoints["org_url"]).port
        cls.mtls_port = urlsplit(cls.endpoints["mtls_url"]).port
        cls.second_org_port, cls.second_mtls_port = free_port(), free_port()
        ready = cls.environment.folder / "gateway-2.ready"
        cls.second = subprocess.Popen(
            [BIN / "dt-gateway", "--config", cls.environment.run_dir / "dt-gateway.toml",
             "--org-listen", f"127.0.0.1:{cls.second_org_port}",
             "--mtls-listen", f"127.0.0.1:{cls.second_mtls_port}",
             "--org-url", cls.endpoints["org_url"], "--mtls-public-port", str(cls.mtls_port),
             "--ready-file", ready, "--log-file", cls.environment.folder / "gateway-2.log"],
            stderr=subprocess.DEVNULL)
        cls.addClassCleanup(cls.second.wait)
        cls.addClassCleanup(cls.second.terminate)
        wait_until(ready.exists, 20, "the second gateway answers")

    def setUp(self):
        self.ca = self.environment.path_of(self.endpoints["ca_bundle"], "ca.pem")
        self.app = self.endpoints["apps"][0]

    def url(self, request_id="_request"):
        return authn_request_url(self.app["sign_on_url"], self.app["entity_id"], request_id)

    def browser(self, device):
        return Browser(self.ca, device["cert_pem"], device["key_pem"],
                       ports={self.org_port: [self.second_org_port, self.org_port],
                              self.mtls_port: [self.second_mtls_port, self.mtls_port]})

    def test_a_sign_in_may_change_gateways_at_every_step(self):
        device, user = self.environment.device_and_user()
        browser = self.browser(device)
        self.assertIsNotNone(saml_response(sign_in(browser, self.url(), user)))
        # The next app needs no password: the session is known to both.
        for number in range(2):
            self.assertIsNotNone(saml_response(browser.get(self.url(f"_again{number}"))))

    def test_one_proof_is_not_accepted_by_both(self):
        device, user = self.environment.device_and_user(number=1)
        browser = self.browser(device)
        self.assertIsNotNone(saml_response(sign_in(browser, self.url(), user)))
        url = self.url("_replayed")
        while "/proof" not in urlsplit(url).path:
            page = browser.once("GET", url)
            self.assertEqual(page.status, 303, page.body)
            url = urljoin(url, page.headers["Location"])
        jar = dict(browser.cookies)
        answers = []
        for _ in range(2):  # In turn the second and the first gateway, with the same cookies.
            browser.cookies = dict(jar)
            page = browser.once("GET", url)
            while page.status == 303:
                page = browser.once("GET", urljoin(page.url, page.headers["Location"]))
            answers.append(page)
        self.assertIsNotNone(saml_response(answers[0]), answers[0].body)
        self.assertIsNone(saml_response(answers[1]), "the proof was accepted twice")


class TwoIwasOfOneName(EnvironmentTest):
    """A second one, with a store and so with keys of its own."""
    ARGUMENTS = ("--processes",)

    def status(self, *flags):
        return run(BIN / "dt-iwa", "--config", self.environment.run_dir / "dt-iwa.toml", *flags, "status",
                   cwd=self.environment.run_dir, check=False)

    def test_the_second_issues_nothing_and_says_why(self):
        port = free_port()
        flags = ("--database", f"sqlite:{self.environment.folder}/iwa-2.db", "--edge-listen", "127.0.0.1:0",
                 "--internal-listen", f"127.0.0.1:{port}",
                 "--replay-cache", f"{self.environment.folder}/iwa-2.rcache2")
        ready = self.environment.folder / "iwa-2.ready"
        with subprocess.Popen(
                [BIN / "dt-iwa", "--config", self.environment.run_dir / "dt-iwa.toml", *flags,
                 "--ready-file", ready, "--log-file", self.environment.folder / "iwa-2.log"],
                cwd=self.environment.run_dir, stderr=subprocess.DEVNULL) as second:
            try:
                wait_until(ready.exists, 20, "the second IWA answers")
                told = self.status(*flags)
            finally:
                second.terminate()
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("another IWA of this name, with keys of its own, is online", told.stdout)
        iwa = json.loads(self.environment.dtctl("iwa", "list", "--json").stdout)["iwas"][0]
        self.assertTrue(iwa["online"])


class Starting(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="dt-it-")
        self.addCleanup(shutil.rmtree, self.folder)

    def test_of_two_environments_each_removes_its_own_traces(self):
        with unittest.mock.patch.dict(os.environ, {"TMPDIR": self.folder}):
            running = pathlib.Path(self.folder, f"dt-sim-{os.getuid()}", "environments")
            with Environment("--wait-file", f"{self.folder}/first", devices=10) as first:
                with Environment("--wait-file", f"{self.folder}/second", devices=10) as second:
                    wait_until(pathlib.Path(self.folder, "second").exists, 20, "it is ready")
                    first.process.send_signal(signal.SIGINT)
                    self.assertEqual(first.process.wait(20), 0)
                    self.assertEqual([path.read_text() for path in running.iterdir()],
                                     [f"{second.run_dir}/endpoints.json"])
                    self.assertFalse(pathlib.Path(self.folder, "first").exists())
            self.assertEqual(list(running.iterdir()), [])

    def test_a_taken_port_is_named_with_its_flag(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            wait_file = pathlib.Path(self.folder, "ready")
            wait_file.write_text("of an earlier environment\n")
            result = run(BIN / "dt-sim", "up", "--devices", "10", "--org-port", port, "--mtls-port", "0",
                         "--wait-file", wait_file, check=False, timeout=60,
                         env={**os.environ, "TMPDIR": str(self.folder)})  # Keeps its logs there.
        self.assertFalse(wait_file.exists(), "nobody waits for what did not start")
        self.assertEqual(result.returncode, 1)
        self.assertIn(str(port), result.stderr)
        self.assertIn("in use", result.stderr)
        self.assertIn("--org-port", result.stderr)

    def test_a_service_that_dies_ends_the_environment_and_is_named(self):
        for program in ("dt-iwa", "krb5kdc"):
            environment = Environment("--processes", devices=10)
            with environment:
                os.kill(environment.component(program)[0], signal.SIGKILL)
                self.assertEqual(environment.process.wait(PATIENCE_SECONDS), 1)
                self.assertIn(f"{program} ended by itself (signal 9)", environment.output.read_text())

    def test_unreadable_configuration_is_bad_usage(self):
        for program in ("dt-ca", "dt-iwa", "dt-policy", "dt-gateway"):
            result = run(BIN / program, "--no-such-flag", check=False)
            self.assertEqual(result.returncode, 2, program)
            result = run(BIN / program, "--config", "no-such-file.toml", check=False)
            self.assertEqual(result.returncode, 2, program)
            self.assertRegex(run(BIN / program, "--version").stdout, r"\d+\.\d+\.\d+")

    def test_stopping_leaves_nothing_behind(self):
        environment = Environment("--processes", devices=10)
        with environment:
            pids = [environment.component(name)[0]
                    for name in ("dt-ca", "dt-iwa", "dt-policy", "dt-gateway", "krb5kdc")]
            environment.process.send_signal(signal.SIGINT)
            self.assertEqual(environment.process.wait(20), 0)
            for pid in pids:
                self.assertFalse(pathlib.Path(f"/proc/{pid}").exists())


if __name__ == "__main__":
    unittest.main()
