"""docs/operations.md: the commands of its deployment, as they stand there, in one shell; then that
deployment at work. The domain is that of `dt-sim up`."""
import csv
import json
import os
import pathlib
import re
import shutil
import signal
import tempfile
import unittest

from support.browser import Browser, authn_request_url, saml_response, sign_in
from support.environment import BIN, ROOT, Environment, children_of, free_port, run, wait_until
from support.operations import Shell, blocks


class Deployment(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        domain = Environment()
        domain.__enter__()
        cls.addClassCleanup(domain.__exit__, None, None, None)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="dt-ops-"))
        if not os.environ.get("DT_KEEP"):
            cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        _, cls.user = domain.device_and_user()
        cls.write_people(domain)
        cls.environment = cls.variables(domain)
        cls.shell = Shell(cls.folder, cls.environment)
        cls.addClassCleanup(cls.shell.process.wait)
        cls.addClassCleanup(cls.shell.kill)
        *commands, (line, stop) = blocks("A deployment, step by step")
        for number, text in commands:
            cls.shell.run(number, text)
        cls.addClassCleanup(cls.shell.run, line, stop)  # Fails when a service ends with an error.

    @classmethod
    def write_people(cls, domain):
        """What Get-ADUser would have exported."""
        users = json.loads(domain.dtctl("people", "list", "--limit", "1000", "--json").stdout)["users"]
        cls.domain_sid = users[0]["sid"].rpartition("-")[0]
        with open(cls.folder / "people.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, ["sid", "principal", "account_name", "display_name", "groups"])
            writer.writeheader()
            for user in users:
                writer.writerow({**{name: user[name] for name in writer.fieldnames},
                                 "groups": ";".join(user["groups"])})

    @classmethod
    def variables(cls, domain):
        listeners = {name: f"127.0.0.1:{free_port()}" for name in (
            "ORG_LISTEN", "MTLS_LISTEN", "POLICY", "CA", "IWA", "CA_EDGE", "IWA_EDGE", "CA_HTTP")}
        kerberos, ldap = domain.endpoints["kerberos"], domain.endpoints["ldap"]
        return {**os.environ, **listeners,
                "PATH": f"{BIN}:{os.environ['PATH']}",
                "ORG_HOST": "org.localhost", "MTLS_HOST": "mtls.localhost",
                **{f"{edge}_ADDRESS": listeners[edge].replace("127.0.0.1", "localhost")
                   for edge in ("CA_EDGE", "IWA_EDGE")},
                "CA_HTTP_URL": f"http://{listeners['CA_HTTP']}",
                "DOMAIN": "corp.test", "NETBIOS": "CORP", "DOMAIN_SID": cls.domain_sid,
                "IWA_SPN": kerberos["iwa_spn"],
                "KEYTAB": next(path for principal, path in kerberos["keytabs"].items()
                               if principal.startswith(kerberos["iwa_spn"])),
                "KRB5_CONFIG": kerberos["krb5_conf"],
                "LDAP_URL": ldap["url"], "LDAP_CA": ldap["ca_pem"],
                "LDAP_USER": "svc-directory@corp.test",
                "LDAP_PASSWORD_FILE": str(domain.run_dir / "directory.password"),
                "PERSON": cls.user["principal"]}

    def dtctl(self, *arguments):
        return run(BIN / "dtctl", *arguments, cwd=self.folder,
                   env={**self.environment, "DTCTL_CONFIG": "admin.toml"}).stdout

    def test_agents_are_told_of_the_iwa_and_the_ca(self):
        told = (self.folder / "discovery.json").read_text()
        self.assertIn(self.environment["IWA_EDGE_ADDRESS"], told)
        self.assertIn(self.environment["CA_EDGE_ADDRESS"], told)
        self.assertIn(self.environment["IWA_SPN"], told)

    def test_the_administrator_sees_what_the_page_has_set_up(self):
        settings = json.loads(self.dtctl("settings", "--json"))
        self.assertTrue(settings["device_trust_enabled"])
        iwa = json.loads(self.dtctl("iwa", "list", "--json"))["iwas"][0]
        self.assertTrue(iwa["enabled"])
        person = json.loads(self.dtctl("people", "show", self.user["principal"], "--json"))
        self.assertEqual(len(person["factors"]), 1)
        self.assertIn("trusted computers", self.dtctl("app", "show", "mail"))
        self.assertIn("admin:ada → Device Trust from off to on",
                      self.dtctl("log", "--type", "org.settings.change"))

    def test_an_iwa_says_how_it_is_and_what_a_restart_would_take_up(self):
        def status(*flags):
            return run(BIN / "dt-iwa", "--config", "iwa.toml", *flags, "status", cwd=self.folder,
                       env=self.environment).stdout
        told = status()
        self.assertRegex(told, r"IWA +iwa-1, primary")
        self.assertRegex(told, r"Org +knows it")
        self.assertRegex(told, r"Tokens +are issued")
        self.assertIn("Configuration as it was at the start", told)
        self.assertRegex(told, r"Domain +corp.test, of forest corp.test: good")
        self.assertRegex(told, r"Signing key .*: signs\n")
        self.assertIn("Configuration changed: options; a restart", status("--in-flight-max", "7"))
        certificate = self.folder / "pki/edge.pem"
        before = certificate.read_text()
        try:
            certificate.write_text(before + "\n")
            self.assertIn("Configuration changed: --edge-cert; a restart", status())
        finally:
            certificate.write_text(before)

    def test_agents_are_told_of_a_backup_when_the_primary_is_silent(self):
        edge, internal = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.shell.run("backup", (
            'issue deployment-ca iwa-2 serverAuth,clientAuth "URI:urn:devicetrust:$ORG:component:iwa-2,'
            'DNS:iwa-2.devicetrust.internal"\n'
            "dt-iwa --config iwa.toml --name iwa-2 --backup --internal-cert pki/iwa-2.pem"
            " --internal-key pki/iwa-2.key --database sqlite:iwa-2.db --replay-cache iwa-2.rcache2"
            f" --edge-listen {edge} --edge-address {edge} --internal-listen {internal}"
            " --ready-file iwa-2.ready --log-file iwa-2.log &\n"))
        wait_until((self.folder / "iwa-2.ready").exists, 20, "the backup answers")
        self.dtctl("iwa", "grant", "iwa-2", "corp.test")
        browser = Browser(self.folder / "pki/web-ca.pem")

        def told():
            port = self.environment["ORG_LISTEN"].rpartition(":")[2]
            page = browser.get(f"https://org.localhost:{port}/.well-known/device-trust")
            return [iwa["name"] for iwa in json.loads(page.body)["iwas"]]
        wait_until(lambda: told() == ["iwa-1", "iwa-2"], 20, "both are told, the primary first")
        primary = next(pid for pid in children_of(self.shell.process.pid)
                       if b"dt-iwa\0--config\0iwa.toml\0--log-file" in
                       pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(primary, signal.SIGSTOP)
        try:
            wait_until(lambda: told() == ["iwa-2", "iwa-1"], 40, "the backup is first")
            self.assertRegex(self.dtctl("iwa", "list"), r"iwa-1 .* offline")
            self.dtctl("iwa", "failover", "off")
            wait_until(lambda: told() == ["iwa-1"], 20, "the backup is not told of")
            self.assertRegex(self.dtctl("iwa", "list"), r"iwa-2 .* backup \(not used\)")
        finally:
            os.kill(primary, signal.SIGCONT)
            self.dtctl("iwa", "failover", "on")
            self.dtctl("iwa", "disable", "iwa-2")
        wait_until(lambda: told() == ["iwa-1"], 20, "the primary is back")

    def test_check_config_names_file_and_line(self):
        def check(*flags):
            return run(BIN / "dt-iwa", "--config", "iwa.toml", "check-config", *flags, cwd=self.folder,
                       env=self.environment, check=False)
        wrong = (self.folder / "iwa.toml").read_text().replace('kek-file = "iwa.kek"', 'kek-file = "no.kek"')
        wrong = wrong.replace('password-file = "', 'password-file = "/nowhere/').replace('spn = "HTTP', 'spn = "HTP')
        (self.folder / "wrong.toml").write_text(wrong)
        told = run(BIN / "dt-iwa", "--config", "wrong.toml", "check-config", cwd=self.folder, check=False)
        for option in ("kek-file", "spn"):
            line = wrong[:wrong.index(option + " =")].count("\n") + 1
            self.assertIn(f"wrong.toml:{line}: --{option}", told.stderr)
        (self.folder / "wrong.toml").write_text(wrong.replace("no.kek", "iwa.kek"))
        line = wrong[:wrong.index("password-file")].count("\n") + 1
        told = run(BIN / "dt-iwa", "--config", "wrong.toml", "check-config", cwd=self.folder, check=False)
        self.assertIn(f"wrong.toml:{line}: --directory corp.test: password-file", told.stderr)

        good = (ROOT / "tests/fuzz/seeds/web_config/https").read_text()
        (self.folder / "web.config").write_text(good)
        told = check("--web-config", "web.config")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn('"binding":"https"', told.stderr)
        self.assertIn("takes it up after a restart", told.stdout)
        (self.folder / "web.config").write_text(good.replace('Faults="false"', 'Faults="true"'))
        told = check("--web-config", "web.config")
        self.assertEqual(told.returncode, 1)
        self.assertIn("web.config:15: includeExceptionDetailInFaults", told.stderr)
        self.assertIn('Write includeExceptionDetailInFaults="false".', told.stderr)

    def test_a_person_of_the_domain_without_a_certificate_is_refused_and_explained(self):
        port = self.environment["ORG_LISTEN"].split(":")[1]
        url = f"https://org.localhost:{port}/app/mail/sso/saml"
        explained = "CHALLENGE_NOT_DONE"
        # Until the gateway has asked for news, of the app and then of its rules; ctest ends it.
        while "CHALLENGE_NOT_DONE" in explained:
            browser = Browser(self.folder / "pki/web-ca.pem")
            while browser.get(url).status == 404:
                pass
            page = sign_in(browser, authn_request_url(url, "https://mail.example.com/saml", "_request"),
                           self.user)
            self.assertEqual(page.status, 403, page.body)
            self.assertIsNone(saml_response(page))
            code = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", page.body).group()
            explained = self.dtctl("explain", code)
        self.assertIn("CERTIFICATE_NOT_PRESENTED", explained)


if __name__ == "__main__":
    unittest.main()
