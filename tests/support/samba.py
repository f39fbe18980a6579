"""Domain controllers of Samba, in a network namespace of their own: somebody else's Active Directory."""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from support.environment import BIN, run

PASSWORD = "Passw0rd!x"
SEED = "DT_SAMBA_NAMESPACE"  # Set in the namespace.

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


def missing(*programs):
    """What this machine lacks for a domain controller; empty: nothing."""
    if os.geteuid() != 0:
        return "it needs root, for a network of its own"
    for program in ("samba", "samba-tool", *programs):
        if not shutil.which(program):
            return f"{program} is not installed: tools/setup --samba"
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True).returncode != 0:
        return "this machine gives no network namespaces"
    return ""


def in_a_namespace(file, test_class, seconds):
    """Runs the tests of a class of `file` in a network, mount and process namespace of its own."""
    return subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
         sys.executable, "-B", file, test_class], env=dict(os.environ, **{SEED: "1"}),
        capture_output=True, text=True, timeout=seconds)


class Namespace:
    """A further network, joined to the one of this process by a cable: `here` and `there` are the
    addresses of its ends."""

    def __init__(self, name, here, there):
        self.name, self.here, self.there = name, here, there

    def start(self):
        # Ends with this process's own namespace, whose init is its parent.
        self.holder = subprocess.Popen(["unshare", "--net", "--mount", "sleep", "infinity"])
        self.prefix = ["nsenter", "-t", str(self.holder.pid), "-n", "-m"]
        deadline = time.monotonic() + 10
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == own:
            if time.monotonic() > deadline:
                raise AssertionError("unshare made no namespace")
            time.sleep(0.02)
        run("ip", "link", "add", f"to-{self.name}", "type", "veth", "peer", "name", "up0", "netns",
            str(self.holder.pid))
        run("ip", "addr", "add", f"{self.here}/24", "dev", f"to-{self.name}")
        run("ip", "link", "set", f"to-{self.name}", "up")
        run(*self.prefix, "ip", "addr", "add", f"{self.there}/24", "dev", "up0")
        for device in ("lo", "up0"):
            run(*self.prefix, "ip", "link", "set", device, "up")

    def stop(self):
        self.holder.terminate()
        self.holder.wait(10)


