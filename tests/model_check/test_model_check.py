"""Every stage: what holds in every world that two events at any moment can lead to, and that all of them find rest.

``MODEL_CHECK_EVENTS=3`` goes deeper, for as long as that takes; what each stage has covered is printed with ``-s``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from model_check import explorer, swift
from model_check.stages import STAGES

EVENTS = int(os.environ.get("MODEL_CHECK_EVENTS", "2"))


@pytest.fixture(autouse=True)
def swiftly() -> Iterator[None]:
    with swift.remembered():
        yield


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_everything_leads_back_to_rest_and_breaks_no_rule_on_the_way(stage: explorer.Stage) -> None:
    covered = explorer.Walk(replace(stage, events=EVENTS)).run()
    print(f"{stage.name}: {covered}")
    assert covered.rests and covered.longest < explorer.CALM


@pytest.mark.parametrize("spec", ["A steps", "A knative steps"])
def test_a_rollout_in_steps_is_walked_to_its_end(spec: str) -> None:
    """Else a stage could be right because nothing happens in it."""
    walk = explorer.Walk(explorer.Stage("a rollout", spec, frozenset({"B"}), 1))
    walk.run()
    shares = walk.shares()
    assert {0, 10, 50, 100} <= shares
