"""dtctl against a running environment, as an administrator uses it."""
import json
import os
import subprocess
import unittest

from support.environment import BIN, EnvironmentTest, run


class Dtctl(EnvironmentTest):
    def test_status_and_the_refused_switch_off(self):
        status = json.loads(self.environment.dtctl("device-trust", "status", "--json").stdout)
        self.assertTrue(status["device_trust_enabled"])
        off = self.environment.dtctl("device-trust", "off", check=False)
        self.assertEqual(off.returncode, 1)
        self.assertIn("SETTING_IN_USE", off.stderr)

    def test_forced_off_warns_and_on_mends(self):
        off = self.environment.dtctl("device-trust", "off", "--force")
        self.assertIn("warning", off.stderr + off.stdout)
        self.assertIn("in force      no", off.stdout)
        on = self.environment.dtctl("device-trust", "on")
        self.assertIn("in force      yes", on.stdout)

    def test_learn_more_must_be_a_public_https_address(self):
        for bad in ("http://help.example.com/", "https://127.0.0.1/", "https://intranet/",
                    "https://org.localhost/"):
            result = self.environment.dtctl("device-trust", "on", "--learn-more-url", bad, check=False)
            self.assertEqual(result.returncode, 1, bad)
            self.assertIn("MALFORMED_REQUEST", result.stderr)

    def test_log_by_type(self):
        five = self.environment.dtctl("log", "--type", "pki.cert.issue", "--limit", "5")
        self.assertEqual(len(five.stdout.splitlines()), 5)
        self.assertIn("the newest 5; more with --limit", five.stderr)
        all_of_them = self.environment.dtctl("log", "--type", "pki.cert.issue", "--limit", "9")
        self.assertEqual(len(all_of_them.stdout.splitlines()), 9)
        self.assertEqual(all_of_them.stderr, "")
        for line in self.environment.dtctl("log", "--json", "--limit", "3").stdout.splitlines():
            self.assertIn("type", json.loads(line))

    def test_an_answer_that_can_not_be_written_is_a_failure(self):
        for verb in (["log", "--json"], ["log", "--follow"], ["device-trust", "status"], ["--help"]):
            with open("/dev/full", "w") as full:
                command = [BIN / "dtctl", "--endpoints", self.environment.run_dir / "endpoints.json",
                           *verb]
                result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True,
                                        timeout=30)
            self.assertEqual(result.returncode, 1, verb)
            self.assertIn("standard output", result.stderr)

    def test_follow_shows_what_happens_next(self):
        command = [BIN / "dtctl", "--endpoints", self.environment.run_dir / "endpoints.json", "log",
                   "--follow", "--type", "pki.cert.revoke", "--json"]
        device = [d for d in self.endpoints["devices"] if d["state"] == "enrolled"][-2]
        path = self.environment.path_of(device["cert_pem"], "followed.pem")
        serial = run("openssl", "x509", "-in", path, "-noout", "-serial").stdout.split("=")[1].strip()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
            try:
                self.environment.dtctl("revoke", "--serial", serial, "--yes")
                for line in follower.stdout:
                    if serial.lower() in line.lower():
                        break
                else:
                    self.fail("the revocation did not come by")
            finally:
                follower.terminate()

    def test_revoke_asks_and_without_a_terminal_does_nothing(self):
        device = self.environment.device("enrolled")
        user = self.environment.user(device["user"])
        result = self.environment.dtctl("revoke", "--user", user["principal"], check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("Nothing was done", result.stderr)
        self.assertIn("certificate", result.stderr)

    def test_revoke_by_user_is_idempotent(self):
        device = [d for d in self.endpoints["devices"] if d["state"] == "enrolled"][-1]
        user = self.environment.user(device["user"])
        first = json.loads(self.environment.dtctl("revoke", "--user", user["principal"], "--yes",
                                                  "--json").stdout)
        self.assertEqual(first["revoked"], 1)
        again = json.loads(self.environment.dtctl("revoke", "--user", user["principal"], "--yes",
                                                  "--json").stdout)
        self.assertEqual(again["revoked"], 0)

    def test_a_serial_may_be_written_as_openssl_does(self):
        device = [d for d in self.endpoints["devices"] if d["state"] == "enrolled"][-3]
        path = self.environment.path_of(device["cert_pem"], "colons.pem")
        text = run("openssl", "x509", "-in", path, "-noout", "-text").stdout
        serial = text.split("Serial Number:")[1].split()[0].upper()
        self.assertIn(":", serial)
        revoked = self.environment.dtctl("revoke", "--serial", serial, "--yes").stdout
        self.assertIn(serial.replace(":", "").lower(), revoked)

    def test_usage_errors_name_what_is_wrong(self):
        for arguments, named in ((["lgo", "--json"], "lgo"), (["device-trust", "onn"], "onn"),
                                 (["log", "--since", "1m", "--until", "15m"], "--since 1m")):
            result = self.environment.dtctl(*arguments, check=False)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(named, result.stderr)
        self.assertIn("device-trust", run(BIN / "dtctl", check=False).stdout)

    def test_unknown_names_say_so(self):
        for verb in (["revoke", "--user", "nobody@corp.test", "--yes"], ["explain", "ZZZZ-ZZZZ"],
                     ["revoke", "--serial", "0badc0de", "--yes"]):
            result = self.environment.dtctl(*verb, check=False)
            self.assertEqual(result.returncode, 1, verb)
            self.assertRegex(result.stderr, r"\[[A-Z_]+\]")

    def test_config_file_named_by_the_environment(self):
        config = self.environment.folder / "dtctl.toml"
        environment = {**os.environ, "DTCTL_CONFIG": str(config)}
        missing = run(BIN / "dtctl", "device-trust", "status", check=False, env=environment)
        self.assertEqual(missing.returncode, 2)
        self.assertIn(str(config), missing.stderr)
        config.write_text(f'endpoints = "{self.environment.run_dir}/endpoints.json"\n')
        status = run(BIN / "dtctl", "device-trust", "status", env=environment)
        self.assertIn("in force", status.stdout)
        config.write_text('endpoint = "typing.error"\n')
        junk = run(BIN / "dtctl", "device-trust", "status", check=False, env=environment)
        self.assertEqual(junk.returncode, 2)
        self.assertRegex(junk.stderr, r"\bendpoint\b")

    def test_no_server_is_named(self):
        arguments = ["--org-address", "127.0.0.1:1", "--ca-address", "127.0.0.1:1"]
        listener = self.endpoints["grpc"]["policy"]["internal"]
        for name, member in (("--deployment-ca", "ca_pem"), ("--cert", "cert_pem"),
                             ("--key", "key_pem")):
            arguments += [name, self.environment.path_of(listener[member], f"admin{name}.pem")]
        result = run(BIN / "dtctl", *arguments, "device-trust", "status", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("127.0.0.1:1", result.stderr)
        self.assertIn("DEPENDENCY_UNAVAILABLE", result.stderr)
        self.assertNotIn("{", result.stderr)  # No log line of a library.
        absent = run(BIN / "dtctl", *arguments[4:], "device-trust", "status", check=False)
        self.assertEqual(absent.returncode, 1)
        self.assertRegex(absent.stderr, "^dtctl: the address of the org is missing.*\n$")


if __name__ == "__main__":
    unittest.main()
