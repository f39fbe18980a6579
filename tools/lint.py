#!/usr/bin/env python3
"""Checks what a formatter cannot: sizes, unfinished work, wall clocks, paths of one machine.

tools/lint.py [FILE...]: the files named, else all that git tracks. Exit code 1 when anything is found.
"""
import pathlib
import re
import subprocess
import sys

FILE_LINES_MAX = 500
LINE_COLUMNS_MAX = 100
CODE = (".cc", ".h", ".proto", ".py", ".sh", ".cmake", ".txt")

# Time and randomness come in through constructors; only libs/base meets the real ones.
IMPURE = re.compile(
    r"system_clock::now|\bgetentropy\b|\bRAND_bytes\b|\bsleep_for\b|\busleep\(|"
    r"\bnanosleep\(|(?<![\w.>:])time\(nullptr\)|\bgettimeofday\b|std::random_device")
IMPURE_ALLOWED = ("libs/base/", "bench/")
# What clang's analysis does not see; tests may have one.
RAW_LOCK = re.compile(r"\bstd::(shared_|recursive_|timed_)?mutex\b|\bstd::condition_variable")
RAW_LOCK_ALLOWED = ("libs/base/mutex.h", "bench/", "tests/")
UNFINISHED = re.compile(r"\b(TODO|FIXME|HACK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(work|root|farm)/\w")
SELF = "tools/lint.py"


def tracked():
    listing = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True)
    return [name for name in listing.stdout.split("\0") if name]


def problems(name):
    path = pathlib.Path(name)
    if not path.is_file() or name == SELF or name.startswith("tests/vectors/"):
        return
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        return  # Not text.
    source = name.endswith((".cc", ".h"))
    if source and len(lines) > FILE_LINES_MAX:
        yield f"{name}: {len(lines)} lines, at most {FILE_LINES_MAX}: split it by subject"
    for number, line in enumerate(lines, 1):
        at = f"{name}:{number}"
        if UNFINISHED.search(line):
            yield f"{at}: unfinished work; finish it or file an issue"
        if MACHINE_PATH.search(line):
            yield f"{at}: a path that exists on one machine only"
        if source and len(line) > LINE_COLUMNS_MAX and "http" not in line:
            yield f"{at}: {len(line)} columns, at most {LINE_COLUMNS_MAX}"
        if source and IMPURE.search(line) and not name.startswith(IMPURE_ALLOWED):
            yield f"{at}: real time or randomness outside libs/base; take a Clock or a Random"
        if (source and RAW_LOCK.search(line) and not name.startswith(RAW_LOCK_ALLOWED)
                and not name.endswith(("_test.cc", "_fixture.h"))):
            yield f"{at}: a lock that no check looks at; take a Mutex of libs/base/mutex.h"
        if name.endswith(CODE) and line != line.rstrip():
            yield f"{at}: blanks at the end of the line"


def main():
    names = sys.argv[1:] or tracked()
    found = [problem for name in names for problem in problems(name)]
    print("\n".join(found) or f"lint: ok ({len(names)} files)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
