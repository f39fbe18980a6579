"""docs/behaviour.md and the attacks of README.md: what stands is shown by tests, and those exist."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| ([A-Z]+-\d+)[^|]*\|[^|]*\| (\S+) \|([^|]*)\|$", re.M)
ATTACK = re.compile(r"^\| (\d+): [^|]*\|[^|]*\|([^|]*)\|$", re.M)
CPP = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.M)
PYTHON = re.compile(r"^    def (test_\w+)\(", re.M)


def existing_tests():
    """`Suite.Name` of C++, `file.method` of Python."""
    found = set()
    for file in ROOT.glob("*/**/*_test.cc"):
        if "build" not in file.relative_to(ROOT).parts:
            found.update(".".join(pair) for pair in CPP.findall(file.read_text()))
    for file in (ROOT / "tests").glob("*_test.py"):
        found.update(f"{file.stem}.{name}" for name in PYTHON.findall(file.read_text()))
    found.update(file.stem for file in (ROOT / "tests/fuzz").glob("*_fuzz.cc"))
    return found


class Behaviour(unittest.TestCase):
    def setUp(self):
        self.rows = ROW.findall((ROOT / "docs/behaviour.md").read_text())

    def test_every_row_is_read(self):
        self.assertGreater(len(self.rows), 40)
        self.assertEqual({mark for _, mark, _ in self.rows}, {"✓", "◐", "·"})

    def test_what_stands_names_tests_that_exist(self):
        existing = existing_tests()
        for row, mark, shown in self.rows:
            named = re.findall(r"`([^`]+)`", shown)
            if mark == "✓":
                self.assertTrue(named, f"{row} names no test")
            for name in named:
                self.assertIn(name, existing, row)

    def test_every_attack_names_tests_that_exist(self):
        attacks = ATTACK.findall((ROOT / "tests/README.md").read_text())
        self.assertGreater(len(attacks), 15)
        existing = existing_tests()
        for attack, shown in attacks:
            named = re.findall(r"`([^`]+)`", shown)
            self.assertTrue(named, f"attack {attack} names no test")
            for name in named:
                self.assertIn(name, existing, f"attack {attack}")

    def test_what_is_planned_names_none(self):
        for row, mark, shown in self.rows:
            if mark == "·":
                self.assertEqual(shown.strip(), "", row)


if __name__ == "__main__":
    unittest.main()
