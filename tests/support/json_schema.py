"""The part of JSON Schema (draft 2020-12) that docs/system-log.schema.json uses."""
import re

KNOWN = {"$schema", "$defs", "$ref", "title", "description", "type", "enum", "required", "properties",
         "additionalProperties", "items", "minItems", "minLength", "minimum", "pattern"}
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


def problems(value, schema, root=None, path="$"):
    """What is wrong with `value`, one line each."""
    root = schema if root is None else root
    if unknown := schema.keys() - KNOWN:
        raise ValueError(f"{path}: this validator does not know {unknown}")
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        yield from problems(value, root["$defs"][name], root, path)
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or isinstance(value, bool) != (kind == "boolean")):
        yield f"{path}: {value!r} is no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if len(value if isinstance(value, (str, list)) else "") < schema.get(
            "minItems" if isinstance(value, list) else "minLength", 0):
        yield f"{path}: is too short"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{path}: {value} is below {schema['minimum']}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"
    for element in value if isinstance(value, list) else []:
        yield from problems(element, schema.get("items", {}), root, f"{path}[]")
    if not isinstance(value, dict):
        return
    for name in schema.get("required", []):
        if name not in value:
            yield f"{path}: {name} is missing"
    others = schema.get("additionalProperties", {})
    for name, member in value.items():
        inner = schema.get("properties", {}).get(name, others)
        if inner is False:
            yield f"{path}: there is no {name}"
        else:
            yield from problems(member, inner, root, f"{path}.{name}")
