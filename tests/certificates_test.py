"""Certificates and CRL as OpenSSL and GnuTLS judge them."""
import base64
import re
import textwrap
import unittest
import urllib.request

from support.environment import EnvironmentTest, run
from support.x509_lint import lint_certificate, lint_crl


class Certificates(EnvironmentTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        environment = cls.environment
        cls.chain = environment.path_of(cls.endpoints["device_ca_chain"], "chain.pem")
        cls.device = environment.device("enrolled")
        cls.certificate = environment.path_of(cls.device["cert_pem"], "device.pem")
        cls.key = environment.path_of(cls.device["key_pem"], "device.key")
        pems = [part + "-----END CERTIFICATE-----\n"
                for part in cls.chain.read_text().split("-----END CERTIFICATE-----\n")[:-1]]
        cls.root = environment.folder / "root.pem"
        cls.root.write_text(pems[-1])
        cls.issuers = environment.folder / "issuers.pem"
        cls.issuers.write_text("".join(pems[:-1]))

    def fetch_crl(self, name, url="crl_url"):
        with urllib.request.urlopen(self.endpoints[url], timeout=10) as answer:
            self.assertEqual(answer.headers["Content-Type"], "application/pkix-crl")
            der = answer.read()
        path = self.environment.folder / f"{name}.crl"
        path.write_bytes(der)
        return path

    def crl_as_pem(self, name, url="crl_url"):
        der = self.fetch_crl(name, url)
        pem = der.with_suffix(".crl.pem")
        run("openssl", "crl", "-inform", "DER", "-in", der, "-out", pem)
        return pem

    def untrusted(self):
        return ("-untrusted", self.issuers) if self.issuers.stat().st_size else ()

    def test_openssl_verifies_the_chain(self):
        run("openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", self.root,
            *self.untrusted(), self.certificate)

    def test_gnutls_verifies_the_chain(self):
        bundle = self.environment.folder / "bundle.pem"
        bundle.write_text(self.certificate.read_text() + self.issuers.read_text())
        run("certtool", "--verify", "--load-ca-certificate", self.root, "--infile", bundle)

    def test_contents(self):
        text = run("openssl", "x509", "-in", self.certificate, "-noout", "-text").stdout
        self.assertIn("CN = MTLS Certificate Authority", text)
        self.assertIn("TLS Web Client Authentication", text)
        self.assertRegex(text, r"URI:urn:devicetrust:[a-z0-9-]+:device:")
        self.assertRegex(text, r"URI:urn:devicetrust:[a-z0-9-]+:enrollment:")
        self.assertIn(self.endpoints["crl_url"], text)  # Names exactly the one that is served.
        self.assertNotIn(self.device["user"], text)  # Opaque: who it is, the org knows.
        gnutls = run("certtool", "--certificate-info", "--infile", self.certificate).stdout
        self.assertIn("TLS WWW Client", gnutls)

    # Each profile that is issued, by a reader that did not write it.
    def test_every_profile_keeps_the_standard(self):
        folder = self.environment.folder
        self.assertEqual(lint_certificate(self.root, "root"), [])
        self.assertEqual(lint_certificate(self.issuers, "issuer", self.root), [])
        self.assertEqual(lint_certificate(self.certificate, "device", self.issuers), [])
        self.assertEqual(lint_crl(self.crl_as_pem("lint"), self.issuers), [])
        self.assertEqual(lint_crl(self.crl_as_pem("lint-root", "root_crl_url"), self.root), [])
        saml = folder / "saml.pem"
        saml.write_text(self.saml_certificate())
        self.assertEqual(lint_certificate(saml, "saml signing"), [])

    def test_the_lint_sees_what_is_wrong(self):
        self.assertNotEqual(lint_certificate(self.certificate, "issuer", self.issuers), [])
        self.assertNotEqual(lint_certificate(self.certificate, "device", self.root), [])
        self.assertNotEqual(lint_crl(self.crl_as_pem("wrong"), self.root), [])
        careless = self.environment.folder / "careless.pem"
        run("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-keyout",
            self.environment.folder / "careless.key", "-out", careless)
        self.assertNotEqual(lint_certificate(careless, "root"), [])

    def saml_certificate(self):
        """PEM of the one that the metadata names first."""
        bundle = self.environment.path_of(self.endpoints["ca_bundle"], "ca-bundle.pem")
        metadata = run("curl", "-sS", "--fail", "--cacert", bundle,
                       self.endpoints["saml_metadata_url"]).stdout
        encoded = re.search(r"X509Certificate>([^<]+)<", metadata)[1]
        der = base64.b64decode("".join(encoded.split()))
        body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
        return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"

    def test_the_key_is_the_certificates(self):
        of_certificate = run("openssl", "x509", "-in", self.certificate, "-noout", "-pubkey").stdout
        of_key = run("openssl", "pkey", "-in", self.key, "-pubout").stdout
        self.assertEqual(of_certificate, of_key)

    def test_crl_is_accepted_and_good_certificates_pass_it(self):
        crl = self.crl_as_pem("good")
        text = run("certtool", "--crl-info", "--infile", crl).stdout
        self.assertIn("MTLS Certificate Authority", text)
        run("openssl", "verify", "-crl_check", "-CAfile", self.root, *self.untrusted(), "-CRLfile",
            crl, self.certificate)

    # As nginx with ssl_crl and Java do: no list of the root, nobody gets in.
    def test_a_list_of_every_ca_of_the_chain_passes_good_certificates(self):
        lists = self.environment.folder / "all.crl.pem"
        lists.write_text(self.crl_as_pem("every").read_text() +
                         self.crl_as_pem("every-root", "root_crl_url").read_text())
        run("openssl", "verify", "-crl_check_all", "-CAfile", self.root, *self.untrusted(),
            "-CRLfile", lists, self.certificate)

    def test_two_lists_within_a_second_differ_in_their_time(self):
        enrolled = [d for d in self.endpoints["devices"] if d["state"] == "enrolled"]
        times = []
        for number in (-2, -3):
            victim = self.environment.path_of(enrolled[number]["cert_pem"], "victim.pem")
            serial = run("openssl", "x509", "-in", victim, "-noout", "-serial").stdout.split("=")[1]
            self.environment.dtctl("revoke", "--serial", serial.strip(), "--yes")
            crl = self.crl_as_pem(f"revoked{number}")
            text = run("openssl", "crl", "-in", crl, "-noout", "-text").stdout
            self.assertIn(f"Serial Number: {serial.strip()}", text)
            times.append(run("openssl", "crl", "-in", crl, "-noout", "-lastupdate").stdout)
        self.assertNotEqual(*times)

    def test_revoked_certificate_is_in_the_crl_at_once(self):
        enrolled = [d for d in self.endpoints["devices"] if d["state"] == "enrolled"]
        victim = self.environment.path_of(enrolled[-1]["cert_pem"], "victim.pem")
        serial = run("openssl", "x509", "-in", victim, "-noout", "-serial").stdout.split("=")[1].strip()
        self.environment.dtctl("revoke", "--serial", serial, "--reason", "key-compromise", "--yes")
        crl = self.crl_as_pem("revoked")
        text = run("openssl", "crl", "-in", crl, "-noout", "-text").stdout
        self.assertIn(f"Serial Number: {serial}", text)
        self.assertIn("Key Compromise", text)
        result = run("openssl", "verify", "-crl_check", "-CAfile", self.root, *self.untrusted(),
                     "-CRLfile", crl, victim, check=False)
        self.assertIn("certificate revoked", result.stdout + result.stderr)
        bundle = self.environment.folder / "victim-bundle.pem"
        bundle.write_text(victim.read_text() + self.issuers.read_text())
        result = run("certtool", "--verify", "--load-ca-certificate", self.root, "--load-crl", crl,
                     "--infile", bundle, check=False)
        self.assertIn("revoked", result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
