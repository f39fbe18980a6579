"""What the four services tell of themselves: /metrics in Prometheus' format, and the trace id of
an enrollment and of a sign-in from service to service."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import unittest.mock
import urllib.error
import urllib.request

from support import environment, prometheus
from support.browser import Browser, authn_request_url, saml_response, sign_in
from support.environment import Environment, wait_until

SERVICES = ("dt-policy", "dt-ca", "dt-iwa", "dt-gateway")
PAGE = environment.ROOT / "docs/metrics.md"


def wrapped_programs(folder):
    """A copy of the programs' folder in which the services serve metrics and log every call."""
    (folder / "lib").symlink_to(environment.BIN.parent / "lib")
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for program in environment.BIN.iterdir():
        target = bin_folder / program.name
        if program.name == "dt-sim":  # It looks for the others beside itself.
            shutil.copy(program, target)
        elif program.name in SERVICES:
            target.write_text(f'#!/bin/sh\nexec "{program}" "$@" --metrics-listen 127.0.0.1:0'
                              " --log-level debug\n")
            target.chmod(0o755)
        else:
            target.symlink_to(program)
    return bin_folder


class Observed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="dt-metrics-")
        cls.addClassCleanup(folder.cleanup)
        with unittest.mock.patch.object(environment, "BIN",
                                        wrapped_programs(pathlib.Path(folder.name))):
            cls.environment = Environment("--processes")
            cls.environment.__enter__()
        cls.addClassCleanup(cls.environment.__exit__, None, None, None)
        cls.endpoints = cls.environment.endpoints
        device, user = cls.environment.device_and_user()
        app = cls.endpoints["apps"][0]
        ca = cls.environment.path_of(cls.endpoints["ca_bundle"], "ca.pem")
        browser = Browser(ca, device["cert_pem"], device["key_pem"])
        url = authn_request_url(app["sign_on_url"], app["entity_id"], "_request")
        assert saml_response(sign_in(browser, url, user)) is not None

    def address(self, service):
        ready = json.loads((self.environment.run_dir / f"{service}.ready").read_text())
        return f"http://{ready['metrics']}/metrics"

    def scrape(self, service):
        with urllib.request.urlopen(self.address(service), timeout=10) as answer:
            self.assertEqual(answer.headers["content-type"],
                             "text/plain; version=0.0.4; charset=utf-8")
            return answer.read().decode()

    def metrics(self, service):
        return prometheus.parse(self.scrape(service))

    def log(self, service):
        lines = (self.environment.run_dir / f"{service}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def traces(self, service, event, **fields):
        """Trace ids of the lines of that event that have these fields."""
        return {line.get("trace_id") for line in self.log(service)
                if line["event"] == event and fields.items() <= line.items()}

    def events(self, kind):
        output = self.environment.dtctl("log", "--type", kind, "--limit", "100", "--json").stdout
        return [json.loads(line) for line in output.splitlines()]


class Metrics(Observed):
    def test_every_service_serves_the_format_and_what_the_page_lists(self):
        listed = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.M))
        served = set()
        for service in SERVICES:
            with self.subTest(service):
                families = self.metrics(service)
                served |= families.keys()
                self.assertEqual(families["dt_build_info"].values(program=service), [1])
                self.assertGreater(families["process_resident_memory_bytes"].values()[0], 1e6)
                self.assertGreater(families["process_open_fds"].values()[0], 5)
        self.assertEqual(served, listed)

    @unittest.skipUnless(shutil.which("promtool"), "Prometheus' own tool is not installed")
    def test_promtool_finds_no_fault(self):
        for service in SERVICES:
            done = subprocess.run(["promtool", "check", "metrics"], input=self.scrape(service),
                                  text=True, capture_output=True)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""), service)

    def test_what_happened_is_counted(self):
        ca, iwa, policy, gateway = (self.metrics(name) for name in
                                    ("dt-ca", "dt-iwa", "dt-policy", "dt-gateway"))
        enrolled = sum(device["state"] == "enrolled" for device in self.endpoints["devices"])
        issued = ca["dt_ca_certificates_issued_total"].values()[0]
        self.assertGreaterEqual(issued, enrolled)
        self.assertEqual(sum(ca["dt_ca_enrollments_total"].values(result="OK")), issued)
        self.assertEqual(sum(ca["dt_ca_signatures_total"].values(of="certificate", result="OK")),
                         issued)
        self.assertGreaterEqual(sum(iwa["dt_iwa_tokens_total"].values(kind="user", result="OK")),
                                issued)
        self.assertEqual(
            sum(policy["dt_policy_enrollments_authorized_total"].values(result="OK")), issued)
        self.assertEqual(sum(policy["dt_policy_passwords_total"].values(result="OK")), 1)
        self.assertGreaterEqual(sum(policy["dt_policy_decisions_total"].values()), 1)
        self.assertGreaterEqual(sum(policy["dt_policy_device_trust_total"].values(result="OK")), 1)
        self.assertGreater(sum(gateway["dt_http_handshake_seconds"].values("_count")), 0)
        self.assertGreater(sum(policy["dt_db_commit_seconds"].values("_count")), 0)
        calls = ca["dt_rpc_server_call_seconds"].values("_count", method="Enroll")
        self.assertGreaterEqual(sum(calls), issued)

    def test_what_ends_is_told_in_time(self):
        ca, policy = self.metrics("dt-ca"), self.metrics("dt-policy")
        for families, name in ((ca, "dt_certificate_expiry_timestamp_seconds"),
                               (ca, "dt_ca_issuer_expiry_timestamp_seconds"),
                               (policy, "dt_policy_saml_key_expiry_timestamp_seconds")):
            self.assertTrue(families[name].values(), name)
            for ends in families[name].values():
                self.assertGreater(ends, 1_700_000_000)
        self.assertEqual(len(ca["dt_certificate_expiry_timestamp_seconds"].values()), 2)

    def test_no_label_names_anybody(self):
        strangers = [self.endpoints["users"][0]["name"], "S-1-5-21", "corp.test", "PC0"]
        for service in SERVICES:
            text = self.scrape(service)
            for stranger in strangers:
                self.assertNotIn(stranger, text, service)

    def test_only_get_of_the_metrics_is_served(self):
        request = urllib.request.Request(self.address("dt-ca"), method="POST", data=b"")
        for url in (self.address("dt-ca").replace("/metrics", "/"), request):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(url, timeout=10)
            self.assertIn(refused.exception.code, (404, 405))


