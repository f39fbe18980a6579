#!/usr/bin/env python3
"""Writes the files of a folder as a C++ source: asset_table.h. Deterministic.

embed_assets.py FOLDER OUTPUT.cc OUTPUT.d
"""
import gzip
import hashlib
import pathlib
import re
import sys

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def content_of(path):
    """A style sheet without comments and blanks: the sign-in's pages hold theirs uncompressed."""
    if path.suffix != ".css":
        return path.read_bytes()
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    return re.sub(r" ?([{};,]) ?", r"\1", re.sub(r"\s+", " ", text)).strip().encode()


def octets(data):
    """An array's content; a string literal has a limit in standard C++."""
    return ",".join(str(octet if octet < 128 else octet - 256) for octet in data)


def main(folder, output, depends):
    folder = pathlib.Path(folder)
    files = [path for path in folder.rglob("*") if path.suffix in TYPES]
    strange = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in TYPES]
    if strange:
        sys.exit(f"embed_assets.py: {strange[0]} is of no known type: {' '.join(TYPES)}")
    total = hashlib.sha256()
    arrays, rows = [], []
    files.sort(key=lambda path: path.relative_to(folder).as_posix())
    for number, path in enumerate(files):
        name, data = path.relative_to(folder).as_posix(), content_of(path)
        packed = gzip.compress(data, 9, mtime=0)
        total.update(f"{name}\0{len(data)}\0".encode() + data)
        for kind, content in (("kPlain", data), ("kGzip", packed)):
            arrays.append(f"constexpr char {kind}{number}[] = {{{octets(content)}}};\n")
        rows.append(f'    {{"{name}", "{TYPES[path.suffix]}", {{kPlain{number}, {len(data)}}}, '
                    f'{{kGzip{number}, {len(packed)}}}}},\n')
    pathlib.Path(output).write_text(
        '#include "simulator/gateway/assets/asset_table.h"\n'
        "namespace devicetrust::gateway {\nnamespace {\n" + "".join(arrays) +
        "constexpr Asset kTable[] = {\n" + "".join(rows) + "};\n}  // namespace\n"
        "std::span<const Asset> AssetTable() { return kTable; }\n"
        f'std::string_view AssetsHash() {{ return "{total.hexdigest()[:16]}"; }}\n'
        "}  // namespace devicetrust::gateway\n")
    # A new file changes its folder's time.
    watched = files + [folder] + [path for path in folder.rglob("*") if path.is_dir()]
    pathlib.Path(depends).write_text(f"{output}: {' '.join(map(str, watched))}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
