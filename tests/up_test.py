"""`dt-sim up` for scripts and tools: what it leaves behind, what it answers when it is stopped, how
tools find it, and the command that it runs."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from support.environment import BIN, ROOT, Environment, run, wait_until

ANY_PORTS = ("--org-port", "0", "--mtls-port", "0")


class Tools(unittest.TestCase):
    """Two environments, whose tools must not mix them up."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="dt-it-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        before = os.environ.get("TMPDIR")
        os.environ["TMPDIR"] = cls.folder  # The state of other environments is elsewhere.
        cls.addClassCleanup(cls.restore, before)
        cls.first = Environment(devices=10)
        cls.first.__enter__()
        cls.addClassCleanup(cls.first.__exit__, None, None, None)

    @staticmethod
    def restore(before):
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before

    # Each asks for something that only a running environment knows.
    TOOLS = ((BIN / "dtctl", "explain", "ZZZZ-ZZZZ"), (BIN / "dt-sim", "explain", "ZZZZ-ZZZZ"),
             (ROOT / "tools/open-browser", "nobody"))

    def ask(self, tool, *options, **variables):
        program, *words = tool
        behind = [*words, *options] if program.name == "dt-sim" else [*options, *words]
        result = run(program, *behind, check=False, env={**os.environ, **variables})
        self.assertNotEqual(result.returncode, 0)
        return result.stderr

    def reached(self, said):
        """The tool has found an environment, which does not know what it was asked."""
        self.assertRegex(said, "ZZZZ-?ZZZZ|no user nobody|is not installed|no decision")
        self.assertNotIn("environments run", said)

    def test_the_only_one_is_found_and_of_several_one_is_chosen(self):
        for tool in self.TOOLS:
            self.reached(self.ask(tool))
        with Environment(devices=10) as second:
            for tool in self.TOOLS:
                said = self.ask(tool)
                for environment in (self.first, second):
                    self.assertIn(f"--run-dir {environment.run_dir}", said)
                self.reached(self.ask(tool, "--run-dir", second.run_dir))
                self.reached(self.ask(tool, DT_ENDPOINTS=f"{second.run_dir}/endpoints.json"))
            second.process.kill()  # No chance to say good-bye.
            second.process.wait()
            for tool in self.TOOLS:
                self.reached(self.ask(tool))

    def test_the_load_generator_takes_its_certificates(self):
        result = json.loads(run(BIN / "dt-sim", "handshake", "--run-dir", self.first.run_dir,
                                "--connections", "40", "--revoked", "10", "--json", "-").stdout)
        self.assertEqual(result["errors"], 0, result)
        self.assertEqual((result["done"], result["revoked"]), (40, 4))
        enrolled = [d for d in self.first.endpoints["devices"] if d["state"] == "enrolled"]
        self.assertEqual(result["certificates"], len(enrolled))

    def test_the_metadata_lies_in_a_file_too(self):
        path = pathlib.Path(self.first.endpoints["saml_metadata_file"])
        fetched = run("curl", "-sS", "--cacert", self.first.endpoints["ca_bundle"],
                      self.first.endpoints["saml_metadata_url"]).stdout
        self.assertEqual(path.read_text(), fetched)

    def test_devices_are_joined_to_people_by_principal(self):
        people = {user["principal"] for user in self.first.endpoints["users"]}
        for device in self.first.endpoints["devices"]:
            self.assertIn(device["principal"], people)
            self.assertEqual("computer" in device, device["kind"] == "domain-joined Windows")


