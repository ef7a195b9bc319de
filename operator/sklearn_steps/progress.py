"""How far a search is, as a small document in the attempt's folder that is replaced while trials run.

Invariant: at most one write every five seconds, the newest state only, by a thread of its own: a store that is slow or
away costs the search nothing.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from sklearn_steps import contract, contract_tuning, errors

EVERY_SECONDS = 5.0
#: A search that ends sooner has a result soon enough.
FIRST_SECONDS = 1.0
_FAREWELL_SECONDS = 10.0


@contextlib.contextmanager
def reported(config: contract.RunConfig, put: Callable[[bytes], object]) -> Iterator[contract_tuning.Tell]:
    """Within, what is told is written by ``put`` in due time."""
    reporter = _Reporter(config, put)
    thread = threading.Thread(target=reporter.run, name="progress", daemon=True)
    thread.start()
    try:
        yield reporter.tell
    finally:
        reporter.stop()
        thread.join(_FAREWELL_SECONDS)


class _Reporter:
    def __init__(self, config: contract.RunConfig, put: Callable[[bytes], object]) -> None:
        self._config = config
        self._put = put
        self._state: contract_tuning.SearchState | None = None
        self._stopped = threading.Event()

    def tell(self, state: contract_tuning.SearchState) -> None:
        self._state = state  # one reference: whoever reads it has a whole state

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        written: contract_tuning.SearchState | None = None
        pause = FIRST_SECONDS
        while not self._stopped.wait(pause):
            state = self._state
            if state is not None and state is not written:
                self._write(state)
                written = state
            pause = EVERY_SECONDS if written is not None else FIRST_SECONDS

    def _write(self, state: contract_tuning.SearchState) -> None:
        config = self._config
        progress = contract_tuning.Progress(
            **state.model_dump(),
            run_id=config.run_id,
            version=config.version,
            attempt=config.attempt,
            at=datetime.now(UTC),
        )
        try:
            self._put(contract.dump(progress))
        except errors.StepError as exc:
            print(f"{contract.PROGRESS} could not be written: {exc.reason}", file=sys.stderr)
