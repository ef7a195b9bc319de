"""``python -m sklearn_operator`` is the ``sklearn-operator`` command."""

from __future__ import annotations

from sklearn_operator.cli import entry

if __name__ == "__main__":
    entry.main()
