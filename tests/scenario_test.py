"""Scenario files: `dt-sim check`, `dt-sim scenarios`, and what a run makes of them."""
import json
import pathlib
import tempfile
import unittest

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


if __name__ == "__main__":
    unittest.main()
