"""People come from a real directory: a domain controller of Samba, dt-policy and dtctl. Needs root and
the packages of `tools/setup --samba`; without them it is skipped."""
import os
import pathlib
import shutil
import tempfile
import time
import unittest

from support.environment import Environment
from support.policy import Policy
from support.samba import PASSWORD, SEED, DomainController, in_a_namespace, missing

GROUPS = 1200
PEOPLE = """
[[people]]
domain = "corp.test"
base = "CN=Users,DC=corp,DC=test"
"""

ADD_GROUPS = """
sam.transaction_start()
for i in range(int(sys.argv[2])):
    sam.add({"dn": f"CN=Many{i},CN=Users,DC=corp,DC=test", "objectClass": "group",
             "sAMAccountName": f"Many{i}", "member": sys.argv[3]})
sam.transaction_commit()
"""
LET_LIST = """
controls = ["show_deleted:1", f"sd_flags:1:{security.SECINFO_DACL}"]
dn = "CN=Deleted Objects,DC=corp,DC=test"
found = sam.search(dn, scope=ldb.SCOPE_BASE, attrs=["nTSecurityDescriptor"], controls=controls)
sddl = ndr_unpack(security.descriptor, found[0]["nTSecurityDescriptor"][0]).as_sddl()
wider = security.descriptor.from_sddl(sddl + f"(A;;LCRP;;;{sys.argv[2]})",
                                      security.dom_sid(sam.get_domain_sid()))
message = ldb.Message(ldb.Dn(sam, dn))
message["sd"] = ldb.MessageElement(ndr_pack(wider), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
sam.modify(message, controls=controls)
"""


