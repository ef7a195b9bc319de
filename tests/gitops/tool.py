"""Asks the Go program of this folder; each call answers a whole list of questions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from gitops import building

Json = dict[str, Any]


def health(script: str, objects: Iterable[Mapping[str, Any]]) -> list[Json]:
    """Status and message of each object by Argo CD's Lua."""
    return _ask("health", [{"script": script, "object": one} for one in objects])


def discovery(script: str, objects: Iterable[Mapping[str, Any]]) -> list[Json]:
    """The actions of each object, by name."""
    return _ask("discovery", [{"script": script, "object": one} for one in objects])


def action(script: str, objects: Iterable[Mapping[str, Any]]) -> list[Json]:
    """``object`` as the action leaves it, and the merge ``patch`` that is sent for it."""
    return _ask("action", [{"script": script, "object": one} for one in objects])


def kstatus(objects: Iterable[Mapping[str, Any]]) -> list[Json]:
    """Status and message of each object by kstatus."""
    return _ask("kstatus", list(objects))


def diff(schema: Mapping[str, Any], questions: Iterable[Mapping[str, Any]]) -> list[Json]:
    """Whether ``live`` is out of sync with ``config``; server-side where ``predicted`` is given."""
    return _ask("diff", {"schema": schema, "questions": list(questions)})


def _ask(verb: str, question: Any) -> list[Json]:
    done = subprocess.run(
        [str(building.binary()), verb], input=json.dumps(question), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: list[Json] = json.loads(done.stdout)
    return answers