class DomainController:
    """The one of a domain, a forest of its own. With `dns` it also answers for its names and for SMB,
    which a trust needs; `namespace` says where it runs, if not where this process does."""

    def __init__(self, folder, domain="corp.test", host="dc1", address="127.0.0.1", device="lo",
                 namespace=None, dns=False, forwarder=None):
        self.folder, self.domain, self.host = folder, domain, host
        self.address, self.device, self.namespace = address, device, namespace
        self.dns, self.forwarder = dns, forwarder
        self.name = f"{host}.{domain}"
        self.netbios = domain.split(".")[0].upper()
        self.base = ",".join(f"DC={label}" for label in domain.split("."))
        self.config = folder / "dc/etc/smb.conf"
        self.prefix = namespace.prefix if namespace else []

    @property
    def realm(self):
        return self.domain.upper()

    def run(self, *command, **options):
        """A command where the domain controller is."""
        return run(*self.prefix, *command, **options)

    def start(self, hosts=()):
        """`hosts`: further lines of /etc/hosts."""
        self.folder.mkdir(exist_ok=True)
        if not self.namespace:
            run("ip", "link", "set", "lo", "up")
        self.hosts = self.folder / "hosts"
        self.hosts.write_text("\n".join(
            ["127.0.0.1 localhost", f"{self.address} {self.name} {self.host}", *hosts]) + "\n")
        self.run("mount", "--bind", self.hosts, "/etc/hosts")
        # Compiled in; the mount is this namespace's alone.
        (self.folder / "run").mkdir()
        pathlib.Path("/run/samba").mkdir(exist_ok=True)
        self.run("mount", "--bind", self.folder / "run", "/run/samba")
        more = [f"--option=dns forwarder={self.forwarder}"] if self.forwarder else []
        self.run("samba-tool", "domain", "provision", f"--realm={self.realm}",
                 f"--domain={self.netbios}", "--server-role=dc",
                 f"--dns-backend={'SAMBA_INTERNAL' if self.dns else 'NONE'}",
                 f"--adminpass={PASSWORD}", f"--host-name={self.host}", f"--host-ip={self.address}",
                 f"--targetdir={self.folder / 'dc'}", f"--option=interfaces=lo {self.device}",
                 "--option=bind interfaces only=yes", *more, timeout=120)
        self._certificate()
        self._configure()
        self.launch()
        # As the service dnsupdate would do, which takes its time.
        self.tool("spn", "add", f"ldap/{self.name}", f"{self.host}$")

    def _configure(self):
        (self.folder / "dc/run/ncalrpc").mkdir(parents=True)
        services = ("s3fs, rpc, ldap, cldap, kdc, winbindd, dns" if self.dns
                    else "ldap, cldap, kdc, rpc")
        more = [f"pid directory = {self.folder}/dc/run",
                f"ncalrpc dir = {self.folder}/dc/run/ncalrpc",
                f"ntp signd socket directory = {self.folder}/dc/run/ntp",
                f"server services = {services}", "prefork children = 1", "tls enabled = yes",
                "load printers = no", "printing = bsd", "allow dns updates = disabled",
                f"tls keyfile = {self.folder}/dc.key", f"tls certfile = {self.folder}/dc.pem",
                f"tls cafile = {self.folder}/ca.pem", f"log file = {self.folder}/dc/log.%m"]
        kept = [line for line in self.config.read_text().splitlines()
                if not line.strip().startswith(("log file", "server services"))]
        at = kept.index("[global]") + 1
        self.config.write_text("\n".join([*kept[:at], *("\t" + line for line in more), *kept[at:]]) + "\n")

    def launch(self):
        with open(self.folder / "samba.out", "a") as output:
            self.process = subprocess.Popen(
                [*self.prefix, "samba", "-F", "--no-process-group", f"--configfile={self.config}"],
                stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while self.search("-s", "base", "-b", "", "highestCommittedUSN", check=False).returncode != 0:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError("samba did not start:\n" +
                                     (self.folder / "samba.out").read_text()[-3000:])
            time.sleep(0.1)

    def _certificate(self):
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        at = self.folder
        run("openssl", "req", "-x509", *new, "-keyout", at / "ca.key", "-out", at / "ca.pem", "-subj",
            "/CN=ca")
        run("openssl", "req", *new, "-keyout", at / "dc.key", "-out", at / "dc.csr", "-subj",
            f"/CN={self.name}")
        (at / "names").write_text(f"subjectAltName=DNS:{self.name},IP:{self.address}")
        run("openssl", "x509", "-req", "-in", at / "dc.csr", "-CA", at / "ca.pem", "-CAkey",
            at / "ca.key", "-CAcreateserial", "-extfile", at / "names", "-out", at / "dc.pem")
        (at / "dc.key").chmod(0o600)

    def _ldap(self, program, *arguments, **options):
        environment = dict(os.environ, LDAPTLS_CACERT=str(self.folder / "ca.pem"))
        return subprocess.run([program, "-x", "-H", f"ldaps://{self.address}", *arguments],
                              env=environment, capture_output=True, text=True, **options)

    def search(self, *arguments, check=True):
        return self._ldap("ldapsearch", "-LLL", "-o", "ldif-wrap=no", *arguments, check=check)

    def modify(self, ldif):
        self._ldap("ldapmodify", "-D", f"administrator@{self.domain}", "-w", PASSWORD, input=ldif,
                   check=True)

    def tool(self, *arguments, timeout=60, **options):
        return self.run("samba-tool", *arguments, "-s", self.config, timeout=timeout, **options)

    def service_keytab(self, account, spn, path):
        """An account with that service principal, and its keys for AES."""
        self.tool("user", "create", account, PASSWORD)
        self.tool("spn", "add", spn, account)
        self.modify(f"dn: CN={account},CN=Users,{self.base}\nchangetype: modify\n"
                    "replace: msDS-SupportedEncryptionTypes\nmsDS-SupportedEncryptionTypes: 24\n")
        self.tool("user", "setpassword", account, f"--newpassword={PASSWORD}y")  # Keys for AES.
        self.tool("domain", "exportkeytab", path, f"--principal={spn}@{self.realm}")
        path.chmod(0o600)

    def computer_keytab(self, name, path):
        """A computer that somebody else has joined, by its keys."""
        self.tool("computer", "create", name)
        self.tool("user", "setpassword", name + "$", f"--newpassword={PASSWORD}z")
        self.tool("domain", "exportkeytab", path, f"--principal={name}$")
        path.chmod(0o600)

    def token_of(self, dn):
        """Names of the groups that the domain controller itself finds somebody in, but for those of its
        own (S-1-5-32-…)."""
        as_svc = ["-D", f"svc@{self.domain}", "-w", PASSWORD]
        names = {}
        for entry in self.search(*as_svc, "-E", "pr=500/noprompt", "-b", self.base,
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
        return self.run("/usr/bin/python3", "-c", SAM + code, self.config, *arguments,
                        timeout=120).stdout.strip()

    def domain_sid(self):
        return self.python("print(sam.get_domain_sid())")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Computer:
    """A context manager: dt-agent as it is installed on a computer of a domain, for one person. `test` has
    a folder, with the keys of computers in NAME.keytab, and a krb5_config."""

    def __init__(self, test, name, person, realm="CORP.TEST", krb5_config=None):
        self.test, self.name, self.person, self.realm = test, name, person, realm
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="computer-", dir=test.folder))
        home = self.folder / "home"
        home.mkdir()
        self.environment = {**os.environ, "HOME": str(home), "KRB5_CONFIG": str(krb5_config or test.krb5_config),
                            "KRB5CCNAME": f"FILE:{self.folder}/ccache"}
        self.keytab = test.folder / f"{name}.keytab"

    def __enter__(self):
        self.agent("install", "--quiet", "OrgURL=https://login.corp.test/",
                   f"TrustBundle={self.test.folder}/pki/web-ca.pem", f"Keytab={self.keytab}",
                   f"Store={self.folder}/pem", check=True)
        return self

    def __exit__(self, *_):
        if not os.environ.get("DT_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def agent(self, *arguments, check=False):
        return run(BIN / "dt-agent", "--root", self.folder / "root", *arguments, check=check,
                   timeout=60, env=self.environment)

    def log_on(self):
        subprocess.run(["kinit", f"{self.person}@{self.realm}"], input=PASSWORD, text=True, check=True,
                       env=self.environment, stdout=subprocess.DEVNULL)

    def get_ticket(self, spn, check=True):
        """Of the IWA, as it may lie in the cache for hours."""
        return run("kvno", spn, env=self.environment, check=check)

    def run(self):
        return self.agent("run", "--user", "--debug")

    def refused(self, test, message):
        result = self.run()
        test.assertNotEqual(result.returncode, 0)
        test.assertIn(message, result.stdout + result.stderr)
        test.assertEqual(self.status()["certificates"], [])

    def status(self):
        return json.loads(self.agent("status", "--json", check=True).stdout)


if __name__ == "__main__":
    print(missing("adcli", "kinit"))
