"""What the model answers to the test rows, asked once: for the pipeline's own pictures and for the card.

Invariant: the model is called at most once per method, and no picture depends on another's having been drawn.
"""

from __future__ import annotations

import functools
from typing import Any

from sklearn_steps import crossval, parts

#: Pictures of scores need no more rows than this; they are taken evenly from all over the test part.
SCORED_ROWS = 20_000


class Responses:
    """Lazily: a picture that is not drawn costs nothing."""

    def __init__(self, model: Any, part: parts.Part) -> None:
        self.model = model
        self.part = part

    @functools.cached_property
    def predicted(self) -> Any:
        """``predict`` of every test row."""
        return self.model.predict(self.part.X)

    @functools.cached_property
    def sample(self) -> Any:
        """The positions of the rows that scores are asked for."""
        import numpy as np

        count = self.part.about.test_rows
        return np.arange(count) if count <= SCORED_ROWS else np.linspace(0, count - 1, SCORED_ROWS).astype(int)

    @functools.cached_property
    def truth(self) -> Any:
        """The target of the sampled rows."""
        return self.part.y[self.sample]

    @functools.cached_property
    def probabilities(self) -> Any:
        """``predict_proba`` of the sampled rows, one column per class; None where the model gives none."""
        found = self._asked("predict_proba")
        return None if isinstance(found, list) else found

    @functools.cached_property
    def scores(self) -> Any:
        """One column per class, greater for likelier, of the sampled rows; None where the model ranks nothing."""
        if self.probabilities is not None:
            return self.probabilities
        found = self._asked("decision_function")
        if found is None or isinstance(found, list):
            return None
        if found.ndim == 1:
            import numpy as np

            return np.column_stack([-found, found])
        return found if found.shape[1] == len(self.model.classes_) else None

    @functools.cached_property
    def outlier_scores(self) -> Any:
        """``decision_function`` of an outlier detector: below 0 is an outlier; None where there is none."""
        return self._asked("decision_function")

    def _asked(self, method: str) -> Any:
        function = getattr(self.model, method, None)
        if function is None:
            return None
        X = self.part.X if len(self.sample) == self.part.about.test_rows else crossval.take(self.part.X, self.sample)
        return function(X)
