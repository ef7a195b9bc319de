"""sklearn-operator: one SklearnModel manifest becomes a trained, judged, versioned and served scikit-learn model.

The rooms, from the outside in: ``cli`` > ``runtime`` (when) > ``backends`` (how) > ``core`` (what) > ``api`` (what the
user says). A room imports only from the rooms to its right; the import contracts in ``pyproject.toml`` keep it so.
"""

from __future__ import annotations

__version__ = "0.1.0"
