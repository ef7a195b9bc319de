"""Walks through every world that the events of a stage can lead to, and judges it.

Invariant: breadth-first by the number of events, so a world is expanded with all the events that may still follow it;
what systems do by themselves is followed without bound. The first complaint ends the walk with the shortest story of
events that leads to it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from model_check import acting, faults, normal, rules, sight, surroundings
from model_check import world as worlds
from model_check.acting import Pass
from model_check.surroundings import Step
from model_check.world import World
from sklearn_operator.core import actions, observed, parameters
from sklearn_operator.core import plan as planning
from sklearn_operator.core.plan import Plan
from sklearn_operator.runtime import resources

#: So many steps of everybody lead to rest from anywhere, operator first or last.
CALM = 120


class Violation(AssertionError):
    """The story of a broken rule."""


@dataclass(frozen=True)
class Stage:
    """A world to begin with (at rest, where ``settled``) and what may happen in it, ``events`` times.

    ``sick``: no pod ever comes up.
    """

    name: str
    spec: str
    menu: faults.Menu
    events: int = 2
    settled: bool = True
    sick: bool = False


@dataclass
class _Node:
    """``parent`` and ``label`` tell how it was reached; ``ahead`` and ``behind`` what comes next when all is calm."""

    world: World
    parent: int
    label: tuple[str, ...]
    ahead: int = -1
    behind: int = -1
    follows: list[int] = field(default_factory=list)
    silently: list[tuple[int, str]] = field(default_factory=list)
    asleep: bool = False
    idle: bool = True


@dataclass(frozen=True)
class Covered:
    """What a walk has seen."""

    states: int
    transitions: int
    rests: int
    longest: int
    seconds: float

    def __str__(self) -> str:
        walked = f"{self.states} states, {self.transitions} transitions, {self.rests} at rest"
        return f"{walked}, at most {self.longest} steps from rest, {self.seconds:.1f} s"


class Walk:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._catalogue = parameters.Catalogue.parse(resources.catalogue())
        self._nodes: list[_Node] = []
        self._known: dict[World, int] = {}
        self._layer: list[int] = []
        self._next: list[int] = []
        self._transitions = 0

    def run(self) -> Covered:
        began = time.process_time()
        self._reach(self._first(), -1, ("at first",), self._layer)
        for left in range(self._stage.events, -1, -1):
            for place in self._layer:  # grows while it is walked
                self._expand(place, left)
            self._layer, self._next = self._next, []
        rests = self._judge_rest()
        seconds = time.process_time() - began
        return Covered(len(self._nodes), self._transitions, len(rests), self._judge_calm(rests), seconds)

    def shares(self) -> set[int]:
        """All weights that KServe was seen to report of a candidate, 0 where there was none."""
        services = {node.world.service for node in self._nodes if node.world.service is not None}
        said = {one.said for one in services if one.said is not None}
        seen = {one.candidate[2] if one.candidate is not None else 0 for one in said}
        sharing = [one.component for one in services if one.component and surroundings.share(one) is not None]
        return seen | {row.percent for one in sharing for row in one.rows if row.newest}

    def _first(self) -> World:
        world = World(worlds.Model(self._stage.spec), sick=self._stage.sick)
        while self._stage.settled:
            seen, after = sight.observe(world)
            following = Pass(after, after).end(self._plan(seen))
            if following == world:
                following = next((normal.canonical(step.world) for step in surroundings.steps(world)), world)
            if following == world:
                break
            world = following
        return world

    def _plan(self, seen: observed.Observed) -> Plan:
        return planning.plan(seen, sight.SETTINGS, self._catalogue, worlds.NOW)

    def _reach(self, world: World, parent: int, label: tuple[str, ...], layer: list[int]) -> int:
        self._transitions += 1
        place = self._known.get(world)
        if place is None:
            place = self._known[world] = len(self._nodes)
            self._nodes.append(_Node(world, parent, label))
            layer.append(place)
            self._complain(place, rules.of_state(world))
        return place

    def _expand(self, place: int, left: int) -> None:
        node = self._nodes[place]
        try:
            passed = self._let_go(place, node) if node.world.model is None else self._operate(place, node, left)
        except acting.Broken as broken:
            self._complain(place, [f"{broken} (by what the operator does next)"])
        timers: list[int] = []
        systems: list[int] = []
        for step in surroundings.steps(node.world):
            reached = self._reach(normal.canonical(step.world), place, (step.label,), self._layer)
            (timers if step.timer else systems).append(reached)
            node.follows.append(reached)
            if step.silent:
                node.silently.append((reached, step.label))
        node.ahead = next((one for one in (passed, *systems, *timers) if one != place), place)
        node.behind = next((one for one in (*systems, passed, *timers) if one != place), place)
        for step in faults.events(node.world, self._stage.menu) if left else ():
            self._reach(normal.canonical(step.world), place, (step.label,), self._next)

    def _let_go(self, place: int, node: _Node) -> int:
        """Without a model, the operator takes its finalizer off what the garbage collector deletes."""
        world = node.world
        for version in world.versions:
            world = acting.release(world, version.name) if version.leaving else world
        node.idle = node.asleep = world == node.world
        reached = self._reach(normal.canonical(world), place, ("the operator lets go",), self._layer)
        node.follows.append(reached)
        return reached

    def _operate(self, place: int, node: _Node, left: int) -> int:
        seen, after = sight.observe(node.world)
        plan = self._plan(seen)
        self._complain(place, rules.of_plan(node.world, seen, plan))
        node.idle = plan.idle
        node.asleep = plan.idle and plan.look_again is None and not seen.unanswered
        done = _told(plan)
        pass_ = Pass(after, after, bool(seen.unanswered))
        passed = self._reach(pass_.meanwhile(after).end(plan), place, done, self._layer)
        node.follows.append(passed)
        if not plan.idle:
            for step, costs in self._interrupted(pass_, plan, left):
                self._reach(step.world, place, (*done, step.label), self._next if costs else self._layer)
        return passed

    def _interrupted(self, pass_: Pass, plan: Plan, left: int) -> Iterator[tuple[Step, bool]]:
        """What happens between the look and the last write of a pass; whether it counts as an event."""
        for count in range(len(plan.actions) + (plan.status is not None)):
            begun = pass_.meanwhile(pass_.world)
            if not begun.begin(plan, count):
                return
            for step in surroundings.steps(begun.world):
                yield Step(_before(plan, count, step.label), begun.meanwhile(step.world).end(plan, count)), False
            if not left:
                continue
            for step in faults.events(begun.world, self._stage.menu - {"die"}):
                yield Step(_before(plan, count, step.label), begun.meanwhile(step.world).end(plan, count)), True
            if count and "die" in self._stage.menu:
                dead = normal.canonical(acting.reborn(begun.world))
                yield Step(_before(plan, count, "the operator dies"), dead), True
            action = plan.actions[count] if count < len(plan.actions) else None
            if isinstance(action, actions.SubmitRun):
                for answer in sorted({"lost", "refused"} & self._stage.menu):
                    after = begun.meanwhile(begun.world).submit(action, answer)
                    yield Step(f"the answer to SubmitRun: {answer}", after), True

    def _judge_rest(self) -> list[int]:
        """Where nothing moves all has to be right; and the operator sleeps through nothing that no watch tells of."""
        rests = []
        for place, node in enumerate(self._nodes):
            if all(one == place for one in node.follows):
                rests.append(place)
                self._complain(place, rules.of_rest(node.world))
            for after, label in node.silently:
                if node.asleep and not self._nodes[after].idle:
                    complaint = "the operator has something to do, and nothing wakes it"
                    self._complain(place, [complaint], [f"  {label}"])
        return rests

    def _judge_calm(self, rests: list[int]) -> int:
        """From everywhere there is a way to rest, and everybody taking turns finds it."""
        back: list[list[int]] = [[] for _ in self._nodes]
        for place, node in enumerate(self._nodes):
            for after in node.follows:
                back[after].append(place)
        found, border = set(rests), set(rests)
        while border:
            border = {one for place in border for one in back[place]} - found
            found |= border
        lost = [place for place in range(len(self._nodes)) if place not in found]
        if lost:
            self._complain(lost[0], ["nothing leads back to rest"], self._onwards(lost[0]))
        ways = ([node.ahead for node in self._nodes], [node.behind for node in self._nodes])
        return max(self._longest(way, set(rests)) for way in ways)

    def _longest(self, way: list[int], rests: set[int]) -> int:
        steps: dict[int, int] = dict.fromkeys(rests, 0)
        for place in range(len(way)):
            walked = []
            while place not in steps:
                walked.append(place)
                if len(walked) > CALM:
                    self._complain(walked[0], ["it goes on for ever"], self._onwards(walked[0]))
                place = way[place]
            for number, one in enumerate(reversed(walked), 1):
                steps[one] = steps[place] + number
        return max(steps.values())

    def _onwards(self, place: int) -> list[str]:
        """What systems and operator do from there, until it comes again."""
        story, been = ["  and then, with no more events,"], {place}
        while (following := self._nodes[place].ahead) not in been:
            place = following
            been.add(place)
            story.append(f"  {', '.join(self._nodes[place].label)}")
        return [*story, "  and all of it again" if following != place else "  and no more"]

    def _complain(self, place: int, complaints: Iterable[str], onwards: Sequence[str] = ()) -> None:
        found = next(iter(complaints), None)
        if found is None:
            return
        story: list[str] = []
        while place >= 0:
            node = self._nodes[place]
            story.append(f"  {': '.join(node.label)}")
            place = node.parent
        lines = "\n".join([*reversed(story), *onwards])
        raise Violation(f"{self._stage.name}: {found}\n{lines}")


def _told(plan: Plan) -> tuple[str, ...]:
    done = [type(action).__name__ for action in plan.actions] + ["report"] * (plan.status is not None)
    return ("the operator", ", ".join(done) or "nothing to do")


def _before(plan: Plan, count: int, label: str) -> str:
    what = type(plan.actions[count]).__name__ if count < len(plan.actions) else "the report"
    return f"but before {what}, {label}"
