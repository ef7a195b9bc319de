"""Leadership by a Lease: whatever the network and the scheduler do, never two holders, and always one again."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_operator.runtime import election

TERMS = election.Terms(15.0)
WALKS, TURNS = 300, 200


@dataclass
class Server:
    """The API server's part: one object, compared by revision."""

    lease: election.Record | None = None
    revisions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def carry_out(self, request: election.Read | election.Write) -> election.Record | election.Failure | None:
        if isinstance(request, election.Read):
            return self.lease
        if request.record.revision != (self.lease.revision if self.lease is not None else ""):
            return election.Failure.CONFLICT
        self.lease = replace(request.record, revision=str(next(self.revisions)))
        return self.lease


@dataclass
class Process:
    """A candidate on a machine whose clock has its own zero."""

    name: str
    ahead: float
    sent: election.Read | election.Write | None = None
    answer: election.Record | election.Failure | None = None
    carried_out: bool = False

    def __post_init__(self) -> None:
        self.candidate = election.Candidate(self.name, TERMS)

    def holds(self, time: float) -> bool:
        return self.candidate.holds(time + self.ahead)


@dataclass
class World:
    """``astray``: requests that nobody waits for any more, and that may arrive all the same."""

    processes: list[Process]
    server: Server = field(default_factory=Server)
    time: float = 0.0
    astray: list[election.Read | election.Write] = field(default_factory=list)
    names: itertools.count[int] = field(default_factory=itertools.count)

    def step(self, index: int, what: str, passed: float) -> None:
        self.time += passed
        process = self.processes[index % len(self.processes)]
        getattr(self, f"_{what}")(process)
        assert len([one for one in self.processes if one.holds(self.time)]) <= 1

    def _advance(self, process: Process) -> None:
        if process.sent is None:
            self._send(process)
        elif process.carried_out:
            self._answer(process)
        else:
            self._carry_out(process)

    def _idle(self, process: Process) -> None:
        return None

    def _send(self, process: Process) -> None:
        if process.sent is None:
            process.sent, process.carried_out = process.candidate.next(self.time + process.ahead), False

    def _carry_out(self, process: Process) -> None:
        if process.sent is not None and not process.carried_out:
            process.answer, process.carried_out = self.server.carry_out(process.sent), True

    def _answer(self, process: Process) -> None:
        if process.sent is not None and process.carried_out:
            process.candidate.answered(process.sent, process.answer, self.time + process.ahead)
            process.sent = None

    def _give_up(self, process: Process) -> None:
        if process.sent is not None:
            if not process.carried_out:
                self.astray.append(process.sent)
            process.candidate.answered(process.sent, election.Failure.UNCLEAR, self.time + process.ahead)
            process.sent = None

    def _arrive(self, process: Process) -> None:
        if self.astray:
            self.server.carry_out(self.astray.pop(0))

    def _resign(self, process: Process) -> None:
        self._give_up(process)
        if process.candidate.resign() and (write := process.candidate.freeing(self.time + process.ahead)):
            self.server.carry_out(write)
        self._start_anew(process)

    def _start_anew(self, process: Process) -> None:
        """As after a crash: what was sent is on its way."""
        if process.sent is not None and not process.carried_out:
            self.astray.append(process.sent)
        self.processes[self.processes.index(process)] = Process(f"{process.name}'", process.ahead)

    def turn(self, process: Process, passed: float) -> None:
        """One undisturbed request."""
        self.step(self.processes.index(process), "send", passed)
        for what in ("carry_out", "answer"):
            self.step(self.processes.index(process), what, 0.05)


#: About as long as what they may break: a look, a renewal, the deadline, the whole duration.
PAUSES = (0.05, 1.0, 3.0, 9.9, 10.1, 15.1)
TROUBLES = ("give_up", "arrive", "resign", "start_anew")


def walk(world: World, choose: random.Random, turns: int) -> None:
    """Now this process gets on, now that one, some steps at a time; in between time passes, or something breaks."""
    for _ in range(turns):
        index = choose.randrange(len(world.processes))
        if choose.random() < 0.05:
            world.step(index, choose.choice(TROUBLES), 0.0)
        for _ in range(choose.randint(1, 6)):
            world.step(index, "advance", 0.0)
        if choose.random() < 0.4:
            world.step(index, "idle", choose.choice(PAUSES))


@given(st.integers(0, 2**32), st.integers(2, 3))
@settings(max_examples=WALKS, deadline=None, derandomize=True)
def test_there_are_never_two_holders(seed: int, processes: int) -> None:
    """Random walks, each of them long: what breaks an election takes several things in a row."""
    choose = random.Random(seed)
    zeros = [choose.uniform(-1e6, 1e6) for _ in range(processes)]
    world = World([Process(f"p{number}", ahead) for number, ahead in enumerate(zeros)])
    walk(world, choose, TURNS)
    for other in range(1, processes):
        world.step(other, "start_anew", 0.0)
    survivor = world.processes[0]
    survivor.sent = None
    for _ in range(60):
        if survivor.candidate.lost_to is not None:
            survivor = world.processes[0] = Process("new", survivor.ahead)
        world.turn(survivor, survivor.candidate.pause(world.time + survivor.ahead))
        if survivor.holds(world.time):
            return
    raise AssertionError("nobody leads, and the others are gone")


def two() -> tuple[World, Process, Process]:
    first, second = Process("first", 0.0), Process("second", 500.0)
    world = World([first, second])
    world.turn(first, 0)
    world.turn(first, 0)
    assert first.holds(world.time)
    return world, first, second


def test_the_other_one_waits_as_long_as_renewals_come() -> None:
    world, first, second = two()
    for _ in range(100):
        world.turn(first, TERMS.renewal)
        world.turn(second, TERMS.poll)
        assert first.holds(world.time)


def test_a_lease_given_back_is_taken_at_the_next_look() -> None:
    world, first, second = two()
    world.turn(second, 0)
    assert first.candidate.resign()
    assert not first.holds(world.time)
    write = first.candidate.freeing(world.time)
    assert write is not None
    world.server.carry_out(write)
    world.turn(second, TERMS.poll)
    assert second.candidate.pause(world.time + second.ahead) == 0
    world.turn(second, 0)
    assert second.holds(world.time)
    assert world.server.lease is not None and world.server.lease.transitions == 1


def test_an_outage_that_stops_the_holder_is_over_with_its_next_renewal_when_nobody_came() -> None:
    world, first, _ = two()
    world.step(0, "send", TERMS.renewal)
    world.step(0, "give_up", 300)
    assert not first.holds(world.time) and first.candidate.elected
    world.turn(first, TERMS.poll)
    world.turn(first, first.candidate.pause(world.time))
    assert first.holds(world.time)


def test_whoever_was_replaced_says_by_whom() -> None:
    world, first, second = two()
    world.turn(second, 0)
    world.turn(second, TERMS.duration)
    world.turn(second, second.candidate.pause(world.time + second.ahead))
    assert second.holds(world.time) and not first.holds(world.time)
    world.turn(first, 0)  # the renewal that it was about to send
    world.turn(first, 0)
    assert first.candidate.lost_to == "second"


def test_a_lease_that_says_longer_is_waited_for_longer() -> None:
    world, _, second = two()
    assert world.server.lease is not None
    world.server.lease = replace(world.server.lease, duration=60.0)
    world.turn(second, 0)
    world.turn(second, 30)
    assert isinstance(second.candidate.next(world.time + second.ahead), election.Read)
    world.turn(second, 31)
    assert isinstance(second.candidate.next(world.time + second.ahead), election.Write)
