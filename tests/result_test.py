"""What becomes of results: `dt-sim report`, `dt-sim compare`, `dt-sim merge`."""
import html.parser
import json
import os
import pathlib
import tempfile
import unittest

from support.environment import BIN, run

# Void elements of HTML, which have no end.
VOID = {"meta", "br"}


class Page(html.parser.HTMLParser):
    """Elements that end as they began, the text of headings, and what would ask somebody else."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.headings = []
        self.foreign = []
        self.bands = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag in {"script", "link", "iframe", "img", "object", "base", "form"}:
            self.foreign.append(tag)
        self.foreign += [name for name, _ in attrs if name in {"src", "href"} or name[:2] == "on"]
        self.bands += tag == "rect" and dict(attrs)["class"] == "band"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(f"{tag} ends inside {self.open}")

    def handle_data(self, data):
        if self.open and self.open[-1] in {"h2", "h3"}:
            self.headings.append(data)


SCENARIO = """version: 1
title: A <b>test</b>
fleet: {devices: 40, domain-joined: 75%}
apps: [mail, wiki]
rules:
  - {name: trusted, active: true, people: {everyone: true}, platforms: [PLATFORM_KIND_WINDOWS],
     trust: TRUST_CONDITION_TRUSTED, action: {access: ACCESS_ALLOWED}}
  - {name: the rest, active: true, people: {everyone: true}, action: {access: ACCESS_DENIED}}
phases:
  - {do: enroll}
  - {do: open, name: work, arrivals: {rate: 20}}
faults:
  - {slow: directory, by: 5ms, during: work, for: 1s}
thresholds: [signin.count > 0]
"""


class Results(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kept = tempfile.TemporaryDirectory(prefix="dt-it-")
        cls.addClassCleanup(cls.kept.cleanup)
        cls.folder = pathlib.Path(cls.kept.name)
        (cls.folder / "mine.yaml").write_text(SCENARIO)
        run(BIN / "dt-sim", "run", "mine.yaml", "--processes", "--json", "result.json",
            cwd=cls.folder, timeout=120)
        cls.result = json.loads((cls.folder / "result.json").read_text())

    def sim(self, *arguments, code=0):
        ended = run(BIN / "dt-sim", *arguments, cwd=self.folder, check=False)
        self.assertEqual(ended.returncode, code, ended.stdout + ended.stderr)
        return ended

    def write(self, name, **changes):
        (self.folder / name).write_text(json.dumps({**self.result, **changes}))
        return name

    def test_a_result_becomes_a_page_that_asks_nobody(self):
        self.assertIn("Report: result.html\n", self.sim("report", "result.json").stdout)
        text = (self.folder / "result.html").read_text()
        page = Page(text)
        self.assertEqual(page.open, [])
        self.assertEqual(page.foreign, [])
        self.assertGreater(page.bands, 0)
        for heading in ("Throughput", "Latency over time", "Percentiles", "Decisions by rule",
                        "The fleet", "Faults and changes", "Cost", "Thresholds"):
            self.assertIn(heading, page.headings)
        stories = " ".join(page.headings)
        self.assertIn("The slowest sign-in: ", stories)
        self.assertIn("A refused sign-in: ", stories)
        self.assertIn("A &lt;b&gt;test&lt;/b&gt;", text)
        for process in ("dt-ca", "dt-policy", "dt-gateway"):
            self.assertIn(f"<td>{process}</td>", text)
        self.assertEqual(self.sim("report", "result.json", "--out", "-").stdout, text)

    def test_what_is_no_result_is_refused_by_name(self):
        (self.folder / "none.json").write_text("{}")
        (self.folder / "half.json").write_text(json.dumps(self.result)[:-100])
        for verb in (["report"], ["merge"], ["compare", "result.json"]):
            for file, why in (("none.json", "result_version"), ("half.json", "not a whole one"),
                              ("missing.json", "cannot open")):
                refused = self.sim(*verb, file, code=2)
                self.assertIn(file, refused.stderr)
                self.assertIn(why, refused.stderr)
        before = (self.folder / "result.json").read_text()
        (self.folder / "folder").mkdir()
        refused = self.sim("report", "result.json", "--out", "folder/../result.json", code=2)
        self.assertIn("is the result itself", refused.stderr)
        self.assertEqual((self.folder / "result.json").read_text(), before)

    def test_what_is_no_file_is_never_replaced(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        (self.folder / "link").symlink_to("pipe")
        for verb in ("report", "merge"):
            for out in ("pipe", "link", "."):
                self.sim(verb, "result.json", "--out", out, code=2)
        self.assertTrue(pipe.is_fifo())
        self.assertTrue((self.folder / "link").is_symlink())

    def test_a_run_is_not_worse_than_itself(self):
        text = self.sim("compare", "result.json", "result.json").stdout
        self.assertIn("NOT WORSE", text)
        compared = json.loads(self.sim("compare", "result.json", "result.json", "--json").stdout)
        self.assertFalse(compared["worse"])
        self.assertEqual(compared["thresholds"][0]["text"], "signin.count > 0")
        for change in compared["changes"]:
            self.assertLessEqual(change["change_low"], change["change_high"])
            self.assertNotIn(change["verdict"], ("better", "worse"))

    def test_a_failure_a_loss_and_a_threshold_are_worse(self):
        self.write("failed.json", reason="dt-ca ended by itself", valid=False)
        text = self.sim("compare", "result.json", "failed.json", code=1).stdout
        self.assertIn("a run after is FAIL: dt-ca ended by itself", text)
        recording = self.result["recording"]
        self.write("idle.json", recording={**recording, "operations": []})
        self.assertIn("enroll was measured before, and not after",
                      self.sim("compare", "result.json", "idle.json", code=1).stdout)
        self.write("few.json", recording={**recording, "thresholds": [
            {"text": "signin.count > 0", "measured": "0", "holds": False}]})
        self.assertIn("after: 0 fails", self.sim("compare", "result.json", "few.json", code=1).stdout)

    def test_what_means_nothing_is_no_verdict(self):
        self.write("behind.json", valid=False, fell_behind="by 2 s")
        self.assertIn("NOTHING TO COMPARE",
                      self.sim("compare", "result.json", "behind.json", code=3).stdout)

    def test_results_of_other_scenarios_are_neither_compared_nor_added(self):
        self.write("other.json", scenario="Another")
        self.assertIn("give results of the same scenario",
                      self.sim("compare", "result.json", "other.json", code=2).stderr)
        self.assertIn("parts are of one run",
                      self.sim("merge", "result.json", "other.json", code=2).stderr)

    def test_parts_add_up_once_each_to_a_result_like_any_other(self):
        self.assertIn("is named twice",
                      self.sim("merge", "result.json", "./result.json", code=2).stderr)
        parts = [self.write(f"part-{number}.json") for number in range(7)]
        self.sim("merge", *parts, "--out", "whole.json")
        whole = json.loads((self.folder / "whole.json").read_text())
        self.assertEqual(whole["devices"], 7 * 40)
        self.assertEqual(whole["decisions"]["trusted"], 7 * self.result["decisions"]["trusted"])
        self.assertEqual(whole["enroll"]["count"], 7 * self.result["enroll"]["count"])
        self.assertEqual(len(whole["recording"]["faults"]), 1)
        self.sim("report", "whole.json")
        self.assertEqual(Page((self.folder / "whole.html").read_text()).open, [])
        self.write("behind.json", fell_behind="the generator fell behind by 2 s", valid=False)
        self.sim("merge", "result.json", "behind.json", "--out", "invalid.json", code=3)


if __name__ == "__main__":
    unittest.main()
