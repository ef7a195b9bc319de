"""What the operator asks of the outside systems: small Protocols, by capability.

Each has an adapter for the real system and a memory twin; one contract suite (tests/contract) runs against both.

Invariant: every method is safe to call again after a crash, and raises nothing but ``backends.errors``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sklearn_operator.core import places
from sklearn_operator.core.observed import Objection, Run, Traffic


@dataclass(frozen=True)
class ServerInfo:
    """What a pipeline server says of itself."""

    multi_user: bool
    tag: str


class PipelineBackend(Protocol):
    """Kubeflow Pipelines, as far as one run per version attempt needs it."""

    async def find_run(self, *, namespace: str, run_id: str, display_name: str) -> Run | None:
        """The run by id, else by its exact name; None only when the server denies both."""

    async def list_runs(self, *, namespace: str, run_ids: Collection[str]) -> dict[str, Run]:
        """Those of the runs that exist, by id, with one listing for all of them."""

    async def submit(
        self,
        *,
        namespace: str,
        run_id: str,
        display_name: str,
        description: str,
        pipeline: Mapping[str, Any],
        platform: Mapping[str, Any] | None,
        parameters: Mapping[str, Any],
        service_account: str | None,
    ) -> Run:
        """Creates the run with at most one POST; a run that is already there is returned instead.

        Ambiguous means that it may exist: look (``find_run``) before submitting again. Rejected means that it does not,
        and never will.
        """

    async def terminate(self, run_id: str) -> None:
        """Ends the run; done as well when it ended by itself or does not exist. A terminated run ends as FAILED."""

    async def delete(self, run_id: str) -> None:
        """Forgets the run and ends what is left of it; done as well when it does not exist."""

    async def healthy(self) -> ServerInfo:
        """Raises Transient when the server does not answer."""


class ArtifactStore(Protocol):
    """One bucket: small documents, counting and deleting. It never reads or writes a model."""

    async def read(self, uri: str) -> bytes | None:
        """The object's bytes, None when there is no such object; a missing bucket is Transient, not an answer."""

    async def count(self, root: str) -> int:
        """How many objects lie in folder ``root`` and in ``root-a<n>``, the folders of later attempts."""

    async def delete(self, root: str) -> int:
        """Deletes them and returns how many there were."""


class Stores(Protocol):
    """The stores of all models."""

    async def of(self, place: places.Place) -> ArtifactStore:
        """The store that ``place`` lies in; Transient while its Secret does not open it."""


class Prober(Protocol):
    """Asks a served model whether it is the version that it should be."""

    async def check(self, *, address: str, model: str, version: str | None, golden: bytes) -> Objection | None:
        """None when an answer of ``version`` to the first row of ``golden`` is the recorded one; else why not.

        ``version`` None: the runtime is not known to say which version answers.
        Never raises for anything that the server does.
        """

    async def traffic(self, *, address: str, model: str, version: str) -> Traffic | None:
        """What the server has counted of its requests so far; None when it does not say."""
