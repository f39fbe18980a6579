"""Two forests that nobody here wrote: domain controllers of Samba in two networks, with a forest trust. A
computer and a person of the one enroll through the IWA of the other. Needs root and the packages of
`tools/setup --samba`; without them it is skipped."""
import os
import pathlib
import shutil
import tempfile
import unittest

from support.environment import BIN, run, wait_until
from support.operations import Deployment
from support.samba import (PASSWORD, SEED, Computer, DomainController, Namespace, in_a_namespace, missing)

OURS, THEIRS = "10.77.0.1", "10.77.0.2"
SPN = "HTTP/iwa.corp.test"
SPN_OUTSIDE = "HTTP/portal.example.net"
HOSTS = "127.0.0.1 login.corp.test iwa.corp.test ca.corp.test pc1.corp.test portal.example.net"
# The KDCs know by themselves which realm a service is of.
KRB5_CONFIG = f"""
[libdefaults]
 default_realm = CORP.TEST
 dns_lookup_realm = false
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 CORP.TEST = {{
  kdc = {OURS}
 }}
 PARTNER.TEST = {{
  kdc = {THEIRS}
 }}
"""
PEOPLE = """
[[people]]
domain = "corp.test"
base = "CN=Users,DC=corp,DC=test"
[[people]]
domain = "partner.test"
base = "CN=Users,DC=partner,DC=test"
"""


