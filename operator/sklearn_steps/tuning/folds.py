"""The rows that trials are fitted on and judged by: folds, or a validation part. All are of the training part.

Invariant: rows are set apart as ``data.split`` set the test part apart (shuffled or in order, stratified or not, by
group or by time), so that a trial is judged as the model will be; and the same seed sets the same rows apart.
"""

from __future__ import annotations

from typing import Any

from sklearn_steps import contract, contract_tuning, errors, parts
from sklearn_steps.tuning import trials

VALIDATION_SHARE = 0.25


def made(
    part: parts.Part, y: Any, kind: contract.EstimatorType, split: contract.Split, tuning: contract_tuning.Tuning
) -> tuple[list[trials.Fold], list[str]]:
    """The folds for the rows of the training part, one where there is a validation part, and notes."""
    count = len(part.X)
    if split.strategy == "Group":
        return _of_groups(part.groups, tuning), []
    if split.strategy == "Time":
        return _of_time(count, tuning), []
    labels = y if kind == "classifier" and y.ndim == 1 and split.stratify else None
    if tuning.cross_validation is not None:
        return _crossed(count, labels, split, tuning.cross_validation.folds, tuning.seed)
    return _held_out(count, labels, split, tuning.seed)


def _crossed(
    count: int, labels: Any, split: contract.Split, number: int, seed: int
) -> tuple[list[trials.Fold], list[str]]:
    import numpy as np
    from sklearn.model_selection import KFold, StratifiedKFold

    if count < 2 * number:
        text = f"tuning.crossValidation.folds {number}: the training part has only {count} rows"
        raise errors.UserError("TooFewRows", f"{text}; use fewer folds or more data")
    notes: list[str] = []
    if labels is not None:
        least = int(np.unique(labels, return_counts=True)[1].min())
        if least < number:
            notes.append(f"tuning: folds are not stratified, because the rarest class has {least} rows")
            labels = None
    splitter = (KFold if labels is None else StratifiedKFold)(
        number, shuffle=split.shuffle, random_state=seed if split.shuffle else None
    )
    return [trials.Fold(fit, judge) for fit, judge in splitter.split(np.empty((count, 0)), labels)], notes


def _held_out(count: int, labels: Any, split: contract.Split, seed: int) -> tuple[list[trials.Fold], list[str]]:
    import numpy as np
    from sklearn.model_selection import train_test_split

    if count < 4:
        text = f"tuning: the training part has only {count} rows, too few for a validation part"
        raise errors.UserError("TooFewRows", f"{text}; use more data")
    rows, notes = np.arange(count), list[str]()
    options = {"test_size": VALIDATION_SHARE, "shuffle": split.shuffle, "random_state": seed if split.shuffle else None}
    if labels is not None and split.shuffle:
        try:
            return [trials.Fold(*train_test_split(rows, stratify=labels, **options))], notes
        except ValueError as exc:
            first = errors.first_line(exc, 200)
            notes.append(f"tuning: the validation part is not stratified, because a class is too rare: {first}")
    return [trials.Fold(*train_test_split(rows, **options))], notes


def _of_groups(groups: Any, tuning: contract_tuning.Tuning) -> list[trials.Fold]:
    """No group is on both sides of a fold."""
    import numpy as np
    from sklearn.model_selection import GroupKFold, GroupShuffleSplit

    there, crossed = len(np.unique(groups)), tuning.cross_validation
    least = crossed.folds if crossed else 2
    if there < least:
        what = f"tuning.crossValidation.folds {least}" if crossed else "tuning"
        text = f"{what}: the training part has only {there} groups, and no group may be on both sides of a fold"
        raise errors.UserError("TooFewGroups", f"{text}; use fewer folds or more groups")
    splitter: Any = GroupShuffleSplit(1, test_size=VALIDATION_SHARE, random_state=tuning.seed)
    if crossed:
        splitter = GroupKFold(crossed.folds, shuffle=True, random_state=tuning.seed)
    return [trials.Fold(fit, judge) for fit, judge in splitter.split(np.empty((len(groups), 0)), groups=groups)]


def _of_time(count: int, tuning: contract_tuning.Tuning) -> list[trials.Fold]:
    """Every fold is judged by later rows than it is fitted on; the training part is in the order of time."""
    import numpy as np
    from sklearn.model_selection import TimeSeriesSplit, train_test_split

    crossed = tuning.cross_validation
    if count < (2 * crossed.folds if crossed else 4):
        raise errors.UserError("TooFewRows", f"tuning: the training part has only {count} rows; use more data")
    if crossed is None:
        return [trials.Fold(*train_test_split(np.arange(count), test_size=VALIDATION_SHARE, shuffle=False))]
    splitter = TimeSeriesSplit(crossed.folds)
    return [trials.Fold(fit, judge) for fit, judge in splitter.split(np.empty((count, 0)))]
