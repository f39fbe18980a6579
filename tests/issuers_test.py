"""A root that is kept offline: dt-ca's commands, the service that runs without the root's key, and the
administrator's verbs, judged by OpenSSL."""
import json
import os
import signal
import subprocess
import tomllib
import unittest
import urllib.request

from support.environment import BIN, EnvironmentTest, run, wait_until


class OfflineRoot(EnvironmentTest):
    """A second CA beside the environment's own, of which it has certificates and options."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.environment.folder / "offline"
        cls.folder.mkdir()
        cls.config = cls.folder / "ca.toml"
        wanted = ("org", "edge-cert", "edge-key", "internal-cert", "internal-key", "deployment-ca",
                  "kek-file", "org-address")
        options = tomllib.loads((cls.environment.run_dir / "dt-ca.toml").read_text())
        cls.options = {name: options[name] for name in wanted}
        listeners = {f"{name}-listen": "127.0.0.1:0" for name in ("edge", "internal", "http")}
        cls.config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in {
            **cls.options, **listeners, "database": f"sqlite:{cls.folder}/ca.db"}.items()))
        cls.kek = cls.folder / "root.kek"
        cls.kek.write_text(os.urandom(32).hex())
        cls.kek.chmod(0o600)
        cls.at_root = ("--root", cls.folder / "root", "--kek-file", cls.kek)

    def command(self, *arguments, check=True):
        return run(BIN / "dt-ca", *arguments, check=check)

    def start(self):
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        service = subprocess.Popen([BIN / "dt-ca", "--config", self.config, "--ready-file", ready,
                                    "--log-file", self.folder / "ca.log"],
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(service.stderr.close)
        self.addCleanup(service.wait)
        self.addCleanup(service.kill)
        wait_until(lambda: ready.exists() or service.poll() is not None, 30, "dt-ca is ready")
        if not ready.exists():
            return None, service.stderr.read()
        return service, json.loads(ready.read_text())

    def dtctl(self, addresses, *arguments, check=True):
        admin = json.loads((self.environment.run_dir / "endpoints.json").read_text())["grpc"]["ca"]
        entry = admin["internal"]
        return run(BIN / "dtctl", "--ca-address", addresses["internal"],
                   "--org-address", addresses["internal"],
                   "--deployment-ca", self.environment.path_of(entry["ca_pem"], "trust.pem"),
                   "--cert", self.environment.path_of(entry["cert_pem"], "admin.pem"),
                   "--key", self.environment.path_of(entry["key_pem"], "admin.key"),
                   "issuers", *arguments, check=check)

    def subject(self, pem):
        return run("openssl", "x509", "-in", pem, "-noout", "-subject", "-nameopt", "RFC2253").stdout

    def certify_by_openssl(self, csr, subject, out):
        folder = self.folder
        root = (folder / "other.pem", folder / "other.key")
        if not root[0].exists():
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-noenc", "-days", "3650", "-subj", "/CN=Other root", "-addext",
                "keyUsage=critical,keyCertSign,cRLSign", "-out", root[0], "-keyout", root[1])
        extensions = folder / "extensions"
        extensions.write_text("basicConstraints=critical,CA:TRUE,pathlen:0\n"
                              "keyUsage=critical,keyCertSign,cRLSign\n"
                              "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        run("openssl", "x509", "-req", "-in", csr, "-CA", root[0], "-CAkey", root[1], "-subj",
            subject, "-days", "365", "-extfile", extensions, "-out", out)
        out.write_text(out.read_text() + root[0].read_text())

    def test_a_root_that_is_kept_offline(self):
        folder = self.folder
        self.command("root-init", "--org", self.options["org"], *self.at_root)
        late = self.command("--config", self.config, "issuer-request", check=False)
        self.assertEqual(late.returncode, 2)
        self.assertIn("issuer-request comes before its options", late.stderr)
        odd = self.command("root-init", "--org", "Acme Inc", *self.at_root, check=False)
        self.assertEqual(odd.returncode, 1)
        self.assertIn("--org must be", odd.stderr)
        again = self.command("root-init", "--org", "acme", *self.at_root, check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("there is a root in this folder already", again.stderr)

        # The first issuer, before the service starts.
        self.command("issuer-request", "--config", self.config, "--out", folder / "issuer.csr")
        self.assertIn("OK", run("openssl", "req", "-in", folder / "issuer.csr", "-noout",
                                "-verify").stderr)
        service, why = self.start()
        self.assertIsNone(service)
        self.assertIn("dt-ca issuer-install", why)
        self.command("issue-issuing", *self.at_root, "--request", folder / "issuer.csr", "--out",
                     folder / "issuer.pem")
        self.command("root-crl", *self.at_root, "--out", folder / "root.crl")
        # A list of another root, or none at all: nothing is installed, and the right one is taken.
        other = ("--root", folder / "other-root", *self.at_root[2:])
        self.command("root-init", "--org", "acme", *other)
        self.command("root-crl", *other, "--out", folder / "other.crl")
        for wrong in (folder / "other.crl", folder / "issuer.pem"):
            refused = self.command("issuer-install", "--config", self.config, "--certificate",
                                   folder / "issuer.pem", "--root-crl", wrong, check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(f"{wrong}: no list of the root in", refused.stderr)
        self.command("issuer-install", "--config", self.config, "--certificate",
                     folder / "issuer.pem", "--root-crl", folder / "root.crl")
        run("openssl", "verify", "-x509_strict", "-CAfile", folder / "root/root.pem",
            folder / "issuer.pem")
        self.assertIn("CN=MTLS Certificate Authority", self.subject(folder / "issuer.pem"))

        service, addresses = self.start()
        self.assertIsNotNone(service, addresses)
        listed = json.loads(self.dtctl(addresses, "list", "--json").stdout)
        self.assertEqual([one["state"] for one in listed["issuers"]], ["ISSUER_STATE_ACTIVE"])
        self.assertFalse(listed["roots"][0]["key_is_here"])
        root = listed["roots"][0]["id"]
        with urllib.request.urlopen(f"http://{addresses['http']}/crl/{root}.crl") as answer:
            self.assertEqual(answer.read(), (folder / "root.crl").read_bytes())
        self.assertIn("is not here", self.dtctl(addresses, "add", check=False).stderr)
        busy = self.command("issuer-request", "--config", self.config, "--out",
                            folder / "other.csr", check=False)
        self.assertEqual(busy.returncode, 1)

        # The next one, while it serves.
        (folder / "next.csr").write_text(self.dtctl(addresses, "request").stdout)
        self.command("issue-issuing", *self.at_root, "--request", folder / "next.csr", "--out",
                     folder / "next.pem", "--days", "30")
        swapped = self.dtctl(addresses, "install", folder / "issuer.pem", check=False)
        self.assertIn("of no request", swapped.stderr)
        self.dtctl(addresses, "install", folder / "next.pem")
        self.assertEqual(self.subject(folder / "next.pem"), self.subject(folder / "issuer.pem"))
        listed = json.loads(self.dtctl(addresses, "list", "--json").stdout)["issuers"]
        first, following = (one["id"] for one in listed)
        early = self.dtctl(addresses, "activate", following[:8], check=False)
        self.assertIn("CONFLICTING_STATE", early.stderr)
        self.dtctl(addresses, "activate", following[:8], "--force")
        text = self.dtctl(addresses, "list").stdout
        self.assertRegex(text, rf"{following} +active")
        self.assertRegex(text, rf"{first} +earlier")

        # What the root takes back is named, and retired by whoever insists.
        self.command("root-crl", *self.at_root, "--revoke", folder / "issuer.pem", "--out",
                     folder / "root2.crl")
        self.assertIn("Serial Number", run("openssl", "crl", "-inform", "DER", "-in",
                                           folder / "root2.crl", "-noout", "-text").stdout)
        self.assertIn(f"takes issuer {first} back",
                      self.dtctl(addresses, "root-crl", folder / "root2.crl").stdout)
        old = self.dtctl(addresses, "root-crl", folder / "root.crl", check=False)
        self.assertIn("MALFORMED_REQUEST", old.stderr)
        self.dtctl(addresses, "retire", first, "--yes")
        self.assertNotIn(first, self.dtctl(addresses, "list").stdout)
        # Another root, made and used by OpenSSL: its issuer must have the same name, octet for octet.
        (folder / "third.csr").write_text(self.dtctl(addresses, "request").stdout)
        for name, subject in (("third", f"/O={self.options['org']}/CN=MTLS Certificate Authority"),
                              ("renamed", "/CN=MTLS Certificate Authority")):
            self.certify_by_openssl(folder / "third.csr", subject, folder / f"{name}.pem")
        renamed = self.dtctl(addresses, "install", folder / "renamed.pem", check=False)
        self.assertIn("in its octets", renamed.stderr)
        self.dtctl(addresses, "install", folder / "third.pem")
        self.assertEqual(len(json.loads(self.dtctl(addresses, "list", "--json").stdout)["roots"]), 2)
        service.send_signal(signal.SIGTERM)
        self.assertEqual(service.wait(timeout=20), 0)


if __name__ == "__main__":
    unittest.main()
