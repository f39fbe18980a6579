"""docs/system-log.md: each type of event that the code writes is explained, with an example that
meets the schema, and the document's own proof holds for an export."""
import json
import pathlib
import re
import unittest

from support import json_schema

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/system-log.md").read_text()
SCHEMA = json.loads((ROOT / "docs/system-log.schema.json").read_text())
# How the org and the CA name the type of an event that they write.
WRITTEN = (re.compile(r'(?:EventBuilder|AdminEvent|UserEvent|LogEvent)\w*(?:\s+\w+)?\(\s*(?:\w+ \?\s*)?"([a-z_]+\.[a-z_.]+)"(?:\s*:\s*"([a-z_]+\.[a-z_.]+)")?'),
           re.compile(r'k\w+Event\[\] = "([a-z._]+)"'))
FOLDERS = ("policy-engine", "ca-service", "iwa", "simulator/gateway")


def written_types():
    types = set()
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.[ch]*"):
            if file.name.endswith(("_test.cc", "_fixture.h")):
                continue
            text = file.read_text()
            for pattern in WRITTEN:
                for match in pattern.finditer(text):
                    types.update(name for name in match.groups() if name)
    return types


def examples():
    return [json.loads(text) for text in re.findall(r"^```json\n(.+?)\n```$", PAGE, re.M | re.S)]


class SystemLogPage(unittest.TestCase):
    def test_every_type_is_explained_with_an_example(self):
        written = written_types()
        self.assertGreater(len(written), 20)
        explained = set(re.findall(r"^`([a-z._]+)`: ", PAGE, re.M))
        self.assertEqual(written, explained)
        self.assertEqual(explained, {example["eventType"] for example in examples()})
        known = (ROOT / "libs/eventlog/event_types.h").read_text()
        self.assertEqual(explained, set(re.findall(r'^    "([a-z._]+)",$', known, re.M)))

    def test_examples_meet_the_schema(self):
        for example in examples():
            self.assertEqual(list(json_schema.problems(example, SCHEMA)), [], example["eventType"])

    def test_the_schema_refuses_what_is_no_event(self):
        example = examples()[0]
        for change in ({"sequence": "1"}, {"published": "yesterday"}, {"extra": 1},
                       {"outcome": {"result": "MAYBE"}}, {"actor": {"id": ""}}, {"target": {}},
                       {"client": {}}, {"chain": {"hash": "00"}}):
            self.assertTrue(list(json_schema.problems({**example, **change}, SCHEMA)), change)
        del example["uuid"]
        self.assertEqual(list(json_schema.problems(example, SCHEMA)), ["$: uuid is missing"])


if __name__ == "__main__":
    unittest.main()
