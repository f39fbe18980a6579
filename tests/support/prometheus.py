"""A strict reader of Prometheus' text format 0.0.4, for tests: it takes nothing that the format
does not allow (https://prometheus.io/docs/instrumenting/exposition_formats)."""
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HELP = re.compile(rf"# HELP ({NAME}) ((?:[^\\\n]|\\\\|\\n)*)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")


class Family:
    def __init__(self, name, text):
        self.name, self.help = name, text
        self.kind = None
        self.samples = {}  # (suffix, labels as a sorted tuple) -> value

    def values(self, suffix="", **labels):
        """Values of the samples that have at least these labels."""
        return [value for (its_suffix, its_labels), value in self.samples.items()
                if its_suffix == suffix and set(labels.items()) <= set(its_labels)]


def number(text):
    if text in ("+Inf", "-Inf", "NaN"):
        return float(text.replace("Inf", "inf"))
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text), f"no number: {text}"
    return float(text)


def labels_of(text):
    found, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"labels: {text}"
        found.append(match.groups())
        at = match.end()
        if at < len(text):
            assert text[at] == ",", f"labels: {text}"
            at += 1
            assert at < len(text), f"a comma without a label behind it: {text}"
    names = [name for name, _ in found]
    assert len(names) == len(set(names)), f"a label twice: {text}"
    return tuple(sorted(found))


def check_histogram(family):
    series = {}
    for (suffix, labels), value in family.samples.items():
        rest = tuple(label for label in labels if label[0] != "le")
        bounds = [each[1] for each in labels if each[0] == "le"]
        assert len(bounds) == (1 if suffix == "_bucket" else 0), f"{family.name}{suffix}: le"
        if suffix == "_bucket":
            series.setdefault(rest, []).append((number(bounds[0]), value))
    for labels, buckets in series.items():
        assert buckets == sorted(buckets), f"{family.name}: buckets grow in bound and count"
        assert math.isinf(buckets[-1][0]), f"{family.name}: no +Inf"
        assert family.samples[("_count", labels)] == buckets[-1][1], f"{family.name}: _count"
        assert family.samples[("_sum", labels)] >= 0, f"{family.name}: _sum"


def parse(text):
    """name -> Family. AssertionError: not in the format."""
    assert text.endswith("\n"), "the last line has no end"
    families, current = {}, None
    for line in text[:-1].split("\n"):
        if match := HELP.fullmatch(line):
            assert match[1] not in families, f"{match[1]} comes twice"
            current = families[match[1]] = Family(*match.groups())
        elif match := TYPE.fullmatch(line):
            assert current and match[1] == current.name and not current.kind, line
            assert not current.samples, f"TYPE of {current.name} behind its samples"
            current.kind = match[2]
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"not in the format: {line}"
            assert current and current.kind and match[1].startswith(current.name), line
            suffix = match[1][len(current.name):]
            allowed = ("_bucket", "_sum", "_count") if current.kind == "histogram" else ("",)
            assert suffix in allowed, line
            key = (suffix, labels_of(match[2] or ""))
            assert key not in current.samples, f"twice: {line}"
            current.samples[key] = number(match[3])
            assert current.kind == "gauge" or current.samples[key] >= 0, line
    for family in families.values():
        assert family.kind, f"{family.name} has no TYPE"
        if family.kind == "histogram":
            check_histogram(family)
    return families
