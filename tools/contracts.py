#!/usr/bin/env python3
"""Checks the contracts in proto/: how they are written, and that they only grow.

tools/contracts.py            check; exit code 1 when anything is found
tools/contracts.py --extend   write what was added to proto/contracts.txt; never takes a line away

How they are written: the rules of buf's category STANDARD (https://buf.build/docs/lint/rules),
and a comment on each service and rpc. That they only grow: each line of proto/contracts.txt is
a message, field, enum value, service or rpc that released programs may know, and must still be
there as it was.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PROMISED_HEAD = """\
# What proto/ promises, one line each: written by tools/contracts.py --extend, read by its check.
# A line that is here stays: programs of the release before know it.
"""
FOREIGN = ("google/",)  # Others' files, kept as they are.

# How google/protobuf/descriptor.proto numbers what is read here: (name, what is in it), and in a
# list when the field is repeated.
SOURCE_INFO = {1: [("location", {1: ("path", "numbers"), 3: ("leading", "text"),
                                 4: ("trailing", "text")})]}
ENUM = {1: ("name", "text"), 2: [("value", {1: ("name", "text"), 2: ("number", "number")})],
        3: ("options", {2: ("allow_alias", "number")})}
FIELD = {1: ("name", "text"), 3: ("number", "number"), 4: ("label", "number"),
         5: ("type", "number"), 6: ("type_name", "text"), 9: ("oneof_index", "number"),
         17: ("proto3_optional", "number")}
MESSAGE = {1: ("name", "text"), 2: [("field", FIELD)], 4: [("enum", ENUM)],
           7: ("options", {7: ("map_entry", "number")}), 8: [("oneof", {1: ("name", "text")})]}
MESSAGE[3] = [("nested", MESSAGE)]
METHOD = {1: ("name", "text"), 2: ("input", "text"), 3: ("output", "text"),
          5: ("client_streaming", "number"), 6: ("server_streaming", "number")}
FILE = {1: ("name", "text"), 2: ("package", "text"), 3: [("dependency", "text")],
        4: [("message", MESSAGE)], 5: [("enum", ENUM)],
        6: [("service", {1: ("name", "text"), 2: [("method", METHOD)]})],
        8: ("options", {1: ("java_package", "text"), 11: ("go_package", "text")}),
        9: ("source", SOURCE_INFO), 10: [("public_dependency", "number")],
        11: [("weak_dependency", "number")], 12: ("syntax", "text")}
FILES = {1: [("file", FILE)]}

TYPES = ["", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string",
         "group", "message", "bytes", "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64"]
REPEATED = 3
REQUIRED = 2


class Node(dict):
    """A decoded message; what it lacks is empty."""

    def __getattr__(self, name):
        return self.get(name, [] if name in LISTS else None)


LISTS = {"file", "dependency", "message", "enum", "service", "public_dependency",
         "weak_dependency", "field", "nested", "oneof", "value", "method", "location"}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields_of(data):
    """(number, value) of each field of a serialized message; value is bytes or int."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = 8 if key & 7 == 1 else 4
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def decode(data, shape):
    node = Node()
    for number, value in fields_of(data):
        if number not in shape:
            continue
        repeated = isinstance(shape[number], list)
        name, kind = shape[number][0] if repeated else shape[number]
        if isinstance(kind, dict):
            value = decode(value, kind)
        elif kind == "text":
            value = value.decode()
        elif kind == "numbers":  # Packed.
            numbers, at = [], 0
            while at < len(value):
                number, at = varint(value, at)
                numbers.append(number)
            value = tuple(numbers)
        elif kind == "number" and value >= 1 << 63:
            value -= 1 << 64  # int32 below zero.
        if repeated:
            node.setdefault(name, []).append(value)
        else:
            node[name] = value
    return node


def compile_contracts(proto):
    """(files, what protoc said of unused imports)"""
    names = sorted(path.relative_to(proto).as_posix() for path in proto.glob("**/*.proto"))
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(
            ["protoc", f"-I{proto}", f"--descriptor_set_out={out.name}", "--include_source_info",
             *names], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"contracts: protoc refuses proto/:\n{done.stderr}")
        files = decode(pathlib.Path(out.name).read_bytes(), FILES).file
    unused = re.findall(r"^(\S+?\.proto)(?::\d+:\d+)?: warning: Import (\S+) is unused",
                        done.stderr, re.M)
    return files, unused


LOWER_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
UPPER_SNAKE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")


