"""`dt-sim run` small: everything agrees, and the result says so. Also with the shipped
programs as processes of their own."""
import json
import os
import pathlib
import tempfile
import unittest

from support.environment import BIN, free_port, run

FIELDS = ("version", "started_at", "machine", "devices", "enroll", "signin", "challenge", "steps",
          "decisions", "system_log", "resources", "seed", "valid", "violations")


class Quickstart(unittest.TestCase):
    def run_small(self, *arguments):
        with tempfile.TemporaryDirectory(prefix="dt-it-") as folder:
            path = pathlib.Path(folder) / "result.json"
            output = run(BIN / "dt-sim", "run", "--devices", "60", "--seed", "11", "--json", path,
                         *arguments, timeout=120, cwd=folder).stdout
            return json.loads(path.read_text()), output

    def check(self, result):
        for field in FIELDS:
            self.assertIn(field, result)
        self.assertEqual(result["violations"], [])
        self.assertTrue(result["valid"])
        self.assertEqual(result["seed"], 11)
        self.assertEqual(result["enroll"]["count"], 48)  # Four of five are domain-joined.
        self.assertEqual(result["system_log"]["pki.cert.issue"], 48)
        self.assertEqual(result["system_log"]["user.credential.enroll"], 48)
        for step in ("enroll", "signin", "challenge"):
            self.assertEqual(result[step]["errors"], 0, step)
            self.assertGreater(result[step]["p99_ms"], 0, step)
            self.assertGreaterEqual(result[step]["p99_ms"], result[step]["p50_ms"], step)
        self.assertGreaterEqual(result["system_log"]["pki.cert.revoke"], 1)

    def test_in_one_process(self):
        result, output = self.run_small()
        self.check(result)
        self.assertIn("PASS", output)

    def test_with_processes(self):
        result, _ = self.run_small("--processes")
        self.check(result)

    def test_explains_what_it_prints(self):
        with tempfile.TemporaryDirectory(prefix="dt it ") as folder:
            output = run(BIN / "dt-sim", "run", "--devices", "20", "--no-story", "--run-dir", "old",
                         "--run-dir", "new", timeout=120, cwd=folder).stdout
            line = next(line for line in output.splitlines() if " explain " in line)
            command = line.strip().split("   ")[0]
            # The last run of this user may by then be another one.
            explained = run("sh", "-c", command, cwd=folder, env={**os.environ, "TMPDIR": folder})
            self.assertIn("DENIED by rule 4", explained.stdout)
            self.assertFalse(pathlib.Path(folder, "old").exists())

            pathlib.Path(folder, "new/endpoints.json").write_text(json.dumps(
                self.dead_environment(folder)))
            dead = run("sh", "-c", command, cwd=folder, check=False)
            self.assertEqual(dead.returncode, 1)
            self.assertIn("the environment of new does not answer", dead.stderr)

    @staticmethod
    def dead_environment(folder):
        """As one looks that was killed: the file is there, and nobody behind it."""
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=nobody", "-keyout", "key.pem", "-out", "cert.pem", cwd=folder)
        os.chmod(pathlib.Path(folder, "key.pem"), 0o600)
        return {"grpc": {name: {"internal": {
            "address": f"127.0.0.1:{free_port()}", "server_name": f"{name}.devicetrust.internal",
            "ca_pem": f"{folder}/cert.pem", "cert_pem": f"{folder}/cert.pem",
            "key_pem": f"{folder}/key.pem"}} for name in ("policy", "ca")}}

    def test_bad_usage_is_exit_code_2(self):
        for arguments in (["run", "--devices", "many"], ["run", "--seed", "-1"],
                          ["run", "--seed", str(2**64)], ["run", "--json", "/tmp"], ["rnu"],
                          ["up", "--wait-file", "/nonexistent/x"], ["up", "--ready-fd", "77"],
                          ["up", "--org-port", "99999"], ["up", "--sp-metadata", "/nonexistent"]):
            result = run(BIN / "dt-sim", *arguments, check=False)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(arguments[-1], result.stderr)
            self.assertEqual(result.stdout, "")  # Nothing was started.


if __name__ == "__main__":
    unittest.main()
