"""OCSP as foreign clients judge it: OpenSSL, GnuTLS, NSS, OpenJDK, curl, nginx; each with a good, a
revoked, a held and an unknown certificate, and with a clock that is 2 s or 4 min off."""
import base64
import glob
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest
import urllib.parse

from support.environment import ROOT, EnvironmentTest, free_port, run, wait_until
from support.x509_lint import lint_certificate

STATES = ("good", "revoked", "held", "unknown")
OFFSETS = (0, 2, -2, 240, -240)  # Seconds that the client's clock is ahead.
MALFORMED = bytes.fromhex("30030a0101")
TLS_SECONDS_MAX = 10


def faketime():
    """Debian's library of that name; None: not installed. Its command is not used: it names a
    semaphore by its process id, and fails when an earlier process of that id left one behind."""
    return next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)


def off_by(seconds):
    """What to put before a command so that its clock is ahead by that."""
    return () if seconds == 0 else ("env", f"LD_PRELOAD={faketime()}", f"FAKETIME={seconds:+d}s")


def needs(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise unittest.SkipTest(f"{program} is not installed")


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class OcspTest(EnvironmentTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        environment = cls.environment
        cls.folder = environment.folder
        cls.url = cls.endpoints["ocsp_url"]
        cls.chain = environment.path_of(cls.endpoints["device_ca_chain"], "chain.pem")
        pems = [part + "-----END CERTIFICATE-----\n"
                for part in cls.chain.read_text().split("-----END CERTIFICATE-----\n")[:-1]]
        cls.issuer, cls.root = cls.folder / "issuer.pem", cls.folder / "root.pem"
        cls.issuer.write_text(pems[0])
        cls.root.write_text(pems[1])
        devices = [d for d in cls.endpoints["devices"] if d["state"] == "enrolled"]
        cls.certificates = {}  # By state: the certificate and its key.
        for state, device in zip(("good", "revoked", "held"), devices):
            cls.certificates[state] = (environment.path_of(device["cert_pem"], f"{state}.pem"),
                                       environment.path_of(device["key_pem"], f"{state}.key"))
        environment.dtctl("revoke", "--serial", cls.serial("revoked"), "--reason", "key-compromise",
                          "--yes")
        environment.dtctl("revoke", "--serial", cls.serial("held"), "--reason", "hold", "--yes")
        cls.certificates["unknown"] = cls.forge(
            "unknown", "4a0102030405060708090a0b0c0d0e0f", "extendedKeyUsage = clientAuth",
            f"authorityInfoAccess = OCSP;URI:{cls.url}")

    @classmethod
    def serial(cls, state):
        text = run("openssl", "x509", "-in", cls.certificates[state][0], "-noout", "-serial").stdout
        return text.split("=")[1].strip()

    @classmethod
    def forge(cls, name, serial, *extensions):
        """A certificate that the CA's key signed and its store does not know; it and its key."""
        certificate, key = cls.folder / f"{name}.pem", cls.folder / f"{name}.key"
        request, settings = cls.folder / f"{name}.csr", cls.folder / f"{name}.ext"
        settings.write_text("\n".join(("basicConstraints = critical, CA:FALSE",
                                       "keyUsage = critical, digitalSignature", *extensions, "")))
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc",
            "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        ca_key = cls.environment.run_dir / cls.endpoints["test_keys"] / "device-ca.key"
        past = off_by(-3600) if faketime() else ()
        run(*past, "openssl", "x509", "-req", "-in", request, "-CA", cls.issuer, "-CAkey", ca_key,
            "-set_serial", f"0x{serial}", "-days", "30", "-extfile", settings, "-out", certificate)
        return certificate, key

    def request(self, state="good", *options):
        """A request about that certificate, by OpenSSL."""
        path = self.folder / "request.der"
        run("openssl", "ocsp", "-issuer", self.issuer, *options, "-cert",
            self.certificates[state][0], "-reqout", path)
        return path.read_bytes()


class Clients(OcspTest):
    """The table: one test for each client."""

    def each_case(self, check):
        """`check` of each state with each clock; what can't be had here is skipped with a word."""
        for state in STATES:
            for offset in OFFSETS:
                with self.subTest(state=state, offset=offset):
                    if offset != 0 and faketime() is None:
                        self.skipTest("faketime is not installed")
                    check(state, offset)

    def test_openssl(self):
        def check(state, offset):
            certificate = self.certificates[state][0]
            for options in ((), ("-no_nonce",), ("-sha256",)):
                result = run(*off_by(offset), "openssl", "ocsp", *options, "-issuer", self.issuer,
                             "-CAfile", self.chain, "-cert", certificate, "-url", self.url)
                output = result.stdout + result.stderr
                said = "revoked" if state == "held" else state
                self.assertIn(f"{certificate}: {said}\n", output)
                self.assertIn("Response verify OK", output)
                self.assertNotIn("WARNING", output)
                if state == "held":
                    self.assertIn("Reason: certificateHold", output)
                if state == "revoked":
                    self.assertIn("Reason: keyCompromise", output)

        self.each_case(check)

    def test_gnutls(self):
        needs("ocsptool")
        def check(state, offset):
            for options in ((), ("--nonce",)):
                result = run(*off_by(offset), "ocsptool", f"--ask={self.url}", *options,
                             "--load-issuer", self.issuer, "--load-trust", self.chain,
                             "--load-cert", self.certificates[state][0], check=False)
                output = result.stdout + result.stderr
                said = "revoked" if state == "held" else state
                self.assertIn(f"Certificate Status: {said}", output)
                self.assertIn("Verifying OCSP Response: Success", output)
                self.assertNotIn("nonce", "".join(re.findall("(?i).*(?:error|fail).*", output)))

        self.each_case(check)

    def test_nss(self):
        needs("vfychain", "certutil")
        database = self.folder / "nss"
        database.mkdir(exist_ok=True)
        run("certutil", "-N", "-d", database, "--empty-password")
        run("certutil", "-A", "-d", database, "-n", "root", "-t", "CT,,", "-i", self.root)
        run("certutil", "-A", "-d", database, "-n", "issuer", "-t", ",,", "-i", self.issuer)
        def check(state, offset):
            result = run(*off_by(offset), "vfychain", "-d", database, "-pp", "-g", "leaf", "-h",
                         "requireFreshInfo", "-m", "ocsp", "-s", "requireInfo,failIfNoInfo", "-u",
                         "0", "-a", self.certificates[state][0], check=False)
            output = result.stdout + result.stderr
            if state == "good":
                self.assertIn("Chain is good!", output)
            else:
                self.assertIn("Chain is bad!", output)
            if state in ("revoked", "held"):
                self.assertIn("revoked", output)

        self.each_case(check)

    def test_openjdk(self):
        needs("java")
        if "javac" not in " ".join(os.listdir(os.path.dirname(os.path.realpath(
                shutil.which("java"))))):
            raise unittest.SkipTest("this Java has no compiler")
        cases = [(state, offset) for state in STATES for offset in OFFSETS]
        asked = "".join(f"{self.certificates[state][0]} {offset}\n" for state, offset in cases)
        result = subprocess.run(["java", ROOT / "tests/support/OcspCheck.java", self.root, self.issuer],
                                input=asked, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        said = {"good": "good", "revoked": "revoked KEY_COMPROMISE",
                "held": "revoked CERTIFICATE_HOLD", "unknown": "unknown"}
        for (state, offset), line in zip(cases, result.stdout.splitlines(), strict=True):
            with self.subTest(state=state, offset=offset):
                self.assertEqual(line, said[state])

    def stapling_server(self, state):
        """Serves a certificate for servers of that serial, with the answer about it; its port."""
        certificate, key = self.forge(f"server-{state}", self.serial(state),
                                      "extendedKeyUsage = serverAuth", "subjectAltName = IP:127.0.0.1")
        answer = self.folder / f"{state}.ocsp"
        run("openssl", "ocsp", "-no_nonce", "-noverify", "-issuer", self.issuer, "-cert", certificate,
            "-url", self.url, "-respout", answer)
        port = free_port()
        process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key", key,
             "-cert_chain", self.issuer, "-status_file", answer, "-www", "-quiet"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(lambda: is_listening(port), TLS_SECONDS_MAX, "s_server listens")
        return port

    # Issuer and serial are what an answer is about, and no device certificate is for servers.
    def test_curl_with_a_stapled_answer(self):
        needs("curl")
        ports = {}
        def check(state, offset):
            if state not in ports:
                ports[state] = self.stapling_server(state)
            result = run(*off_by(offset), "curl", "-sS", "--cacert", self.root, "--cert-status",
                         "-o", "/dev/null", f"https://127.0.0.1:{ports[state]}/",
                         check=False)
            if state == "good":
                self.assertEqual(result.returncode, 0, result.stderr)
            else:
                self.assertEqual(result.returncode, 91, result.stderr)  # CURLE_SSL_INVALIDCERTSTATUS
                said = {"revoked": "keyCompromise", "held": "certificateHold",
                        "unknown": "status verification FAILED"}
                self.assertIn(said[state], result.stderr)

        self.each_case(check)

    def nginx(self, offset):
        """One whose clock is off by that and that lets nobody in without a good answer; its port."""
        folder = self.folder / f"nginx{offset}"
        (folder / "logs").mkdir(parents=True)
        port = free_port()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-noenc", "-subj", "/CN=localhost", "-keyout", folder / "server.key", "-out",
            folder / "server.pem")
        (folder / "nginx.conf").write_text(f"""
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/logs/error.log info;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    ssl_client_certificate {self.root};
    ssl_verify_client on;
    ssl_verify_depth 2;
    ssl_ocsp leaf;
    location / {{ return 200 "in\\n"; }}
  }}
}}
""")
        process = subprocess.Popen(
            [*off_by(offset), "nginx", "-p", folder, "-c", folder / "nginx.conf"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(os.killpg, process.pid, signal.SIGKILL)
        wait_until(lambda: is_listening(port), TLS_SECONDS_MAX, "nginx listens")
        return port

    def test_nginx_asks_for_itself(self):
        needs("nginx", "curl")
        ports = {}
        def check(state, offset):
            if offset not in ports:
                ports[offset] = self.nginx(offset)
            certificate, key = self.certificates[state]
            with_issuer = self.folder / f"{state}-chain.pem"
            with_issuer.write_text(certificate.read_text() + self.issuer.read_text())
            result = run("curl", "-sS", "-k", "--cert", with_issuer, "--key", key, "-w", "%{http_code}",
                         f"https://127.0.0.1:{ports[offset]}/", check=False)
            error_log = self.folder / f"nginx{offset}/logs/error.log"
            if state == "good":
                self.assertEqual(result.stdout, "in\n200", error_log.read_text()[-1500:])
            else:
                self.assertTrue(result.stdout.endswith("400"), result.stdout)

        self.each_case(check)

    # What comes along with each answer: a responder's certificate of the very issuer.
    def test_the_responder_keeps_its_profile(self):
        answer = self.folder / "answer.der"
        run("openssl", "ocsp", "-issuer", self.issuer, "-CAfile", self.chain, "-cert",
            self.certificates["good"][0], "-url", self.url, "-respout", answer)
        text = run("openssl", "ocsp", "-respin", answer, "-noverify", "-resp_text").stdout
        responder = self.folder / "responder.pem"
        responder.write_text(re.search("-----BEGIN.*?END CERTIFICATE-----\n", text, re.S)[0])
        self.assertEqual(lint_certificate(responder, "ocsp responder", self.issuer), [])
        run("openssl", "verify", "-x509_strict", "-purpose", "ocsphelper", "-CAfile", self.root,
            "-untrusted", self.issuer, responder)
        self.assertIn("Next Update", text)


class Transport(OcspTest):
    """HTTP as clients were seen to speak it."""

    def setUp(self):
        self.address = urllib.parse.urlsplit(self.url).netloc

    def send(self, octets):
        """Raw octets to the listener, and all that comes back until it closes."""
        host, port = self.address.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(octets)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.decode(), body

    def ask(self, method, target, body=None, **fields):
        connection = http.client.HTTPConnection(self.address, timeout=10)
        connection.request(method, target, body, {k.replace("_", "-"): v for k, v in fields.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def post(self, body):
        answer, content = self.ask("POST", "/ocsp", body, Content_Type="application/ocsp-request")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Content-Type"], "application/ocsp-response")
        return content

    def said_of(self, content, state="good", *options):
        """What OpenSSL reads in an answer about that certificate."""
        path = self.folder / "content.der"
        path.write_bytes(content)
        result = run("openssl", "ocsp", "-respin", path, "-no_nonce", *options, "-issuer",
                     self.issuer, "-CAfile", self.chain, "-cert", self.certificates[state][0])
        self.assertIn("Response verify OK", result.stderr)
        return re.search(r": (\w+)\n", result.stdout)[1]

    def test_get_takes_every_spelling_of_base64(self):
        request = self.request("good", "-no_nonce", "-sha256")
        encoded = base64.b64encode(request).decode()
        expected = self.post(request)
        self.assertEqual(self.said_of(expected, "good", "-sha256"), "good")
        escaped = urllib.parse.quote(encoded, safe="")
        lower = re.sub("%..", lambda escape: escape[0].lower(), escaped)
        for target in (f"/ocsp/{escaped}", f"/ocsp/{lower}", f"/ocsp/{encoded}", f"/ocsp//{escaped}"):
            answer, content = self.ask("GET", target, Accept="text/html", Host="pki.example.com")
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers["Content-Type"], "application/ocsp-response")
            self.assertEqual(content, expected)

    def test_http_1_0_with_and_without_host(self):
        request = self.request("good", "-no_nonce")
        encoded = urllib.parse.quote(base64.b64encode(request).decode(), safe="")
        for host in (b"", b"Host: pki.example.com\r\n"):
            head, body = self.send(b"GET /ocsp/" + encoded.encode() + b" HTTP/1.0\r\n" + host + b"\r\n")
            self.assertIn(" 200 ", head.splitlines()[0])
            self.assertEqual(self.said_of(body), "good")
            head, body = self.send(b"POST /ocsp/ HTTP/1.0\r\n" + host +
                                   b"Content-Type: application/ocsp-request\r\nContent-Length: %d\r\n\r\n"
                                   % len(request) + request)
            self.assertIn(" 200 ", head.splitlines()[0])
            self.assertEqual(self.said_of(body), "good")

    def test_caches_may_keep_an_answer_for_a_second(self):
        encoded = base64.b64encode(self.request("good", "-no_nonce")).decode()
        target = f"/ocsp/{urllib.parse.quote(encoded, safe='')}"
        answer, content = self.ask("GET", target)
        self.assertEqual(answer.headers["Cache-Control"],
                         "public, max-age=1, no-transform, must-revalidate")
        self.assertIn("GMT", answer.headers["Expires"])
        self.assertIn("GMT", answer.headers["Last-Modified"])
        head, nothing = self.ask("HEAD", target)
        self.assertEqual(head.headers["ETag"], answer.headers["ETag"])
        self.assertEqual(nothing, b"")
        again, nothing = self.ask("GET", target, If_None_Match=answer.headers["ETag"])
        self.assertEqual((again.status, nothing), (304, b""))
        changed, full = self.ask("GET", target, If_None_Match='"other"')
        self.assertEqual((changed.status, full), (200, content))
        # One with a nonce is for who asked.
        encoded = base64.b64encode(self.request("good", "-nonce")).decode()
        mine, _ = self.ask("GET", f"/ocsp/{urllib.parse.quote(encoded, safe='')}")
        self.assertEqual(mine.headers["Cache-Control"], "no-store")
        self.assertIsNone(mine.headers["ETag"])

    def test_several_in_one(self):
        path = self.folder / "several.der"
        certificates = [self.certificates[state][0] for state in ("good", "revoked", "unknown")]
        result = run("openssl", "ocsp", "-issuer", self.issuer, "-CAfile", self.chain,
                     *(part for c in certificates for part in ("-cert", c)), "-url", self.url,
                     "-respout", path)
        for certificate, said in zip(certificates, ("good", "revoked", "unknown")):
            self.assertIn(f"{certificate}: {said}\n", result.stdout)

    def test_bad_requests_are_malformed_and_cost_others_nothing(self):
        good = self.request("good", "-no_nonce")
        thousand = self.folder / "thousand.der"
        run("openssl", "ocsp", "-issuer", self.issuer, "-no_nonce", "-reqout", thousand,
            *(part for n in range(1000) for part in ("-serial", n + 1)))
        bad = {"empty": b"", "trailing octets": good + b"\0", "cut": good[:-1],
               "no DER": b"hello", "1,000 certificate ids": thousand.read_bytes(),
               "64 KiB": good + bytes(65536 - len(good)), "64 KiB of sequences": b"\x30" * 65536,
               "an answer": self.post(good)}
        for what, octets in bad.items():
            with self.subTest(what):
                self.assertEqual(self.post(octets), MALFORMED)
        for target in ("/ocsp", "/ocsp/", "/ocsp/%20", "/ocsp/AAAA", "/ocsp/MA==", "/ocsp/M%3D"):
            answer, content = self.ask("GET", target)
            self.assertEqual((answer.status, content), (200, MALFORMED), target)
        self.assertEqual(self.ask("POST", "/ocsp", bytes(65537))[0].status, 413)
        for target in ("/ocspx", "/ocsp%00", "/ca%2F..%2Focsp"):
            self.assertIn(self.ask("GET", target)[0].status, (400, 404), target)
        self.assertEqual(self.said_of(self.post(good)), "good")

    # Nothing else of the listener changes with the slash that OCSP needs.
    def test_an_escaped_slash_finds_nothing_else(self):
        root = urllib.parse.urlsplit(self.endpoints["root_crl_url"]).path
        self.assertEqual(self.ask("GET", root)[0].status, 200)
        for target in (f"/ocsp/..{root}", f"/ocsp%2F..%2F{root[1:]}", "/..%2F..%2Fetc%2Fpasswd"):
            self.assertIn(self.ask("GET", target)[0].status, (400, 404), target)

    def test_a_foreign_issuer_is_unauthorized(self):
        path = self.folder / "foreign.der"
        run("openssl", "ocsp", "-issuer", self.root, "-cert", self.issuer, "-reqout", path)
        self.assertEqual(self.post(path.read_bytes()), bytes.fromhex("30030a0106"))

    def test_nonces_come_back(self):
        for size in (1, 128, 129):
            octets = bytes(range(size))
            request = with_nonce(self.request("good", "-no_nonce"), octets)
            content = self.post(request)
            self.assertEqual(octets in content, size <= 128, size)
            self.assertEqual(self.said_of(content), "good")

    def test_a_revocation_is_in_the_next_answer(self):
        devices = [d for d in self.endpoints["devices"] if d["state"] == "enrolled"]
        victim = self.environment.path_of(devices[-1]["cert_pem"], "victim.pem")
        type(self).certificates["victim"] = (victim, None)
        request = self.request("victim", "-no_nonce")
        self.assertEqual(self.said_of(self.post(request), "victim"), "good")
        self.environment.dtctl("revoke", "--serial", self.serial("victim"), "--yes")
        self.assertEqual(self.said_of(self.post(request), "victim"), "revoked")

    def test_a_hold_that_ends_is_good_again(self):
        devices = [d for d in self.endpoints["devices"] if d["state"] == "enrolled"]
        victim = self.environment.path_of(devices[-2]["cert_pem"], "held-victim.pem")
        type(self).certificates["hold"] = (victim, None)
        request = self.request("hold", "-no_nonce")
        serial = self.serial("hold")
        for verb, said in ((("revoke", "--reason", "hold", "--yes", "--serial", serial), "revoked"),
                           (("certificates", "release", serial), "good"),
                           (("revoke", "--yes", "--serial", serial), "revoked")):
            self.environment.dtctl(*verb)
            self.assertEqual(self.said_of(self.post(request), "hold"), said)


def with_nonce(request, octets):
    """The request of one certificate, without extensions so far, with that nonce."""
    def element(tag, content):
        size = len(content)
        length = bytes([size]) if size < 128 else (
            bytes([0x81, size]) if size < 256 else bytes([0x82, size >> 8, size & 255]))
        return bytes([tag]) + length + content
    oid = bytes.fromhex("06092b0601050507300102")
    extension = element(0x30, oid + element(0x04, element(0x04, octets)))
    content = request[2:] if request[1] < 128 else request[3:]
    inner = content[2:] if content[1] < 128 else content[3:]
    return element(0x30, element(0x30, inner + element(0xa2, element(0x30, extension))))


if __name__ == "__main__":
    unittest.main()