def upper_snake(pascal):
    """TrustState -> TRUST_STATE, Saml2Request -> SAML2_REQUEST"""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", pascal).upper()


def messages_of(file):
    """(full name, message) of all messages, nested ones too, maps' entries left out."""
    def walk(prefix, messages):
        for message in messages:
            name = f"{prefix}.{message.name}"
            if not (message.options and message.options.map_entry):
                yield name, message
                yield from walk(name, message.nested)
    return walk(file.package, file.message)


def enums_of(file):
    for enum in file.enum:
        yield f"{file.package}.{enum.name}", enum
    for name, message in messages_of(file):
        for enum in message.enum:
            yield f"{name}.{enum.name}", enum


def package_problems(file):
    folder, _, base = file.name.rpartition("/")
    if file.syntax != "proto3":
        yield 'says no syntax = "proto3"'
    if not file.package:
        yield "has no package"
        return
    if file.package.replace(".", "/") != folder:
        yield f"is of package {file.package}, so it belongs into {file.package.replace('.', '/')}/"
    if not re.search(r"\.v[1-9][0-9]*((alpha|beta)[1-9]?[0-9]*)?$", file.package):
        yield f"package {file.package} ends in no version like .v1"
    for part in file.package.split("."):
        if not LOWER_SNAKE.fullmatch(part):
            yield f"package part {part} is not lower_snake_case"
    if not LOWER_SNAKE.fullmatch(base.removesuffix(".proto")):
        yield "file name is not lower_snake_case"
    for index in file.public_dependency:
        yield f"imports {file.dependency[index]} publicly"
    for index in file.weak_dependency:
        yield f"imports {file.dependency[index]} weakly"


def enum_problems(file):
    for full_name, enum in enums_of(file):
        name = enum.name
        if not PASCAL.fullmatch(name):
            yield f"enum {full_name} is not PascalCase"
        if enum.options and enum.options.allow_alias:
            yield f"enum {full_name} allows two names for one number"
        prefix = upper_snake(name) + "_"
        if (enum.value[0].number or 0) != 0:
            yield f"the first value of {full_name} is not 0"
        if enum.value[0].name != prefix + "UNSPECIFIED":
            yield f"the zero of {full_name} is {enum.value[0].name}, not {prefix}UNSPECIFIED"
        for value in enum.value:
            if not UPPER_SNAKE.fullmatch(value.name):
                yield f"{full_name}: {value.name} is not UPPER_SNAKE_CASE"
            if not value.name.startswith(prefix):
                yield f"{full_name}: {value.name} does not begin with {prefix}"


def message_problems(file):
    for name, message in messages_of(file):
        if not PASCAL.fullmatch(message.name):
            yield f"message {name} is not PascalCase"
        for field in message.field:
            if not LOWER_SNAKE.fullmatch(field.name):
                yield f"field {name}.{field.name} is not lower_snake_case"
            if field.label == REQUIRED:
                yield f"field {name}.{field.name} is required"
        for oneof in message.oneof:
            if not LOWER_SNAKE.fullmatch(oneof.name.removeprefix("_")):
                yield f"oneof {name}.{oneof.name} is not lower_snake_case"


def service_problems(file, commented, uses):
    for i, service in enumerate(file.service):
        if not PASCAL.fullmatch(service.name):
            yield f"service {service.name} is not PascalCase"
        if not service.name.endswith("Service"):
            yield f"service {service.name} does not end in Service"
        if (6, i) not in commented:
            yield f"service {service.name} has no comment"
        for k, method in enumerate(service.method):
            path = f"{service.name}.{method.name}"
            if not PASCAL.fullmatch(method.name):
                yield f"rpc {path} is not PascalCase"
            if (6, i, 2, k) not in commented:
                yield f"rpc {path} has no comment"
            for given, kind in ((method.input, "Request"), (method.output, "Response")):
                standard = [f".{file.package}.{middle}{method.name}{kind}"
                            for middle in ("", service.name)]
                if given not in standard:
                    yield f"rpc {path}: {given.lstrip('.')} should be {method.name}{kind}"
                elif len(uses[given]) > 1:
                    yield f"rpc {path}: {given.lstrip('.')} is also of {uses[given]}"


