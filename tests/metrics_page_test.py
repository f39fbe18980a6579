"""docs/metrics.md against the code: the page lists what is declared, with type and labels."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
DECLARED_IN = ("metrics.h", "process.cc")
DECLARATION = re.compile(
    r"const (?:metrics::)?(Counter|Gauge|Histogram)s k\w+\s*\((.*?)\);", re.S)
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*)\|", re.M)


def declared():
    """name -> (type, labels, help) of each metric of libraries and components."""
    found = {}
    for file in sorted(ROOT.glob("**/*")):
        path = file.relative_to(ROOT).as_posix()
        if file.name not in DECLARED_IN or path.startswith(("build/", "bench/", "tests/")):
            continue
        for kind, arguments in DECLARATION.findall(file.read_text()):
            braces = re.search(r"\{([^}]*)\}", arguments)
            labels = TEXT.findall(braces[1]) if braces else []
            texts = TEXT.findall(arguments)
            found[texts[0]] = (kind.lower(), labels, "".join(texts[1:len(texts) - len(labels)]))
    return found


class MetricsPage(unittest.TestCase):
    def test_the_page_lists_what_is_declared(self):
        page = {name: (kind, [label for label in labels.replace(" ", "").split(",") if label])
                for name, kind, labels in ROW.findall((ROOT / "docs/metrics.md").read_text())}
        code = {name: (kind, labels) for name, (kind, labels, _) in declared().items()}
        self.assertGreater(len(code), 30)
        self.assertEqual(page, code)

    def test_names_follow_prometheus(self):
        for name, (kind, labels, text) in declared().items():
            with self.subTest(name):
                self.assertTrue(name.startswith(("dt_", "process_")))
                self.assertEqual(name.endswith("_total"), kind == "counter")
                self.assertFalse(re.search("milli|micro|_ms|_us|_ns|kb|_days|_minutes", name))
                self.assertTrue(text.endswith("."), "the help is a sentence")
                for label in labels:
                    self.assertRegex(label, "^[a-z]+$")
                    self.assertNotIn(label, ("user", "device", "address", "principal", "le"))


if __name__ == "__main__":
    unittest.main()
