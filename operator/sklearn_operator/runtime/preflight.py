"""What can be told about the settings before anything is started.

Invariant: it reads files and changes nothing; a message names the environment variable to correct and holds no secret.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

from sklearn_operator.runtime import tracing
from sklearn_operator.runtime.settings import PREFIX, OperatorSettings, is_address

#: ``name=value,name=value``, as OTEL_EXPORTER_OTLP_HEADERS is written.
_HEADERS = re.compile(r"\s*([^=,\s]+\s*=[^,]*(,|$)\s*)*")
#: What Kubernetes adds for a Service whose name begins like ours, unless the pod says ``enableServiceLinks: false``.
_OF_SERVICES = ("_SERVICE_HOST", "_SERVICE_PORT", "_PORT")


def problems(settings: OperatorSettings) -> list[str]:
    """One line for each file that a setting names and that does not hold what it should."""
    found = []
    if settings.kfp_token_file and (why := _no_token(Path(settings.kfp_token_file))):
        found.append(f"{PREFIX}KFP_TOKEN_FILE: {settings.kfp_token_file}: {why}")
    if settings.kfp_ca_file and (why := _no_authorities(settings.kfp_ca_file)):
        found.append(f"{PREFIX}KFP_CA_FILE: {settings.kfp_ca_file}: {why}")
    if settings.kfp_ca_file and not settings.kfp_url.startswith("https://"):
        found.append(f"{PREFIX}KFP_CA_FILE: is of no use as long as {PREFIX}KFP_URL does not begin with https://")
    return found


def of_tracing(environment: Mapping[str, str]) -> list[str]:
    """One line for each of OpenTelemetry's variables that asks for what there is not, where they ask for traces."""
    if not tracing.wanted(environment):
        return []
    switch, address = tracing.endpoint(environment)
    found = []
    if not is_address(address):
        found.append(f"{switch}: must be of the form http(s)://host:port/path, without credentials, query or fragment")
    for name, spoken in tracing.SPOKEN.items():
        if environment.get(name, "") not in ("", spoken):
            found.append(f"{name}: must be {spoken} or empty, for traces are sent in no other way")
    for name in tracing.HEADERS:
        if not _HEADERS.fullmatch(environment.get(name, "")):
            found.append(f"{name}: must be of the form name=value, with commas")
    if not all(_is_there(module) for module in tracing.NEEDED):
        remedy = "install sklearn-operator[operator,tracing], or set OTEL_SDK_DISABLED=true"
        found.append(f"{switch}: asks for traces, and OpenTelemetry is not installed: {remedy}")
    return found


def strangers(environment: Mapping[str, str]) -> list[str]:
    """One line for each variable that looks like a setting and is none."""
    known = {f"{PREFIX}{name.upper()}" for name in OperatorSettings.model_fields}
    return [f"{name} is no setting{_meant(name, known)}" for name in sorted(environment) if _is_strange(name, known)]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _is_strange(name: str, known: Iterable[str]) -> bool:
    of_service = name.endswith(_OF_SERVICES) or "_PORT_" in name
    return name.startswith(PREFIX) and name not in known and not of_service


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.85)
    return f" (is {close[0]} meant?)" if close else ""


def _no_token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except OSError as error:
        return error.strerror or type(error).__name__
    except UnicodeDecodeError:
        return "holds no token"
    return "" if token and token.isascii() and token.isprintable() else "holds no token"


def _no_authorities(path: str) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return "holds no certificate authorities in PEM form"
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""
