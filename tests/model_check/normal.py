"""Worlds that behave alike are made equal: what can make no difference any more is left out of them.

Invariant: nothing that follows from a world follows otherwise from its canonical form.
"""

from __future__ import annotations

from model_check import revisions
from model_check import world as worlds
from model_check.world import Component, Memory, Row, Service, Version, World


def canonical(world: World) -> World:
    """Without the memories that can make no difference any more."""
    open_ = {one.number: worlds.attempt_of(one.status) for one in world.versions if not worlds.finished(one.status)}
    alive = {(one.version, one.attempt) for one in world.runs if one.seen and not one.over}
    names = {one.name for one in world.deployments}
    unseen = {n for n in open_ if not worlds.recorded(_of(world, n).status)}
    memory = Memory(
        tuple(sorted(one for one in set(world.memory.unsubmitted) if open_.get(one[0]) == one[1])),
        tuple(sorted(one for one in set(world.memory.ending) if one[:2] in alive)),
        None if world.memory.proven is None else tuple(one for one in world.memory.proven if one[0] in names),
    )
    return _numbered(world._replace(memory=memory, settling=tuple(sorted(unseen & set(world.settling)))))


def _of(world: World, number: int) -> Version:
    return next(one for one in world.versions if one.number == number)


def _numbered(world: World) -> World:
    """Without the revisions that nobody speaks of any more, and numbered from one."""
    service = world.service
    if service is None or not world.deployments or revisions.wanted(service.manifest) is None:
        return world
    said = service.component or Component()
    spoken = {said.created, said.latest, said.rolled, said.previous, *(row.revision for row in said.rows)}
    spoken |= {row.revision for row in service.rows} | {service.asked.rest if service.asked is not None else ""}
    made = [
        one
        for one in world.deployments
        if one.pods != "idle" or one == world.deployments[-1] or one.name.removesuffix(revisions.SUFFIX) in spoken
    ]
    known = sorted({one.name.removesuffix(revisions.SUFFIX) for one in made} | spoken - {""})
    new = {name: revisions.named(number) for number, name in enumerate(known, 1)} | {"": ""}
    if len(made) == len(world.deployments) and all(old == name for old, name in new.items()):
        return world
    return world._replace(
        deployments=tuple(
            one._replace(name=new[one.name.removesuffix(revisions.SUFFIX)] + revisions.SUFFIX) for one in made
        ),
        service=_renamed(service, new),
        memory=world.memory._replace(proven=_proven(world, new)),
    )


def _renamed(service: Service, new: dict[str, str]) -> Service:
    def rows(old: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple(row._replace(revision=new[row.revision]) for row in old)

    asked, said = service.asked, service.component
    if asked is not None:
        asked = asked._replace(rest=new[asked.rest])
    if said is not None:
        said = said._replace(created=new[said.created], latest=new[said.latest], rows=rows(said.rows))
        said = said._replace(rolled=new[said.rolled], previous=new[said.previous])
    return service._replace(asked=asked, rows=rows(service.rows), component=said)


def _proven(world: World, new: dict[str, str]) -> tuple[tuple[str, str, str], ...] | None:
    if world.memory.proven is None:
        return None
    known = [(name.removesuffix(revisions.SUFFIX), *rest) for name, *rest in world.memory.proven]
    return tuple((new[name] + revisions.SUFFIX, *rest) for name, *rest in known if name in new)  # type: ignore[misc]
