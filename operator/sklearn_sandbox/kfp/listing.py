"""Lists as the server makes them: filter, sort, pages (backend/src/apiserver/list and filter, list_request_util.go).

Invariant: a page token carries sort and filter with it; sending another filter along with it is refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sklearn_sandbox.kfp import problems, requests
from sklearn_sandbox.kfp.store import Document, shown

_DEFAULT_PAGE, _LARGEST_PAGE = 20, 200
_CONTEXT = "Failed to create list options"
_VALUES = ("int_value", "long_value", "string_value", "timestamp_value", "int_values", "long_values", "string_values")
# protojson takes names and numbers of an enum; the SDK sends numbers.
_OPERATIONS: dict[Any, str] = {
    1: "EQUALS",
    2: "NOT_EQUALS",
    3: "GREATER_THAN",
    5: "GREATER_THAN_EQUALS",
    6: "LESS_THAN",
    7: "LESS_THAN_EQUALS",
    8: "IN",
    9: "IS_SUBSTRING",
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    # SQL under MySQL's default collation compares text without regard to case.
    "EQUALS": lambda have, want: _folded(have) == _folded(want),
    "NOT_EQUALS": lambda have, want: _folded(have) != _folded(want),
    "GREATER_THAN": lambda have, want: have > want,
    "GREATER_THAN_EQUALS": lambda have, want: have >= want,
    "LESS_THAN": lambda have, want: have < want,
    "LESS_THAN_EQUALS": lambda have, want: have <= want,
    "IN": lambda have, want: _folded(have) in [_folded(one) for one in want],
    "IS_SUBSTRING": lambda have, want: _folded(want) in _folded(have),
}


@dataclass(frozen=True)
class Listing:
    """One kind of list: its key in the answer, its id field, and the fields one may filter and sort by."""

    key: str
    id_field: str
    fields: Mapping[str, str]

    def page(self, rows: Iterable[Document], query: Mapping[str, str]) -> Document:
        options = self._options(query)
        kept = [row for row in rows if all(_fulfils(row, predicate) for predicate in options["predicates"])]
        field = options["field"]
        kept.sort(key=lambda row: (_comparable(row, field), row[self.id_field]), reverse=options["desc"])
        start = next((n for n, row in enumerate(kept) if row[self.id_field] == options["next"]), 0)
        if options["next"] is not None and start == 0:
            # The row that came next was deleted meanwhile: go on behind it.
            start = sum(1 for row in kept if _before(row, self.id_field, options))
        size = _page_size(query.get("page_size"))
        page, rest = kept[start : start + size], kept[start + size :]
        answer: Document = {self.key: [shown(row) for row in page], "total_size": len(kept)}
        if rest:
            following = {"next": rest[0][self.id_field], "value": _comparable(rest[0], field)}
            answer["next_page_token"] = base64.b64encode(json.dumps({**options, **following}).encode()).decode()
        return {key: value for key, value in answer.items() if value not in ([], 0)}

    def _options(self, query: Mapping[str, str]) -> dict[str, Any]:
        token = query.get("page_token")
        asked = self._asked(query)
        if not token:
            return asked
        try:
            options: dict[str, Any] = json.loads(base64.b64decode(token, validate=True))
            if not asked.keys() <= options.keys():
                raise ValueError
        except (binascii.Error, ValueError, AttributeError) as error:
            raise problems.invalid(_CONTEXT, "Invalid page token") from error
        if query.get("sort_by") or query.get("filter"):
            for name in ("field", "desc", "predicates"):
                if options[name] != asked[name]:
                    raise problems.invalid(
                        _CONTEXT, "page token does not match the supplied sort by and/or filtering criteria"
                    )
        return options

    def _asked(self, query: Mapping[str, str]) -> dict[str, Any]:
        words = query.get("sort_by", "").lower().split()
        if len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
            raise problems.invalid(_CONTEXT, f"Received invalid sort by format {query['sort_by']!r}")
        field = words[0] if words else "created_at"
        if field not in self.fields:
            raise problems.invalid(_CONTEXT, f'Invalid sorting field: "{field}"')
        predicates = self._predicates(query.get("filter", ""))
        return {"field": self.fields[field], "desc": words[1:] == ["desc"], "predicates": predicates, "next": None}

    def _predicates(self, encoded: str) -> list[list[Any]]:
        if not encoded:
            return []
        # Unescaped a second time, after HTTP's own: a plus or a percent sign in a value needs escaping twice.
        text = urllib.parse.unquote_plus(encoded)
        try:
            parsed = json.loads(text)
            return [self._predicate(requests.snake(item)) for item in parsed.get("predicates", [])]
        except (ValueError, AttributeError, TypeError) as error:
            raise problems.invalid(_CONTEXT, f"failed to parse valid filter from {encoded!r}: {error}") from error

    def _predicate(self, item: Mapping[str, Any]) -> list[Any]:
        given = [name for name in _VALUES if name in item]
        extra = set(item) - {"key", "operation", *given}
        if extra or len(given) != 1:
            raise ValueError(f"unknown field {sorted(extra)}" if extra else "exactly one value is needed")
        operation, name = item.get("operation"), given[0]
        operation = _OPERATIONS.get(operation, operation)
        value = item[name]["values"] if name.endswith("_values") else item[name]
        if operation not in _COMPARISONS or (operation == "IN") != name.endswith("_values"):
            raise problems.invalid(_CONTEXT, f"invalid predicate operation: {operation} on {name}")
        if item.get("key") not in self.fields:
            raise problems.invalid(_CONTEXT, f'no support for filtering on unrecognized field "{item.get("key")}"')
        if name == "timestamp_value":
            value = datetime.fromisoformat(value).timestamp()
        return [self.fields[item["key"]], operation, value]


def _fulfils(row: Document, predicate: list[Any]) -> bool:
    field, operation, value = predicate
    return _COMPARISONS[operation](_comparable(row, field), value)


def _comparable(row: Document, field: str) -> Any:
    value = row.get(field) or ""
    return datetime.fromisoformat(value).timestamp() if value and field.endswith("_at") else value


def _before(row: Document, id_field: str, options: Mapping[str, Any]) -> bool:
    here, there = (_comparable(row, options["field"]), row[id_field]), (options["value"], options["next"])
    return bool(here > there if options["desc"] else here < there)


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _page_size(text: str | None) -> int:
    try:
        size = int(text or 0)
    except ValueError as error:
        raise problems.invalid(_CONTEXT, f"page_size: {text}") from error
    if size < 0:
        raise problems.invalid(_CONTEXT, f"The page size should be greater than 0. Got {size}")
    return min(size or _DEFAULT_PAGE, _LARGEST_PAGE)