class Traces(Observed):
    def test_an_enrollment_is_found_in_every_service_by_its_id(self):
        # Of enrollments that come together one brings its id to the org for all of them.
        asked = self.traces("dt-policy", "rpc.call", method="AuthorizeEnrollments") - {None}
        self.assertTrue(asked)
        for trace in asked:
            for service, method in (("dt-iwa", "IssueDeviceToken"), ("dt-iwa", "IssueUserToken"),
                                    ("dt-ca", "Enroll")):
                self.assertIn(trace, self.traces(service, "rpc.call", method=method))
        self.assertLessEqual(asked, self.traces("dt-ca", "pki.cert.issue"))

        def told():
            return {event["debugContext"]["debugData"].get("trace_id")
                    for event in self.events("user.credential.enroll")}
        wait_until(lambda: asked <= told(), 10, "the System Log has the enrollments' events")

    def test_a_sign_in_is_found_in_gateway_and_org_by_its_id(self):
        requests = self.traces("dt-gateway", "http.request", listener="org")
        for method in ("StartSession", "Evaluate"):
            traces = self.traces("dt-policy", "rpc.call", method=method)
            self.assertTrue(traces)
            self.assertLessEqual(traces, requests)

        def told():
            return {event["debugContext"]["debugData"].get("trace_id")
                    for event in self.events("policy.evaluate_sign_on")}
        decided = self.traces("dt-policy", "rpc.call", method="Evaluate")
        wait_until(lambda: decided <= told(), 10, "the System Log has the decisions' events")


if __name__ == "__main__":
    unittest.main()
