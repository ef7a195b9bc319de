"""Which rows are held back: the positions of the training and of the test rows, and what there is to say about it.

Invariant: ``Random`` is scikit-learn's own ``train_test_split`` and ``Group`` its ``GroupShuffleSplit``, on the rows in
file order, bit for bit; a test row never gets into the training part, unless the manifest says ``strategy: None``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sklearn_steps import contract, errors


class Positions(NamedTuple):
    """Of the rows, and notes."""

    train: Any
    test: Any
    notes: list[str]


ALL_ROWS = "split.strategy None: the metrics are of the very rows that it was trained on"
#: Of a model that is not there yet nobody knows whether it will be a classifier.
_MOST_CLASSES = 20


def of_classes(y: Any) -> bool:
    """Whether a target looks like classes: text, booleans, or few different whole numbers."""
    if y is None or y.ndim != 1:
        return False
    return y.dtype.kind in "OUSb" or (y.dtype.kind in "iu" and len(set(y.tolist())) <= _MOST_CLASSES)


def split(count: int, classes: Any, groups: Any, order: Any, wanted: contract.Split) -> Positions:
    """``classes``: what may be stratified by; ``groups``: codes of the groups; ``order``: sorted by time."""
    import numpy as np

    rows = np.arange(count)
    if wanted.strategy == "None":
        return Positions(rows, rows, [ALL_ROWS])
    if wanted.strategy == "Group":
        return _by_group(rows, groups, wanted)
    if wanted.strategy == "Time":
        return _by_time(order, wanted)
    return _random(rows, classes, wanted)


def _random(rows: Any, classes: Any, wanted: contract.Split) -> Positions:
    from sklearn.model_selection import train_test_split

    options = {"test_size": wanted.test_size, "shuffle": wanted.shuffle, "random_state": wanted.seed}
    labels = classes if wanted.stratify and wanted.shuffle else None
    notes: list[str] = []
    if labels is not None:
        try:
            train, test = train_test_split(rows, stratify=labels, **options)
            return Positions(train, test, notes)
        except ValueError as exc:
            why = errors.first_line(exc, 200)
            notes.append(f"split.stratify: not stratified, because a class is too rare: {why}")
    try:
        train, test = train_test_split(rows, **options)
    except ValueError as exc:
        raise _empty(wanted, f"{len(rows)} rows", "row") from exc
    return Positions(train, test, notes)


def _by_group(rows: Any, groups: Any, wanted: contract.Split) -> Positions:
    """The share is one of groups, not of rows, as in scikit-learn."""
    import numpy as np
    from sklearn.model_selection import GroupShuffleSplit

    there = len(np.unique(groups))
    if there < 2:
        text = f"data.split.groups {errors.shown(wanted.groups)}: all {len(rows)} rows are of one group"
        raise errors.UserError("OneGroup", f"{text}; name a column with several, or choose another data.split.strategy")
    splitter = GroupShuffleSplit(n_splits=1, test_size=wanted.test_size, random_state=wanted.seed)
    try:
        train, test = next(splitter.split(rows, groups=groups))
    except ValueError as exc:
        raise _empty(wanted, f"{there} groups", "group") from exc
    held = len(np.unique(groups[test]))
    note = f"split.strategy Group: the test part has {held} of {there} groups, {len(test)} of {len(rows)} rows"
    return Positions(train, test, [note])


def _by_time(order: Any, wanted: contract.Split) -> Positions:
    """``order`` is (positions sorted by time, ranks of the times in that order)."""
    positions, ranks = order
    held = _held(len(positions), wanted.test_size)
    if held >= len(positions):
        raise _empty(wanted, f"{len(positions)} rows", "row")
    notes = []
    if ranks[-held] == ranks[-held - 1]:
        same = int((ranks == ranks[-held]).sum())
        notes.append(f"split.strategy Time: {same} rows of one time lie on both sides of the split, in file order")
    return Positions(positions[:-held], positions[-held:], notes)


def _held(count: int, share: float) -> int:
    """As many as ``train_test_split`` holds back."""
    import math

    return math.ceil(share * count)


def _empty(wanted: contract.Split, of: str, what: str) -> errors.UserError:
    text = f"data.split.testSize {wanted.test_size:g}: of {of} no {what} is left for one of the two parts"
    return errors.UserError("SplitEmpty", f"{text}; use more data or another share")
