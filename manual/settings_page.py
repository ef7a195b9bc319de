"""docs/reference/settings.md, from the settings and the ``#:`` comments that document them where they are declared.

Invariant: none is left out, and a setting without such a comment is an error.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic

from sklearn_operator.runtime import settings, tracing

_INTRODUCTION = """# Settings of the operator

Environment variables of the controller, read once at start. A wrong value ends the start with one line that names the
variable, exit code 2. The chart sets each from `settings.<name>` in camel case, with the same defaults but for two: it
logs as `json`, and its Lease has the name of the release.
"""
_TRACES = """
## Traces

OpenTelemetry's own variables say whether there are traces and where they go
([what is in them](../observability.md#traces)). The chart sets the first one from `tracing.endpoint`, and the others by
`extraEnv`. One that asks for what there is not ends the start as above. What is not here is as OpenTelemetry's SDK for
Python has it.
"""
#: Those that the operator looks at, and those that most installations need.
_OF_TRACES = {
    tracing.ENDPOINT: "Address of a collector that takes OTLP over HTTP; empty: no traces.",
    tracing.ENDPOINT_OF_TRACES: "The same for traces alone, with the whole path (`/v1/traces`); comes first.",
    "OTEL_SDK_DISABLED": "`true`: no traces, whatever else is set.",
    **{name: f"Empty or `{spoken}`; there is nothing else." for name, spoken in tracing.SPOKEN.items()},
    "OTEL_TRACES_EXPORTER": "Empty or `otlp`; `none`: no traces, whatever else is set.",
    **dict.fromkeys(tracing.HEADERS, "`name=value`, with commas, for a collector that asks who sends; from a Secret."),
    "OTEL_SERVICE_NAME": "What the sender is called; `sklearn-operator` where nothing is said.",
    "OTEL_RESOURCE_ATTRIBUTES": "What else is said of the sender: `name=value`, with commas.",
    "OTEL_TRACES_SAMPLER": "Which versions are traced, each with all its spans or none; `traceidratio` for some.",
    "OTEL_TRACES_SAMPLER_ARG": "How many: `0.1` is one in ten.",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "File with the certificate authorities for the collector.",
    "OTEL_BSP_SCHEDULE_DELAY": "Milliseconds for which spans are collected before they are sent.",
}
_FIELD = re.compile(r"    (?P<name>[a-z_0-9]+): ")
_PREFIX = "SKLEARN_OPERATOR_"


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_sections(), _TRACES, *_traces(), ""])


def _sections() -> Iterator[str]:
    fields = settings.OperatorSettings.model_fields
    about = comments()
    schema = settings.OperatorSettings.model_json_schema()["properties"]
    yield "| variable | default | |"
    yield "|---|---|---|"
    for name, field in fields.items():
        yield f"| `{_PREFIX}{name.upper()}` | {_default(name, field)} | {about[name]}{_bounds(schema[name])} |"


def _traces() -> Iterator[str]:
    yield "| variable | |"
    yield "|---|---|"
    for name, about in _OF_TRACES.items():
        yield f"| `{name}` | {about} |"


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