@unittest.skipUnless(os.environ.get(SEED), "runs in a network namespace of its own")
class TwoForestsOfSamba(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="dt-trust-"))
        if not os.environ.get("DT_KEEP"):
            cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.krb5_config = cls.folder / "krb5.conf"
        cls.krb5_config.write_text(KRB5_CONFIG)
        cls.their_krb5_config = cls.folder / "their-krb5.conf"
        cls.their_krb5_config.write_text(KRB5_CONFIG.replace("default_realm = CORP", "default_realm = PARTNER"))
        cls.start_forests()
        cls.make_trust()
        password = cls.folder / "ldap.password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        cls.keytab = cls.folder / "iwa.keytab"
        cls.ours.service_keytab("svc-iwa", SPN, cls.keytab)
        cls.ours.computer_keytab("PC1", cls.folder / "PC1.keytab")
        cls.theirs.computer_keytab("PC9", cls.folder / "PC9.keytab")
        cls.start_services(password)

    @classmethod
    def start_forests(cls):
        there = Namespace("b", OURS, THEIRS)
        there.start()
        cls.addClassCleanup(there.stop)
        # One server of names, which asks the other: two that ask one another never end.
        names = cls.folder / "resolv.conf"
        names.write_text(f"nameserver {OURS}\noptions timeout:1\n")
        cls.ours = DomainController(cls.folder / "ours", address=OURS, device="to-b", dns=True,
                                    forwarder=THEIRS)
        cls.theirs = DomainController(cls.folder / "theirs", "partner.test", "dc2", THEIRS, "up0", there,
                                      dns=True)
        for dc, other in ((cls.ours, cls.theirs), (cls.theirs, cls.ours)):
            dc.run("mount", "--bind", names, "/etc/resolv.conf")
            dc.start([HOSTS, f"{other.address} {other.name}"])
            cls.addClassCleanup(dc.stop)
        for dc, person in ((cls.ours, "ada"), (cls.theirs, "bob")):
            for name in ("svc", person):
                dc.tool("user", "create", name, PASSWORD)

    @classmethod
    def make_trust(cls):
        cls.ours.tool("domain", "trust", "create", "partner.test", "--type=forest", "--direction=both",
                      "--create-location=both", "--username=administrator@PARTNER.TEST",
                      # It asks winbindd, which has just begun and takes its time; tickets show it.
                      f"--password={PASSWORD}", "--skip-validation", timeout=150)

    @classmethod
    def start_services(cls, password):
        cls.directory = "\n".join((
            "[[directory]]", 'domain = "partner.test"', 'netbios-name = "PARTNER"',
            f'domain-sid = "{cls.theirs.domain_sid()}"', 'url = "ldaps://dc2.partner.test"',
            f'ca = "{cls.theirs.folder}/ca.pem"', 'bind-dn = "svc@partner.test"',
            f'password-file = "{password}"', ""))
        cls.org = Deployment(cls.folder, {
            "ORG_HOST": "login.corp.test", "MTLS_HOST": "mtls.localhost",
            "CA_EDGE_ADDRESS": "ca.corp.test:7401", "IWA_EDGE_ADDRESS": "iwa.corp.test:7301",
            "CA_HTTP_URL": "http://ca.corp.test:7403", "DOMAIN": "corp.test", "NETBIOS": "CORP",
            "DOMAIN_SID": cls.ours.domain_sid(), "IWA_SPN": SPN, "KEYTAB": str(cls.keytab),
            "KRB5_CONFIG": str(cls.krb5_config), "LDAP_URL": "ldaps://dc1.corp.test",
            "LDAP_CA": str(cls.ours.folder / "ca.pem"), "LDAP_USER": "svc@corp.test",
            "LDAP_PASSWORD_FILE": str(password)})
        cls.addClassCleanup(cls.org.stop)
        cls.org.start("dtctl iwa grant", {"policy": cls.directory + PEOPLE, "iwa": cls.directory})
        cls.org.dtctl("iwa", "grant", "iwa-1", "corp.test", "partner.test")
        cls.org.dtctl("people", "sync", "--run")

    def ours_and_theirs(self):
        return (Computer(self, "PC1", "ada"),
                Computer(self, "PC9", "bob", "PARTNER.TEST", self.their_krb5_config))

    def start_iwa(self, number, *flags, config="iwa.toml"):
        """A further IWA with the configuration of the first one, in the shell of the deployment."""
        name = f"iwa-{number}"
        base = 7300 + 10 * number
        options = " ".join((
            f"--name {name} --internal-cert pki/{name}.pem --internal-key pki/{name}.key",
            f"--database sqlite:{name}.db --replay-cache {name}.rcache2 --ready-file {name}.ready",
            f"--edge-listen 127.0.0.1:{base + 1} --edge-address iwa.corp.test:{base + 1}",
            f"--internal-listen 127.0.0.1:{base + 2} --web-listen 127.0.0.1:{base + 3}", *flags))
        self.org.shell.run(f"iwa-{number}", (
            f'issue deployment-ca {name} serverAuth,clientAuth "URI:urn:devicetrust:$ORG:component:{name},'
            f'DNS:{name}.devicetrust.internal"\n'
            f"dt-iwa --config {config} {options} --log-file {name}.log &\n"))
        wait_until((self.folder / f"{name}.ready").exists, 20, f"{name} answers")
        return base + 3

    def whoami(self, computer, port):
        return run("curl", "--silent", "--cacert", self.folder / "pki/web-ca.pem", "--negotiate", "--user", ":",
                   f"https://iwa.corp.test:{port}/iwa/whoami", env=computer.environment).stdout

    def test_1_both_enroll_through_the_iwa_of_the_one(self):
        people = {one["principal"] for one in self.org.json("people", "list", "--limit", "100")["users"]}
        self.assertLessEqual({"ada@corp.test", "bob@partner.test"}, people)
        for computer in self.ours_and_theirs():
            with computer:
                computer.log_on()
                wait_until(lambda: computer.run().returncode == 0, 20,
                           "agents hear that the IWA may vouch for both")
                self.assertEqual(len(computer.status()["certificates"]), 1)

    def test_2_what_the_iwa_is_configured_with_decides(self):
        ours, theirs = self.ours_and_theirs()
        text = (self.folder / "iwa.toml").read_text()
        (self.folder / "alone.toml").write_text(text.replace(self.directory, ""))
        sid = self.theirs.domain_sid()
        (self.folder / "stranger.toml").write_text(text.replace(sid, "S-1-5-21-6-6-6"))
        with theirs:
            theirs.log_on()
            alone = self.whoami(theirs, self.start_iwa(3, config="alone.toml"))
            self.assertIn("You are     bob@PARTNER.TEST", alone)
            self.assertIn("(UNTRUSTED_FOREST): this IWA does not serve the realm PARTNER.TEST", alone)
            stranger = self.whoami(theirs, self.start_iwa(4, config="stranger.toml"))
            self.assertIn("is none of its realm's domain", stranger)
        with ours:
            ours.log_on()
            self.assertIn("possible through this IWA", self.whoami(ours, 7333))

    def test_3_a_name_outside_the_forest_is_for_its_own_people(self):
        keytab = self.folder / "portal.keytab"
        self.ours.service_keytab("svc-portal", SPN_OUTSIDE, keytab)
        self.start_iwa(2, f"--spn {SPN_OUTSIDE} --keytab {keytab}")
        self.org.dtctl("iwa", "grant", "iwa-2", "corp.test", "partner.test")
        self.org.dtctl("iwa", "disable", "iwa-1")
        self.addCleanup(self.org.dtctl, "iwa", "enable", "iwa-1")
        ours, theirs = self.ours_and_theirs()
        with ours:
            ours.log_on()
            wait_until(lambda: ours.run().returncode == 0, 20, "agents hear of the other IWA alone")
        with theirs:
            theirs.log_on()
            self.assertIn("not found in Kerberos database",
                          theirs.get_ticket(SPN_OUTSIDE, check=False).stderr)
            theirs.refused(self, "Kerberos database")

    def test_4_a_deleted_trust_ends_enrollments_whatever_tickets_are_good(self):
        ours, theirs = self.ours_and_theirs()
        with ours, theirs:
            ours.log_on()
            theirs.log_on()
            port = self.start_iwa(5)
            wait_until(lambda: "possible through this IWA" in self.whoami(theirs, port), 20,
                       "the IWA has asked the directory")
            theirs.get_ticket(SPN)
            self.ours.tool("domain", "trust", "delete", "partner.test", "--delete-location=local")
            wait_until(lambda: "corp.test does not trust the forest partner.test" in self.whoami(theirs, port),
                       40, "the IWA has asked the directory again")
            wait_until(lambda: "does not trust" in self.org.dtctl("iwa", "list").stdout, 20,
                       "the heartbeat tells")
            theirs.refused(self, "")
            self.assertEqual(ours.run().returncode, 0)


class InANamespace(unittest.TestCase):
    @unittest.skipIf(os.environ.get(SEED), "it is one")
    @unittest.skipIf(missing("kinit", "curl"), missing("kinit", "curl"))
    def test_a_computer_and_a_person_of_another_forest_enroll(self):
        result = in_a_namespace(__file__, "TwoForestsOfSamba", 280)
        self.assertEqual(result.returncode, 0, result.stdout[-3000:] + result.stderr[-6000:])


if __name__ == "__main__":
    unittest.main()