def cycle_problems(files):
    """A package that imports itself by way of others."""
    package = {file.name: file.package for file in files}
    imports = {}
    for file in files:
        known = {package[name] for name in file.dependency if name in package}
        imports.setdefault(file.package, set()).update(known - {file.package})

    def reaches(start, target, seen):
        return any(each == target or (each not in seen and reaches(each, target, seen | {each}))
                   for each in imports.get(start, ()))
    for name in sorted(imports):
        if reaches(name, name, {name}):
            yield f"package {name} imports itself by way of others"


def style_problems(files, unused):
    """(file, what is wrong) for each breach of the rules."""
    uses = {}
    for file in files:
        for service in file.service:
            for method in service.method:
                for name in (method.input, method.output):
                    uses.setdefault(name, []).append(f"{service.name}.{method.name}")
    for file in files:
        if file.name.startswith(FOREIGN):
            continue
        commented = {location.path for location in (file.source or Node()).location
                     if location.leading or location.trailing}
        problems = [*package_problems(file), *enum_problems(file), *message_problems(file),
                    *service_problems(file, commented, uses),
                    *(f"import {name} is unused" for where, name in unused if where == file.name)]
        yield from ((file.name, problem) for problem in problems)
    yield from (("proto", problem) for problem in cycle_problems(files))


def type_of(field, message, full_name):
    if field.type_name:
        for nested in message.nested:
            if (nested.options and nested.options.map_entry
                    and field.type_name == f".{full_name}.{nested.name}"):
                key, value = nested.field
                return f"map<{type_of(key, nested, '')}, {type_of(value, nested, '')}>"
        text = field.type_name.lstrip(".")
    else:
        text = TYPES[field.type]
    if field.proto3_optional:
        return f"optional {text}"
    if field.oneof_index is not None:
        return f"{text} in oneof {message.oneof[field.oneof_index].name}"
    return f"repeated {text}" if field.label == REPEATED else text


def lines_of(files):
    """What the contracts promise, as lines of contracts.txt."""
    for file in sorted(files, key=lambda each: each.name):
        if file.name.startswith(FOREIGN):
            continue
        for name, message in sorted(messages_of(file), key=lambda pair: pair[0]):
            yield f"message {name}"
            for field in sorted(message.field, key=lambda each: each.number):
                yield f"{name} {field.number} {field.name}: {type_of(field, message, name)}"
        for name, enum in sorted(enums_of(file), key=lambda pair: pair[0]):
            yield f"enum {name}"
            for value in sorted(enum.value, key=lambda each: each.number or 0):
                yield f"{name} {value.number or 0} {value.name}"
        for service in sorted(file.service, key=lambda each: each.name):
            name = f"{file.package}.{service.name}"
            yield f"service {name}"
            for method in service.method:
                given = "stream " * bool(method.client_streaming) + method.input.lstrip(".")
                answer = "stream " * bool(method.server_streaming) + method.output.lstrip(".")
                yield f"{name} rpc {method.name}({given}) returns ({answer})"


def promised_lines(path):
    if not path.is_file():
        return []
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def growth_problems(promised, now):
    present = set(now)
    if gone := [line for line in promised if line not in present]:
        yield (
            "these are promised to programs of the release before, and are gone or changed:\n  "
            + "\n  ".join(gone)
            + "\n  Put them back as they were, beside what is new: a name or number that means"
            "\n  something else breaks running programs silently. What nobody should use any more"
            "\n  gets [deprecated = true]; another shape is another field, rpc or package (v2).")
    known = set(promised)
    if added := [line for line in now if line not in known]:
        yield ("these are new; if they are meant to be promised, run tools/contracts.py --extend "
               "and commit proto/contracts.txt:\n  " + "\n  ".join(added))


def extend(path, now):
    promised = promised_lines(path)
    if not set(promised) <= set(now):
        print(next(growth_problems(promised, now)))
        return 1
    path.write_text(PROMISED_HEAD + "\n".join(now) + "\n")
    print(f"contracts: lines added to {path.name}: {len(now) - len(promised)}")
    return 0


def main(arguments):
    proto = pathlib.Path(arguments.pop()) if arguments and arguments[-1][0] != "-" else PROTO
    files, unused = compile_contracts(proto)
    now = list(lines_of(files))
    promised_file = proto / "contracts.txt"
    if arguments == ["--extend"]:
        return extend(promised_file, now)
    if arguments:
        print(__doc__)
        return 0 if arguments in (["--help"], ["-h"]) else 2
    found = [f"proto/{name}: {problem}" for name, problem in style_problems(files, unused)]
    found += growth_problems(promised_lines(promised_file), now)
    print("\n".join(found) or f"contracts: ok ({len(now)} promises)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
