"""People come from the directory of the simulated domain: dt-policy and dtctl as processes."""
import json
import pathlib
import shutil
import tempfile
import unittest

from support.environment import Environment
from support.policy import Policy

PEOPLE = """
[[people]]
domain = "corp.test"
"""


class PeopleSync(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="dt-it-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.environment = Environment().__enter__()
        cls.addClassCleanup(cls.environment.__exit__, None, None, None)
        cls.policy = Policy(cls.environment, cls.folder, PEOPLE).__enter__()
        cls.addClassCleanup(cls.policy.__exit__, None, None, None)

    def test_people_are_those_of_the_directory(self):
        status = self.policy.sync()
        self.assertEqual(status["domain_controller"], "dc1.corp.test")
        imported = json.loads(self.environment.dtctl("people", "list", "--limit", "1000", "--json").stdout)
        for person in imported["users"]:
            synced = self.policy.person(person["sid"])
            self.assertEqual(synced["synced_from"], "corp.test")
            for field in ("principal", "account_name", "display_name", "email", "surname"):
                self.assertEqual(synced.get(field), person.get(field), field)
            self.assertEqual(set(synced["groups"]), {*person["groups"], "Domain Users"})

    def test_it_shows_how_far_it_is(self):
        self.policy.sync("--everybody")
        shown = self.policy.dtctl("people", "sync")
        self.assertIn("waits for its turn", shown.stdout)
        self.assertRegex(shown.stdout, r"people +\d+ active, \d+ groups")
        nothing = self.policy.dtctl("people", "sync", "--approve", "corp.test", check=False)
        self.assertEqual(nothing.returncode, 1)
        self.assertIn("no deactivations wait", nothing.stderr)
        unknown = self.policy.dtctl("people", "sync", "--approve", "none.test", check=False)
        self.assertIn("UNKNOWN_SUBJECT", unknown.stderr)
        none = self.environment.dtctl("people", "sync")
        self.assertIn("no directory keeps the people", none.stderr)
        self.assertEqual(self.environment.dtctl("people", "sync", "--run", check=False).returncode, 1)


if __name__ == "__main__":
    unittest.main()