@unittest.skipUnless(os.environ.get(SEED), "runs in a network namespace of its own")
class PeopleOfSamba(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="dt-samba-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.dc = DomainController(cls.folder)
        cls.dc.start()
        cls.addClassCleanup(cls.dc.stop)
        for person in ("svc", "ada", "bob", "cy"):
            cls.dc.tool("user", "create", person, PASSWORD, f"--given-name={person.title()}",
                        "--surname=Test")
        for group in ("Staff", "Everybody", "People"):
            cls.dc.tool("group", "add", group)
        cls.dc.tool("group", "addmembers", "Staff", "ada,bob")
        cls.dc.tool("group", "addmembers", "Everybody", "Staff")
        cls.dc.tool("group", "addmembers", "Staff", "Everybody")  # Round and round.
        # Certificates of a deployment, and dt-policy's options, are those of an environment.
        cls.environment = cls.enter(Environment(devices=10))
        password = cls.folder / "ldap.password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        cls.policy = cls.enter(Policy(cls.environment, cls.folder, PEOPLE, directory=f"""
[[directory]]
domain = "corp.test"
netbios-name = "CORP"
domain-sid = "{cls.dc.domain_sid()}"
url = "ldaps://dc1.corp.test"
ca = "{cls.folder}/ca.pem"
bind-dn = "svc@corp.test"
password-file = "{password}"
"""))

    @classmethod
    def enter(cls, context):
        entered = context.__enter__()
        cls.addClassCleanup(context.__exit__, None, None, None)
        return entered

    def sync(self, *arguments):
        return self.policy.sync(*arguments)

    def person(self, who):
        return self.policy.person(who)

    def dtctl(self, *arguments, check=True):
        return self.policy.dtctl(*arguments, check=check)

    def test_1_people_and_nested_groups(self):
        status = self.sync()
        self.assertEqual(status["domain_controller"], "dc1.corp.test")
        self.assertFalse(status.get("shows_deleted", False))  # An ordinary account may not.
        ada = self.person("ada@corp.test")
        self.assertEqual(ada["synced_from"], "corp.test")
        self.assertEqual(ada["given_name"], "Ada")
        self.assertEqual(sorted(ada["groups"]), ["Domain Users", "Everybody", "Staff"])
        self.assertEqual(self.dc.token_of("CN=Ada Test,CN=Users,DC=corp,DC=test"), sorted(ada["groups"]))
        self.assertEqual(self.person("cy@corp.test")["groups"], ["Domain Users"])
        for off in ("guest@corp.test", "krbtgt@corp.test"):  # Disabled.
            self.assertNotEqual(self.dtctl("people", "show", off, check=False).returncode, 0)

    def test_2_changes_are_read_alone(self):
        before = self.sync()["everybody_at"]
        self.dc.tool("group", "addmembers", "People", "cy")
        self.dc.modify("dn: CN=Bob Test,CN=Users,DC=corp,DC=test\nchangetype: modify\n"
                       "replace: mail\nmail: bob@example.com\n")
        status = self.sync()
        self.assertEqual(status["everybody_at"], before)
        self.assertEqual(int(status["last"]["updated"]), 2)
        self.assertEqual(sorted(self.person("cy@corp.test")["groups"]), ["Domain Users", "People"])
        self.assertEqual(self.person("bob@corp.test")["email"], "bob@example.com")

    def test_3_a_new_name_is_the_same_person(self):
        known = self.person("bob@corp.test")
        self.dc.tool("user", "rename", "bob", "--upn=robert@corp.test", "--samaccountname=robert",
                     "--force-new-cn=Robert Test")
        self.sync()
        renamed = self.person("robert@corp.test")
        self.assertEqual((renamed["id"], renamed["sid"]), (known["id"], known["sid"]))
        self.assertEqual(sorted(renamed["groups"]), ["Domain Users", "Everybody", "Staff"])

    def test_4_disabled_and_back(self):
        self.dc.tool("user", "disable", "cy")
        self.sync()
        self.assertEqual(self.person("cy@corp.test")["status"], "USER_STATUS_DEACTIVATED")
        self.assertTrue(self.person("cy@corp.test")["deactivated_by_directory"])
        self.dc.tool("user", "enable", "cy")
        deadline = time.monotonic() + 20
        while self.person("cy@corp.test")["status"] != "USER_STATUS_ACTIVE":  # Once the CA has revoked.
            self.assertLess(time.monotonic(), deadline)
            self.sync()

    def test_5_a_lock_ends_by_itself_and_deactivates_nobody(self):
        self.dc.tool("domain", "passwordsettings", "set", "--account-lockout-threshold=2")
        for _ in range(3):
            self.dc.search("-D", "ada@corp.test", "-w", "wrong", "-b", "DC=corp,DC=test", check=False)
        self.sync()
        self.assertEqual(self.person("ada@corp.test")["status"], "USER_STATUS_ACTIVE")

    def test_6_deleted_and_made_anew(self):
        old = self.person("cy@corp.test")
        self.dc.tool("user", "delete", "cy")
        self.sync("--everybody")
        self.assertEqual(self.person("cy@corp.test")["status"], "USER_STATUS_DEACTIVATED")
        self.dc.tool("user", "create", "cy", PASSWORD)
        self.sync()
        new = self.person("cy@corp.test")
        self.assertEqual(new["status"], "USER_STATUS_ACTIVE")
        self.assertNotEqual((new["id"], new["sid"]), (old["id"], old["sid"]))
        self.assertEqual(self.person(old["sid"])["status"], "USER_STATUS_DEACTIVATED")

    def test_7_one_person_in_many_groups(self):
        self.dc.python(ADD_GROUPS, str(GROUPS), "CN=Ada Test,CN=Users,DC=corp,DC=test")
        self.sync()
        groups = self.person("ada@corp.test")["groups"]
        self.assertEqual(len(groups), GROUPS + 3)
        self.sync("--everybody")
        self.assertEqual(self.person("ada@corp.test")["groups"], groups)

    def test_8_what_is_deleted_shows_to_whom_an_admin_lets(self):
        self.dc.python(LET_LIST, self.person("svc@corp.test")["sid"])
        self.assertTrue(self.sync()["shows_deleted"])
        self.dc.tool("user", "delete", "robert")
        status = self.sync()
        self.assertEqual(int(status["last"]["deactivated"]), 1)
        self.assertEqual(self.person("robert@corp.test")["status"], "USER_STATUS_DEACTIVATED")

    def test_9_a_directory_that_is_gone_deactivates_nobody(self):
        people = self.sync()["people"]
        self.dc.stop()
        gone = self.dtctl("people", "sync", "--run", check=False)
        self.assertEqual(gone.returncode, 1)
        self.assertIn("ldaps://dc1.corp.test", gone.stdout)
        self.assertIn("nobody was changed", gone.stdout)
        self.assertEqual(self.policy.sync("--json", check=False)["people"], people)
        self.assertEqual(self.person("ada@corp.test")["status"], "USER_STATUS_ACTIVE")


class InANamespace(unittest.TestCase):
    @unittest.skipIf(os.environ.get(SEED), "it is one")
    @unittest.skipIf(missing(), missing())
    def test_people_of_samba(self):
        result = in_a_namespace(__file__, "PeopleOfSamba", 280)
        self.assertEqual(result.returncode, 0, result.stdout[-3000:] + result.stderr[-6000:])


if __name__ == "__main__":
    unittest.main()
