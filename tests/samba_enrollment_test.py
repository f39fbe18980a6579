"""The whole way in a domain that nobody here wrote: a domain controller of Samba, a computer that adcli
has joined, and dt-policy, dt-ca, dt-iwa, dt-gateway and dt-agent, set up as docs/operations.md says. Needs
root and the packages of `tools/setup --samba`; without them it is skipped."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from support.browser import Browser, authn_request_url, saml_response, sign_in
from support.environment import run, wait_until
from support.operations import Deployment
from support.samba import PASSWORD, SEED, Computer, DomainController, in_a_namespace, missing

SPN = "HTTP/iwa.corp.test"
PEOPLE = """
[[people]]
domain = "corp.test"
base = "CN=Users,DC=corp,DC=test"
group = "Org People"
"""
KRB5_CONFIG = """
[libdefaults]
 default_realm = CORP.TEST
 dns_lookup_realm = false
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 CORP.TEST = {
  kdc = dc1.corp.test
  admin_server = dc1.corp.test
  kpasswd_server = dc1.corp.test
 }
[domain_realm]
 .corp.test = CORP.TEST
"""


@unittest.skipUnless(os.environ.get(SEED), "runs in a network namespace of its own")
class EnrollmentInSamba(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="dt-samba-"))
        if not os.environ.get("DT_KEEP"):
            cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.dc = DomainController(cls.folder / "ad")
        cls.dc.start(["127.0.0.1 login.corp.test iwa.corp.test ca.corp.test pc1.corp.test"])
        cls.addClassCleanup(cls.dc.stop)
        cls.krb5_config = cls.folder / "krb5.conf"
        cls.krb5_config.write_text(KRB5_CONFIG)
        cls.people_of_the_domain()
        password = cls.folder / "ldap.password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        cls.dc.service_keytab("svc-iwa", SPN, cls.folder / "iwa.keytab")
        cls.org = Deployment(cls.folder, {
            "ORG_HOST": "login.corp.test", "MTLS_HOST": "mtls.localhost",
            "CA_EDGE_ADDRESS": "ca.corp.test:7401", "IWA_EDGE_ADDRESS": "iwa.corp.test:7301",
            "CA_HTTP_URL": "http://ca.corp.test:7403", "DOMAIN": "corp.test", "NETBIOS": "CORP",
            "DOMAIN_SID": cls.dc.domain_sid(), "IWA_SPN": SPN,
            "KEYTAB": str(cls.folder / "iwa.keytab"), "KRB5_CONFIG": str(cls.krb5_config),
            "LDAP_URL": "ldaps://dc1.corp.test", "LDAP_CA": str(cls.dc.folder / "ca.pem"),
            "LDAP_USER": "svc@corp.test", "LDAP_PASSWORD_FILE": str(password)})
        cls.addClassCleanup(cls.org.stop)
        cls.org.start("dtctl iwa grant", {"policy": PEOPLE}, {"iwa": 'web-listen = "127.0.0.1:7303"\n'})
        cls.add_the_app()
        cls.org.dtctl("people", "sync", "--run")
        cls.join("PC1")

    @classmethod
    def people_of_the_domain(cls):
        for person in ("svc", "ada", "bob", "cy", "dora", "eve"):
            cls.dc.tool("user", "create", person, PASSWORD, f"--given-name={person.title()}",
                        "--surname=Test")
        cls.dc.tool("group", "add", "Org People")
        cls.dc.tool("group", "addmembers", "Org People", "ada,bob,cy,dora")  # Not eve.
        cls.dc.tool("domain", "passwordsettings", "set", "--account-lockout-threshold=3",
                    "--complexity=off")

    @classmethod
    def add_the_app(cls):
        (cls.folder / "mail.xml").write_text(
            '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:mail">'
            '<md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            '<md:AssertionConsumerService index="0" Location="https://mail.example.com/acs" '
            'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"/>'
            "</md:SPSSODescriptor></md:EntityDescriptor>")
        (cls.folder / "mail.rules.json").write_text(json.dumps([
            {"name": "trusted", "active": True, "trust": "TRUST_CONDITION_TRUSTED",
             "platforms": ["PLATFORM_KIND_WINDOWS"],
             "action": {"access": "ACCESS_ALLOWED"}},
            {"name": "others", "active": True, "action": {"access": "ACCESS_DENIED"}}]))
        cls.org.dtctl("app", "add", "mail.xml", "--id", "mail", "--label", "Mail")
        cls.org.dtctl("rules", "set", "mail", "mail.rules.json")

    @classmethod
    def join(cls, name):
        """As an administrator of the computer does it; its keys are in NAME.keytab then."""
        keytab = cls.folder / f"{name}.keytab"
        result = subprocess.run(
            ["adcli", "join", "corp.test", "--domain-controller=dc1.corp.test", "--domain-realm=CORP.TEST",
             f"--computer-name={name}", f"--host-fqdn={name.lower()}.corp.test",
             f"--host-keytab={keytab}", "--os-name=Windows 10 Enterprise",
             "--login-user=administrator", "--stdin-password", "--verbose"],
            input=PASSWORD, text=True, timeout=60, capture_output=True,
            env={**os.environ, "KRB5_CONFIG": str(cls.krb5_config)})
        if result.returncode != 0:
            raise AssertionError(result.stdout + result.stderr)
        keytab.chmod(0o600)

    def computer_of(self, person, name="PC1"):
        return Computer(self, name, person)

    def sign_in(self, person, certificate=None, password=PASSWORD):
        """The page that a browser ends at. A gateway asks the org for its apps each second."""
        browser = Browser(self.folder / "pki/web-ca.pem", certificate, certificate)
        url = "https://login.corp.test/app/mail/sso/saml"
        wait_until(lambda: browser.get(url).status != 404, 20, "the gateway knows the app")
        return sign_in(browser, authn_request_url(url, "urn:mail", "_request"),
                       {"principal": f"{person}@corp.test", "password": password})

    def explained(self, page):
        return self.org.dtctl("explain", re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", page.body).group()).stdout

    def test_1_people_come_from_the_directory(self):
        people = {one["principal"]: one for one in
                  self.org.json("people", "list", "--limit", "100")["users"]}
        self.assertEqual(sorted(people), [f"{name}@corp.test" for name in ("ada", "bob", "cy", "dora")])
        self.assertEqual(sorted(people["ada@corp.test"]["groups"]), ["Domain Users", "Org People"])

    def test_2_passwords_are_checked_by_the_directory(self):
        self.assertNotEqual(self.sign_in("ada", password="wrong").status, 403)
        page = self.sign_in("ada")
        self.assertEqual(page.status, 403)
        self.assertIsNone(saml_response(page))

    def test_3_from_a_joined_computer_to_a_certificate_that_signs_in(self):
        with self.computer_of("ada") as computer:
            computer.log_on()
            result = computer.run()
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            certificate, = computer.status()["certificates"]
            self.assertTrue(certificate["has_key"])
            wait_until(lambda: certificate["serial"] in self.org.dtctl(
                "log", "--json", "--type", "pki.cert.issue").stdout, 20, "the System Log has the event")
            file, = (computer.folder / "pem").iterdir()
            page = self.sign_in("ada", file)
            self.assertIsNotNone(saml_response(page), page.body)

    def whoami(self, computer, *options):
        return run("curl", "--silent", "--cacert", self.folder / "pki/web-ca.pem", *options,
                   "https://iwa.corp.test:7303/iwa/whoami", env=computer.environment).stdout

    def test_3_an_administrator_tries_the_iwa_with_curl(self):
        with self.computer_of("ada") as computer:
            self.assertIn("401: this page wants your Kerberos ticket", self.whoami(computer))
            self.assertIn("401: NTLM is not accepted",
                          self.whoami(computer, "--ntlm", "--user", "ada:" + PASSWORD))
            computer.log_on()
            told = self.whoami(computer, "--negotiate", "--user", ":")
            self.assertIn("You are     ada@CORP.TEST, a user\n", told)
            self.assertIn("Enrollment  possible through this IWA\n", told)
            run("kinit", "-k", "-t", computer.keytab, "PC1$", env=computer.environment)
            self.assertIn("You are     PC1$@CORP.TEST, a computer\n",
                          self.whoami(computer, "--negotiate", "--user", ":"))

    def test_4_a_person_whom_the_org_does_not_know_is_refused(self):
        with self.computer_of("eve") as computer:
            computer.log_on()
            computer.refused(self, "the user is not in the org")

    def test_5_an_account_that_was_disabled_since_its_ticket_is_refused(self):
        with self.computer_of("bob") as computer:
            computer.log_on()
            computer.get_ticket(SPN)
            self.dc.tool("user", "disable", "bob")
            computer.refused(self, "the account is disabled")

    def test_6_an_account_that_was_locked_since_its_ticket_is_refused(self):
        with self.computer_of("cy") as computer:
            computer.log_on()
            computer.get_ticket(SPN)
            for _ in range(4):
                self.dc.search("-D", "cy@corp.test", "-w", "wrong", "-b", "DC=corp,DC=test", check=False)
            computer.refused(self, "the account is locked")
            self.dc.tool("user", "unlock", "cy")
            self.assertEqual(computer.run().returncode, 0)

    def test_7_a_computer_that_was_disabled_is_refused(self):
        self.join("PC2")
        self.dc.modify("dn: CN=PC2,CN=Computers,DC=corp,DC=test\nchangetype: modify\n"
                       "replace: userAccountControl\nuserAccountControl: 4098\n")
        with self.computer_of("dora", "PC2") as computer:
            computer.log_on()
            computer.refused(self, "Enable the computer in Active Directory")

    def test_8_a_computer_that_has_left_the_domain_is_refused(self):
        self.join("PC3")
        self.dc.tool("computer", "delete", "PC3")
        with self.computer_of("dora", "PC3") as computer:
            computer.log_on()
            computer.refused(self, "Join the computer to the domain")


class InANamespace(unittest.TestCase):
    @unittest.skipIf(os.environ.get(SEED), "it is one")
    @unittest.skipIf(missing("adcli", "kinit"), missing("adcli", "kinit"))
    def test_from_people_and_passwords_to_an_installed_certificate(self):
        result = in_a_namespace(__file__, "EnrollmentInSamba", 280)
        self.assertEqual(result.returncode, 0, result.stdout[-3000:] + result.stderr[-6000:])


if __name__ == "__main__":
    unittest.main()