class Stopping(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dt-it-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, *arguments):
        process = subprocess.Popen([BIN / "dt-sim", *map(str, arguments)], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, cwd=self.folder)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return process

    def test_a_signal_before_it_is_ready_is_no_success(self):
        ready = self.folder / "ready"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            ready.write_text("of yesterday")
            process = self.start("up", *ANY_PORTS, "--devices", "3000", "--wait-file", ready,
                                 "--run-dir", "run")
            for line in process.stdout:
                if line.startswith("start "):
                    break
            self.assertFalse(ready.exists(), "yesterday's file is still there")
            process.send_signal(number)
            self.assertEqual(process.wait(20), 128 + number)
            self.assertFalse(ready.exists())
            self.assertEqual(list((self.folder / "run").glob("**/*.key")), [])

    def test_afterwards_it_is_one_and_logs_stay_where_the_folder_was_named(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            ready = self.folder / "ready"
            process = self.start("up", *ANY_PORTS, "--devices", "10", "--wait-file", ready,
                                 "--run-dir", "run")
            wait_until(ready.exists, 60, "it is ready")
            process.send_signal(number)
            self.assertEqual(process.wait(20), 0)
            left = sorted(path.name for path in (self.folder / "run").iterdir())
            self.assertIn("dt-sim.log", left)
            self.assertTrue(all(name.endswith(".log") or name == ".dt-sim" for name in left), left)
            self.assertFalse(ready.exists())

    def test_keep_leaves_everything(self):
        process = self.start("up", *ANY_PORTS, "--devices", "10", "--run-dir", "run", "--keep")
        wait_until((self.folder / "run/endpoints.json").exists, 60, "it is ready")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), 0)
        self.assertTrue((self.folder / "run/endpoints.json").exists())
        self.assertTrue((self.folder / "run/pki/web-ca.pem").exists())

    def test_an_interrupted_run_says_so_in_its_result(self):
        result = self.folder / "result.json"
        result.write_text('{"valid": true}')
        process = self.start("run", "--devices", "4000", "--no-story", "--json", result)
        for line in process.stdout:
            if line.startswith("start "):
                break
        self.assertFalse(result.exists(), "yesterday's result is still there")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 128 + signal.SIGTERM)
        told = json.loads(result.read_text())
        self.assertFalse(told["valid"])
        self.assertIn("signal 15", told["reason"])

    def test_a_run_that_can_not_start_says_so_in_its_result(self):
        result = self.folder / "result.json"
        result.write_text('{"valid": true}')
        (self.folder / "thesis.tex").write_text("mine")
        refused = run(BIN / "dt-sim", "run", "--json", result, "--run-dir", self.folder, check=False)
        self.assertEqual(refused.returncode, 1)
        told = json.loads(result.read_text())
        self.assertFalse(told["valid"])
        self.assertIn("not a run's", told["reason"])

    def test_the_result_on_standard_output_is_nothing_but_json(self):
        result = run(BIN / "dt-sim", "run", "--devices", "10", "--json", "-", cwd=self.folder)
        self.assertTrue(json.loads(result.stdout)["valid"])
        self.assertIn("PASS", result.stderr)

    def test_a_command_gets_the_environment_and_its_exit_code_is_handed_on(self):
        script = f'"{BIN}/dtctl" settings > settings; test -e "$DT_ENDPOINTS" && exit 7'
        result = run(BIN / "dt-sim", "up", *ANY_PORTS, "--devices", "10", "--", "sh", "-c", script,
                     check=False, cwd=self.folder, timeout=60)
        self.assertEqual(result.returncode, 7, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertIn("in force", (self.folder / "settings").read_text())
        for *words, told in (("up", "--", "-- stands between"), ("run", "--", "true", "-- stands between"),
                             ("up", "--", "no-such-program", "-- no-such-program: there is no such"),
                             ("up", "--", "./settings", "-- ./settings: that is no program")):
            refused = run(BIN / "dt-sim", *words, check=False, cwd=self.folder)
            self.assertEqual(refused.returncode, 2, words)
            self.assertEqual(refused.stdout, "")
            self.assertIn(told, refused.stderr)


class FixedNames(unittest.TestCase):
    def test_one_name_is_enough_for_a_whole_sign_in(self):
        from support.browser import Browser, authn_request_url, saml_response, sign_in
        with Environment("--mtls-names", "fixed", devices=10) as environment:
            self.assertEqual(environment.endpoints["mtls_host_pattern"], "mtls.localhost")
            device, user = environment.device_and_user()
            browser = Browser(environment.path_of(environment.endpoints["ca_bundle"], "ca.pem"),
                              device["cert_pem"], device["key_pem"])
            app = environment.endpoints["apps"][0]
            page = sign_in(browser, authn_request_url(app["sign_on_url"], app["entity_id"], "_a"), user)
            self.assertIsNotNone(saml_response(page), page.body)


class OpenBrowser(unittest.TestCase):
    """With programs in place of Chromium, certutil, kinit and dt-agent, so without a browser."""

    def test_signals_leave_no_policy_and_no_profile(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="dt-it-"))
        self.addCleanup(shutil.rmtree, folder)
        for name, script in (("certutil", ""), ("kinit", ""), ("dt-agent", ""), ("chromium", "exec sleep 60")):
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        endpoints = folder / "endpoints.json"
        endpoints.write_text(json.dumps({
            "apps": [{"home_url": "https://apps.localhost/"}], "browser_policy": {}, "ca_bundle": "x",
            "users": [{"name": "Ada", "principal": "ada@corp.test", "password": "p", "totp_secret": ""}],
            "org_url": "https://org.localhost/",
            "kerberos": {"krb5_conf": "x", "keytabs": {"PC1$@CORP.TEST": "x"}},
            "devices": [{"user": "Ada", "computer": "PC1$", "state": "enrolled"}]}))
        temporary = folder / "tmp"
        temporary.mkdir()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = subprocess.Popen(
                [ROOT / "tools/open-browser", "--no-policy", "--endpoints", endpoints],
                env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}",
                     "TMPDIR": str(temporary), "DT_BIN": str(folder)}, stdout=subprocess.PIPE, text=True)
            for line in process.stdout:
                if line.startswith("opening"):
                    break
            wait_until(lambda: list(temporary.glob("dt-browser-*/.pki")), 20, "the store is made")
            process.send_signal(number)
            self.assertEqual(process.wait(20), 128 + number)
            process.stdout.close()
            self.assertEqual(list(temporary.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
