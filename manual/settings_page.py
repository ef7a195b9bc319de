"""docs/reference/settings.md, from the settings and the ``#:`` comments that document them where they are declared.

Invariant: none is left out, and a setting without such a comment is an error.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic

from sklearn_operator.runtime import settings

_INTRODUCTION = """# Settings of the operator

Environment variables of the controller, read once at start. A wrong value ends the start with one line that names the
variable, exit code 2. The chart sets each from `settings.<name>` in camel case, with the same defaults but for two: it
logs as `json`, and its Lease has the name of the release.
"""
_FIELD = re.compile(r"    (?P<name>[a-z_0-9]+): ")
_PREFIX = "SKLEARN_OPERATOR_"


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_sections(), ""])


def _sections() -> Iterator[str]:
    fields = settings.OperatorSettings.model_fields
    about = comments()
    schema = settings.OperatorSettings.model_json_schema()["properties"]
    yield "| variable | default | |"
    yield "|---|---|---|"
    for name, field in fields.items():
        yield f"| `{_PREFIX}{name.upper()}` | {_default(name, field)} | {about[name]}{_bounds(schema[name])} |"


def comments() -> dict[str, str]:
    """What is said about each setting."""
    found: dict[str, str] = {}
    said: list[str] = []
    for line in inspect.getsource(settings.OperatorSettings).splitlines():
        if line.startswith("    #: "):
            said.append(line.removeprefix("    #: "))
        elif (field := _FIELD.match(line)) and field["name"] in settings.OperatorSettings.model_fields:
            if not said:
                raise ValueError(f"{field['name']} has no comment: say what it is")
            found[field["name"]] = _cell(" ".join(said))
            said = []
    return found


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _default(name: str, field: Any) -> str:
    value = field.default
    if isinstance(value, pydantic.SecretStr):
        value = value.get_secret_value()
    if value == "":
        return "(empty)"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _bounds(schema: Mapping[str, Any]) -> str:
    least, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    low = f"at least {least}" if least is not None else f"above {above}" if above is not None else ""
    high = f"at most {schema['maximum']:g}" if "maximum" in schema else ""
    said = ", ".join(part for part in (low, high) if part)
    return f" ({said})" if said else ""
