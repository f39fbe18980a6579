"""`dt-sim run` small: everything agrees, and the result says so. Also with the shipped
programs as processes of their own."""
import json
import pathlib
import tempfile
import unittest

from support.environment import BIN, run

FIELDS = ("enrol", "signin", "challenge", "decisions", "system_log", "resources", "seed", "valid",
          "violations")


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
        self.assertEqual(result["enrol"]["count"], 48)  # Four of five are domain-joined.
        self.assertEqual(result["system_log"]["pki.cert.issue"], 48)
        self.assertEqual(result["system_log"]["user.credential.enroll"], 48)
        for step in ("enrol", "signin", "challenge"):
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

    def test_bad_usage_is_exit_code_2(self):
        result = run(BIN / "dt-sim", "run", "--devices", "many", check=False)
        self.assertEqual(result.returncode, 2)


if __name__ == "__main__":
    unittest.main()
