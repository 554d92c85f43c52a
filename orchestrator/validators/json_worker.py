"""Validates JSON against schemas in a process of its own, since a schema's patterns may run for ever.

Stands alone. Reads from stdin one JSON object {path: text}; prints a list of {path, rule, message}.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import islice

from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

SCHEMA_SUFFIX = ".schema.json"
MAX_ERRORS = 20


def problems(documents: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield one problem per defect. References to other documents are never fetched."""
    for path, text in documents.items():
        if not path.endswith(SCHEMA_SUFFIX):
            continue
        schema = json.loads(text)
        kind = validator_for(schema)
        try:
            kind.check_schema(schema)
        except SchemaError as error:
            yield {"path": path, "rule": "invalid-schema", "message": place(error)}
            continue
        document = path.removesuffix(SCHEMA_SUFFIX) + ".json"
        if document not in documents:
            continue
        try:
            errors = kind(schema, registry=Registry()).iter_errors(json.loads(documents[document]))
            for violation in islice(errors, MAX_ERRORS):
                yield {"path": document, "rule": "schema-violation", "message": place(violation)}
        except Unresolvable as reference:
            yield {
                "path": path,
                "rule": "unresolvable-reference",
                "message": f"cannot resolve {reference.ref}",
            }


def place(error: SchemaError | ValidationError) -> str:
    """Where in the document, and what."""
    return f"{error.json_path}: {error.message}"[:500]


if __name__ == "__main__":
    json.dump(list(problems(json.load(sys.stdin))), sys.stdout)
