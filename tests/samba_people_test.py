"""People come from a real directory: a domain controller of Samba, dt-policy and dtctl. Needs root and
the packages of `tools/setup --samba`; without them it is skipped."""
import base64
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from support.environment import Environment, run
from support.policy import Policy

SEED = "DT_SAMBA_NAMESPACE"
PASSWORD = "Passw0rd!x"
GROUPS = 1200
PEOPLE = """
[[people]]
domain = "corp.test"
base = "CN=Users,DC=corp,DC=test"
"""


def missing():
    """What this machine lacks for the test; empty: nothing."""
    if os.geteuid() != 0:
        return "it needs root, for a network of its own"
    if not shutil.which("samba") or not shutil.which("samba-tool"):
        return "Samba is not installed: tools/setup --samba"
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True).returncode != 0:
        return "this machine gives no network namespaces"
    return ""


# With Samba's own modules, which Debian's interpreter has; local, as the domain controller itself.
SAM = """
import sys
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB
import ldb
lp = LoadParm()
lp.load(sys.argv[1])
sam = SamDB(lp=lp, session_info=system_session())
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


class DomainController:
    """A domain corp.test on the addresses of this network namespace."""

    def __init__(self, folder):
        self.folder = folder
        self.config = folder / "dc/etc/smb.conf"

    def start(self):
        run("ip", "link", "set", "lo", "up")
        hosts = self.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\n127.0.0.1 dc1.corp.test dc1\n")
        run("mount", "--bind", hosts, "/etc/hosts")
        # Compiled in; the mount is this namespace's alone.
        (self.folder / "run").mkdir()
        pathlib.Path("/run/samba").mkdir(exist_ok=True)
        run("mount", "--bind", self.folder / "run", "/run/samba")
        run("samba-tool", "domain", "provision", "--realm=CORP.TEST", "--domain=CORP",
            "--server-role=dc", "--dns-backend=NONE", f"--adminpass={PASSWORD}", "--host-name=dc1",
            "--host-ip=127.0.0.1", f"--targetdir={self.folder / 'dc'}", "--option=interfaces=lo",
            "--option=bind interfaces only=yes", timeout=120)
        self._certificate()
        (self.folder / "dc/run/ncalrpc").mkdir(parents=True)
        more = [f"pid directory = {self.folder}/dc/run", f"ncalrpc dir = {self.folder}/dc/run/ncalrpc",
                f"ntp signd socket directory = {self.folder}/dc/run/ntp",
                "server services = ldap, kdc, rpc", "prefork children = 1", "tls enabled = yes",
                f"tls keyfile = {self.folder}/dc.key", f"tls certfile = {self.folder}/dc.pem",
                f"tls cafile = {self.folder}/ca.pem", f"log file = {self.folder}/dc/log.%m"]
        text = self.config.read_text()
        self.config.write_text(text.replace("[global]\n", "[global]\n\t" + "\n\t".join(more) + "\n", 1))
        with open(self.folder / "samba.out", "w") as output:
            self.process = subprocess.Popen(
                ["samba", "-F", "--no-process-group", f"--configfile={self.config}"], stdout=output,
                stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while self.search("-s", "base", "-b", "", "highestCommittedUSN", check=False).returncode != 0:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError("samba did not start:\n" +
                                     (self.folder / "samba.out").read_text()[-3000:])
            time.sleep(0.1)

    def _certificate(self):
        def openssl(*arguments):
            run("openssl", *arguments)
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        at = self.folder
        openssl("req", "-x509", *new, "-keyout", at / "ca.key", "-out", at / "ca.pem", "-subj", "/CN=ca")
        openssl("req", *new, "-keyout", at / "dc.key", "-out", at / "dc.csr", "-subj", "/CN=dc1.corp.test")
        (at / "names").write_text("subjectAltName=DNS:dc1.corp.test,IP:127.0.0.1")
        openssl("x509", "-req", "-in", at / "dc.csr", "-CA", at / "ca.pem", "-CAkey", at / "ca.key",
                "-CAcreateserial", "-extfile", at / "names", "-out", at / "dc.pem")
        (at / "dc.key").chmod(0o600)

    def search(self, *arguments, check=True):
        environment = dict(os.environ, LDAPTLS_CACERT=str(self.folder / "ca.pem"))
        return subprocess.run(["ldapsearch", "-LLL", "-x", "-o", "ldif-wrap=no", "-H",
                               "ldaps://127.0.0.1", *arguments], env=environment, check=check,
                              capture_output=True, text=True)

    def tool(self, *arguments):
        run("samba-tool", *arguments, "-s", self.config, timeout=60)

    def modify(self, ldif):
        environment = dict(os.environ, LDAPTLS_CACERT=str(self.folder / "ca.pem"))
        subprocess.run(["ldapmodify", "-x", "-H", "ldaps://127.0.0.1", "-D",
                        "administrator@corp.test", "-w", PASSWORD], env=environment, check=True,
                       input=ldif, text=True, capture_output=True)

    def token_of(self, dn):
        """Names of the groups that the domain controller itself finds somebody in, but for those of its
        own (S-1-5-32-…)."""
        as_svc = ["-D", "svc@corp.test", "-w", PASSWORD]
        names = {}
        for entry in self.search(*as_svc, "-E", "pr=500/noprompt", "-b", "DC=corp,DC=test",
                                 "(objectCategory=group)", "objectSid",
                                 "sAMAccountName").stdout.split("\n\n"):
            fields = dict(line.split(":", 1) for line in entry.splitlines() if ":" in line)
            if "objectSid" in fields:
                names[fields["objectSid"]] = fields["sAMAccountName"].strip()
        token = self.search(*as_svc, "-s", "base", "-b", dn, "tokenGroups").stdout
        sids = [line.split(":", 1)[1] for line in token.splitlines() if line.startswith("tokenGroups:")]
        builtin = base64.b64encode(bytes([1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0])).decode()[:16]
        return sorted(names[sid] for sid in sids if not sid.strip(": ").startswith(builtin))

    def python(self, code, *arguments):
        return run("/usr/bin/python3", "-c", SAM + code, self.config, *arguments,
                   timeout=120).stdout.strip()

    def domain_sid(self):
        return self.python("print(sam.get_domain_sid())")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


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
        result = subprocess.run(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
             sys.executable, "-B", __file__, "PeopleOfSamba"], env=dict(os.environ, **{SEED: "1"}),
            capture_output=True, text=True, timeout=280)
        self.assertEqual(result.returncode, 0, result.stdout[-3000:] + result.stderr[-6000:])


if __name__ == "__main__":
    unittest.main()
