#!/usr/bin/env python3
"""embed_scenarios.py OUTPUT FILE...: writes scenarios as a C++ table."""
import pathlib
import sys

FIRST = "quick-start"  # Of `dt-sim run` without a file.


def literal(text):
    return "\n".join('    "' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"'
                     for line in text.splitlines())


output, *files = map(pathlib.Path, sys.argv[1:])
files.sort(key=lambda file: (file.stem != FIRST, file.stem))
entries = ",\n".join(f'  {{"{file.stem}",\n{literal(file.read_text())}}}' for file in files)
output.write_text(f"""// Made by embed_scenarios.py.
#include "simulator/scenario/file/shipped_table.h"

namespace devicetrust::simulator {{
namespace {{
constexpr ShippedEntry kTable[] = {{
{entries}}};
}}  // namespace

std::span<const ShippedEntry> ShippedTable() {{ return kTable; }}

}}  // namespace devicetrust::simulator
""")
