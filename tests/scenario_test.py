"""Scenario files: `dt-sim check`, `dt-sim scenarios`, and what a run makes of them."""
import json
import pathlib
import tempfile
import unittest
import xml.etree.ElementTree

from support.environment import BIN, run

SCHEMAS = pathlib.Path(__file__).parent.parent / "docs" / "schemas"


class Files(unittest.TestCase):
    def check(self, text, code):
        with tempfile.TemporaryDirectory(prefix="dt-it-") as folder:
            pathlib.Path(folder, "mine.yaml").write_text(text)
            result = run(BIN / "dt-sim", "check", "mine.yaml", cwd=folder, check=False)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def test_the_schema_is_the_one_that_ships(self):
        printed = run(BIN / "dt-sim", "scenarios", "--schema").stdout
        self.assertEqual(printed, (SCHEMAS / "scenario.schema.json").read_text())
        self.assertEqual(json.loads(printed)["required"], ["version", "title", "phases"])

    def test_all_that_ship_are_listed_printed_and_good(self):
        listed = run(BIN / "dt-sim", "scenarios").stdout.split("\n\n")[0].splitlines()
        names = [line.split()[0] for line in listed]
        self.assertEqual(names[0], "quick-start")
        for name in names:
            text = run(BIN / "dt-sim", "scenarios", name).stdout
            self.assertIn(": good. ", self.check(text, 0).stdout)

    def test_an_error_has_its_place_and_the_nearest_word(self):
        text = run(BIN / "dt-sim", "scenarios", "quick-start").stdout
        line = text.splitlines().index("thresholds:") + 1
        result = self.check(text.replace("thresholds:", "tresholds:"), 2)
        self.assertIn(f"dt-sim: mine.yaml:{line}:1: a scenario has no \"tresholds\"; did you mean "
                      "thresholds?", result.stderr)


HEAD = """version: 1
title: A test
fleet: {devices: 40, domain-joined: 75%}
apps: [mail, wiki]
rules:
  - {name: trusted, active: true, people: {everyone: true}, platforms: [PLATFORM_KIND_WINDOWS],
     trust: TRUST_CONDITION_TRUSTED, action: {access: ACCESS_ALLOWED}}
  - {name: the rest, active: true, people: {everyone: true}, action: {access: ACCESS_DENIED}}
phases:
  - {do: enroll}
"""


class Runs(unittest.TestCase):
    def run_scenario(self, text, code, *arguments):
        with tempfile.TemporaryDirectory(prefix="dt-it-") as folder:
            pathlib.Path(folder, "mine.yaml").write_text(HEAD + text)
            ended = run(BIN / "dt-sim", "run", "mine.yaml", "--json", "result.json", "--junit",
                        "junit.xml", "--markdown", "summary.md", *arguments, cwd=folder,
                        check=False, timeout=120)
            self.assertEqual(ended.returncode, code, ended.stdout + ended.stderr)
            self.junit = xml.etree.ElementTree.parse(f"{folder}/junit.xml").getroot()[0]
            self.markdown = pathlib.Path(folder, "summary.md").read_text()
            return json.loads(pathlib.Path(folder, "result.json").read_text()), ended

    def test_an_open_load_with_what_is_expected(self):
        result, _ = self.run_scenario("""
  - {do: open, name: work, arrivals: {rate: 20, ramp: 1s, poisson: true}}
expect:
  - {device: domain-joined, outcome: allowed}
  - {device: any, outcome: denied}
thresholds: [signin.success >= 100%, enroll.errors <= 0]
""", 0)
        self.assertTrue(result["valid"])
        self.assertEqual(result["decisions"]["trusted"], 60)
        self.assertEqual(result["decisions"]["the rest"], 20)
        self.assertEqual(self.junit.get("failures"), "0")
        self.assertEqual(self.junit[0].get("name"), "signin.success >= 100%")
        self.assertIn("## A test: PASS", self.markdown)

    def test_what_was_not_expected_fails_the_run(self):
        result, ended = self.run_scenario("""
  - {do: open}
expect: [{device: any, outcome: allowed}]
""", 1)
        self.assertFalse(result["valid"])
        self.assertIn("refused", " ".join(result["violations"]))
        self.assertIn("FAIL", ended.stdout)

    def test_a_threshold_that_does_not_hold_fails_the_run(self):
        result, _ = self.run_scenario("""
  - {do: open}
thresholds: [signin.p50 < 1us, signin.count > 0]
""", 1)
        self.assertEqual(len(result["violations"]), 1)
        self.assertIn("signin.p50 < 1us: ", result["violations"][0])
        self.assertEqual(self.junit.get("failures"), "1")

    def test_a_threshold_may_end_the_run(self):
        result, ended = self.run_scenario("""
  - {do: open, arrivals: {rate: 20}}
  - {do: wait, for: 1h}
thresholds: [{that: signin.p50 < 1us, abort: true}]
""", 1)
        self.assertIn("ended early", result["reason"])
        self.assertIn("How long each step took", ended.stdout)
        self.assertIn("ended      ended early, since a threshold does not hold: signin.p50 < 1us: ",
                      ended.stdout)

    def test_a_generator_that_falls_behind_says_invalid(self):
        result, ended = self.run_scenario("""
  - {do: renew, arrivals: {rate: 150}}
faults:
  - {pause: kdc, during: renew, for: 2s}
""", 3, "--devices", "300")
        self.assertIn("fell behind", result["fell_behind"])
        self.assertEqual(result["violations"], [])
        self.assertIn("INVALID", ended.stdout)

    def test_faults_come_and_end_and_invariants_hold(self):
        result, _ = self.run_scenario("""
  - {do: open, name: work, apps: [mail], arrivals: {rate: 10}}
  - {do: wait, name: quiet, for: 4s}
  - {do: open, name: later, apps: [wiki]}
faults:
  - {stop: gateway, during: work, at: 500ms, for: 500ms}
  - {pause: kdc, during: work, at: 500ms, for: 1s}
  - {slow: directory, by: 50ms, during: work, for: 1s}
  - {cut: policy, during: work, at: 1s, for: 300ms}
  - {clock: ca, by: 30s, during: work, at: 2s, for: 500ms}
  - {read-only: true, during: quiet, for: 200ms}
  - {revoke: 3, during: quiet}
expect:
  - {device: revoked, outcome: denied}
  - {device: domain-joined, outcome: allowed}
  - {device: any, outcome: denied}
""", 0)
        self.assertEqual(len(result["recording"]["faults"]), 7)
        self.assertEqual(result["system_log"]["pki.cert.revoke"], 3)

    def test_a_fault_that_never_came_is_told(self):
        result, _ = self.run_scenario("""
faults: [{stop: iwa, at: 1h, for: 1s}]
""", 1)
        self.assertIn('the fault "stop iwa" never came: the phase "enroll" was over after ',
                      result["violations"][0])

    def test_what_needs_processes_says_so_before_anything_starts(self):
        with tempfile.TemporaryDirectory(prefix="dt-it-") as folder:
            pathlib.Path(folder, "mine.yaml").write_text(
                HEAD + "faults: [{pause: ca, for: 1s}]\n")
            ended = run(BIN / "dt-sim", "run", "mine.yaml", cwd=folder, check=False)
        self.assertEqual(ended.returncode, 2)
        self.assertIn("mine.yaml:11:10: ca can't be paused: it runs inside dt-sim", ended.stderr)


if __name__ == "__main__":
    unittest.main()
