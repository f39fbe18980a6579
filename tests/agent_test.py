"""dt-agent as a program, on this computer, in the environment of dt-sim up: with the keytab of one of
its computers and the tickets of one of its users. Chromium judges what it installed."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from support.browser import totp
from support.chromium import Chromium
from support.environment import BIN, ROOT, EnvironmentTest, run

AGENT = BIN / "dt-agent"
NOT_NOW, NOT_INSTALLED = 3, 4


@unittest.skipUnless(shutil.which("kinit"), "krb5-user is not installed: tools/setup --tests")
class Agent(EnvironmentTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="dt-agent-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.home = self.folder / "home"
        self.root = self.folder / "root"
        self.home.mkdir()
        kerberos = self.endpoints["kerberos"]
        self.principal, keytab = next((name, path) for name, path in kerberos["keytabs"].items()
                                      if name.split("@")[0].endswith("$"))
        self.keytab = self.environment.run_dir / keytab
        self.device = next(d for d in self.endpoints["devices"]
                           if d["computer"] == self.principal.split("@")[0])
        self.user = self.environment.user(self.device["user"])
        self.bundle = self.environment.path_of(self.endpoints["ca_bundle"], "bundle.pem")
        self.settings = {
            **os.environ, "HOME": str(self.home),
            "KRB5_CONFIG": str(self.environment.run_dir / kerberos["krb5_conf"]),
            "KRB5CCNAME": f"FILE:{self.folder}/ccache"}

    def agent(self, *arguments, code=0):
        result = run(AGENT, "--root", self.root, *arguments, check=False, timeout=120,
                     env=self.settings)
        self.assertEqual(result.returncode, code, f"{arguments}\n{result.stdout}{result.stderr}")
        return result

    def install(self, *options):
        self.agent("install", "--quiet", f"OrgURL={self.endpoints['org_url']}/",
                   f"TrustBundle={self.bundle}", f"Keytab={self.keytab}", *options)

    def log_on(self, user=None):
        user = user or self.user
        realm = self.principal.split("@")[1]
        name = user["principal"].split("@")[0]
        subprocess.run(["kinit", f"{name}@{realm}"], input=user["password"], text=True, check=True,
                       env=self.settings, stdout=subprocess.DEVNULL)

    def status(self):
        return json.loads(self.agent("status", "--json").stdout)

    def events(self):
        log = self.home / ".local/state/device-trust/events.log"
        return [json.loads(line) for line in log.read_text().splitlines()]

    def certutil(self, *arguments):
        return run("certutil", "-d", f"sql:{self.home}/.pki/nssdb", *arguments, check=False)

    def test_installed_run_twice_forced_and_removed(self):
        self.agent("status", code=NOT_INSTALLED)
        self.install()
        self.assertEqual(self.status()["certificates"], [])
        self.agent("run", "--user", code=NOT_NOW)  # Nobody is logged on.
        self.assertEqual(self.events()[-1]["id"], 2000)
        self.log_on()
        debug = self.agent("--user", "--debug").stdout
        for part in ("discover", "make key", self.principal, "\"cnf\"", "serial"):
            self.assertIn(part, debug)
        self.assertEqual(self.events()[-1]["id"], 1000)
        first = self.status()["certificates"]
        self.assertEqual(len(first), 1)
        self.assertTrue(first[0]["has_key"])

        self.assertIn("nothing to do", self.agent("run", "--user").stdout)
        self.assertIn("renewed", self.agent("run", "--user", "--forceRenewal").stdout)
        second = self.status()["certificates"]
        self.assertEqual(len(second), 1)
        self.assertNotEqual(second[0]["serial"], first[0]["serial"])
        self.assertEqual(self.events()[-1]["id"], 1002)
        renewals = self.environment.dtctl("log", "--json", "--type", "pki.cert.renew").stdout
        self.assertIn(second[0]["serial"], renewals)
        self.assertIn("forced", renewals)

        if shutil.which("certutil"):
            listing = self.certutil("-L").stdout
            self.assertEqual(listing.count("u,u,u"), 1, listing)
            self.assertEqual(self.certutil("-K").stdout.count("Device Trust"), 1)
        self.assertIn("certificate", self.agent("doctor").stdout)
        self.agent("uninstall", "--user")
        self.assertEqual(self.status()["certificates"], [])
        self.agent("uninstall")
        self.agent("status", code=NOT_INSTALLED)

    def test_a_revoked_certificate_is_replaced_by_force_alone(self):
        self.install(f"Store={self.folder}/pem")
        self.log_on()
        self.agent("run", "--user")
        serial = self.status()["certificates"][0]["serial"]
        self.environment.dtctl("revoke", "--serial", serial, "--yes")
        self.assertIn("nothing to do", self.agent("run", "--user").stdout)
        self.agent("run", "--user", "--forceRenewal")
        after = self.status()["certificates"]
        self.assertEqual(len(after), 1)
        self.assertNotEqual(after[0]["serial"], serial)
        self.assertEqual([path.name for path in (self.folder / "pem").iterdir()],
                         [f"{after[0]['serial']}.pem"])

    def test_a_second_user_of_the_computer_is_refused(self):
        self.install()
        self.log_on()
        self.agent("run", "--user")
        realm = self.principal.split("@")[1].lower()
        other = next(u for u in self.endpoints["users"] if u["name"] != self.user["name"]
                     and u["principal"].lower().endswith("@" + realm))
        shutil.rmtree(self.home)
        self.home.mkdir()
        self.log_on(other)
        result = self.agent("run", "--user", code=1)
        self.assertIn("several people share", result.stderr)
        self.assertEqual(self.events()[-1]["id"], 3001)
        self.install()  # The computer changed hands.
        self.agent("run", "--user")

    def test_everything_goes_through_the_proxy(self):
        with Proxy() as proxy:
            self.install(f"HttpProxy=http://ada:p%40ss@127.0.0.1:{proxy.port}")
            self.log_on()
            self.agent("run", "--user")
            ports = {target.rsplit(":", 1)[1] for target in proxy.targets}
            self.assertEqual(len(ports), 3, proxy.targets)  # Org, IWA, CA.
            self.assertEqual(proxy.authorizations, {"Basic YWRhOnBAc3M="})

    def test_a_user_has_a_password_of_their_own_for_the_proxy(self):
        own = self.home / ".config/device-trust/proxy-password"
        own.parent.mkdir(parents=True)
        own.write_text("bob:pass\n")
        own.chmod(0o644)
        self.log_on()
        with Proxy("407 Proxy Authentication Required") as proxy:
            self.install(f"HttpProxy=http://ada:secret@127.0.0.1:{proxy.port}")
            self.assertNotIn("secret", (self.root / "etc/device-trust/agent.conf").read_text())
            result = self.agent("run", "--user", code=1)
            self.assertIn(str(own), result.stdout + result.stderr)
            self.assertEqual(proxy.authorizations, set())
            own.chmod(0o600)
            self.agent("run", "--user", code=1)
            self.assertEqual(proxy.authorizations, {"Basic Ym9iOnBhc3M="})
            self.agent("run", "--device", code=NOT_NOW)
            self.assertIn("Basic YWRhOnNlY3JldA==", proxy.authorizations)
        self.agent("uninstall")
        self.assertFalse((self.root / "etc/device-trust/proxy-password").exists())

    def test_a_proxy_that_ails_is_asked_again_and_one_that_refuses_is_not(self):
        self.log_on()
        for refusal, code, event, said in (
                ("503 Service Unavailable", NOT_NOW, 2000, "503 Service Unavailable"),
                ("403 Forbidden", 1, 3000, "403 Forbidden"),
                ("407 Proxy Authentication Required", 1, 3000, "HttpProxy=http://USER:PASSWORD@")):
            with self.subTest(refusal), Proxy(refusal) as proxy:
                self.install(f"HttpProxy=http://127.0.0.1:{proxy.port}")
                result = self.agent("run", "--user", code=code)
                self.assertIn(said, result.stdout + result.stderr)
                self.assertEqual(self.events()[-1]["id"], event)

    def test_two_at_once_make_one_certificate(self):
        self.install()
        self.log_on()
        runs = [subprocess.Popen([AGENT, "--root", self.root, "run", "--user"], env=self.settings,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for _ in range(3)]
        codes = sorted(run.wait(60) for run in runs)
        self.assertEqual(codes[0], 0)
        self.assertLessEqual(set(codes), {0, NOT_NOW})
        self.assertEqual(len(self.status()["certificates"]), 1)

    def test_the_device_task_sets_up_browsers_and_answers_user_tasks(self):
        self.install()
        self.agent("run", "--device")
        policies = list(self.root.rglob("zz-device-trust.json"))
        self.assertEqual(len(policies), 3)
        entries, wanted = (
            [json.loads(entry) for entry in policy["AutoSelectCertificateForUrls"]]
            for policy in (json.loads(policies[0].read_text()), self.endpoints["browser_policy"]))
        self.assertEqual(entries, wanted)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
            ours.sendall(json.dumps({"iwa": "iwa-1", "key": thumbprint,
                                     "user": self.user["principal"]}).encode() + b"\n")
            result = subprocess.run([AGENT, "--root", self.root, "serve-user"], stdin=theirs,
                                    env=self.settings, timeout=30)
            self.assertEqual(result.returncode, 0)
            self.assertEqual(json.loads(ours.recv(65536))["token"].count("."), 2)
        self.agent("uninstall")
        self.assertEqual(list(self.root.rglob("zz-device-trust.json")), [])

    @unittest.skipUnless(shutil.which("chromium") and shutil.which("certutil"),
                         "chromium or libnss3-tools is not installed: tools/setup --tests")
    @unittest.skipUnless(os.geteuid() == 0, "only root may write Chromium's policy")
    def test_chromium_uses_the_certificate(self):
        self.install()
        self.log_on()
        self.agent("run", "--user")
        self.certutil("-A", "-n", "dt-sim web CA", "-t", "C,,", "-i", self.bundle)
        self.agent("run", "--device")
        policy = pathlib.Path("/etc/chromium/policies/managed/zz-device-trust-test.json")
        policy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.root / "etc/chromium/policies/managed/zz-device-trust.json", policy)
        self.addCleanup(policy.unlink)
        app = next(app for app in self.endpoints["apps"] if app["device_trust"] == "trusted")
        with Chromium(self.home) as browser:
            browser.open(app["home_url"])
            browser.wait_for("document.querySelector('input[type=password]')")
            browser.evaluate(f"document.querySelector('input[name=username]').value="
                             f"{json.dumps(self.user['principal'])};"
                             f"document.querySelector('input[name=password]').value="
                             f"{json.dumps(self.user['password'])};document.forms[0].requestSubmit()")
            factor = "document.querySelector('input[autocomplete=one-time-code]')"
            browser.wait_for(f"location.host.startsWith('apps.') || {factor}")
            if browser.evaluate(f"!!{factor}"):
                browser.evaluate(f"{factor}.value='{totp(self.user['totp_secret'])}';"
                                 "document.forms[0].requestSubmit()")
            browser.wait_for("location.host.startsWith('apps.') && "
                             "document.body.innerText.includes('Welcome')")


class Units(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
    def test_systemd_accepts_them(self):
        with tempfile.TemporaryDirectory() as folder:
            for kind, source in (("system", "units"), ("user", "units/user")):
                copies = []
                for unit in sorted((ROOT / "agent/linux" / source).glob("devicetrust-*")):
                    copy = pathlib.Path(folder, unit.name)
                    copy.write_text(unit.read_text().replace("/usr/bin/dt-agent", str(AGENT)))
                    copies.append(copy)
                self.assertGreaterEqual(len(copies), 2)
                result = run("systemd-analyze", "--man=no", f"--{kind}", "verify", *copies,
                             check=False)
                about_ours = [line for line in result.stderr.splitlines() if "devicetrust" in line]
                self.assertEqual(about_ours, [])


class Proxy:
    """An HTTP proxy that knows CONNECT alone, and notes who wanted to go where. With a refusal it
    opens no tunnel."""

    def __init__(self, refusal=None):
        self.refusal = refusal

    def __enter__(self):
        self.targets, self.authorizations = set(), set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        lines = head.decode().split("\r\n")
        target = lines[0].split()[1]
        self.targets.add(target)
        self.authorizations |= {line.split(":", 1)[1].strip() for line in lines
                                if line.lower().startswith("proxy-authorization:")}
        if self.refusal:
            with connection:
                connection.sendall(f"HTTP/1.1 {self.refusal}\r\n\r\n".encode())
            return
        server = socket.create_connection(("127.0.0.1", int(target.rsplit(":", 1)[1])))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for here, there in ((connection, server), (server, connection)):
            threading.Thread(target=self._copy, args=(here, there), daemon=True).start()

    @staticmethod
    def _copy(here, there):
        try:
            while data := here.recv(65536):
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)
        except OSError:
            pass


if __name__ == "__main__":
    unittest.main()
