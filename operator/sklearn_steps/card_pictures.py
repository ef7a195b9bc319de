"""The card's pictures, each with its title, its words and its legend.

Invariant: what is drawn is in the figures; a picture decides nothing but how they look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn_steps import card_words, charts, curves, importance, insights, parts

_HIGHLIGHTED = 3


def of_answers(seen: insights.Insights, drawn: curves.Curves, about: parts.About) -> list[dict[str, Any]]:
    """The pictures of the kind of model, each with its title, words and legend."""
    found: list[dict[str, Any]] = []
    if seen.roc:
        found.append(_lines(seen.roc, "ROC curve", "False positive rate", "True positive rate", "the area"))
        found.append(_lines(seen.recall, "Precision and recall", "Recall", "Precision", "average precision"))
    if seen.calibration:
        found.append(_calibration(seen, drawn))
    for target in seen.targets:
        found += [_scatter(target, len(seen.targets) > 1), _spread(target, len(seen.targets) > 1)]
    if seen.clusters:
        rows = [(f"cluster {name}" if name != "noise" else name, float(count), 0.0) for name, count in seen.clusters]
        svg = charts.ranked(rows, "Sizes of the clusters")
        found.append({"title": "Sizes of the clusters", "svg": svg, "words": "Test rows per cluster.", "wide": True})
    if seen.score_counts:
        found.append(_outliers(seen, about))
    return found


def _lines(lines: Sequence[insights.Line], title: str, x: str, y: str, what: str) -> dict[str, Any]:
    """Few classes: all in colour. Many: the weakest in colour, the others as a grey crowd behind."""
    plot = charts.Plot(charts.Axis(0, 1, x), charts.Axis(0, 1, y), title)
    weakest = sorted(lines, key=lambda line: line.figure)[:_HIGHLIGHTED]
    crowd = [line for line in lines if line not in weakest] if len(lines) > _HIGHLIGHTED + 1 else []
    shown = weakest if crowd else list(lines)
    if title.startswith("ROC"):
        plot.diagonal()
    for line in crowd:
        plot.line(line.points, "quiet")
    legend = []
    for place, line in enumerate(shown):
        plot.line(line.points, "abcd"[place])
        legend.append(("abcd"[place], charts.named(line.name, 24), card_words.figure(line.figure)))
    if crowd:
        best, worst = max(line.figure for line in crowd), min(line.figure for line in crowd)
        names = f"{len(crowd)} other classes"
        legend.append(("quiet", names, f"{card_words.figure(worst)} to {card_words.figure(best)}"))
    who = (
        f"{charts.named(lines[0].name, 24)} counts as positive" if len(lines) == 1 else "each class against the others"
    )
    words = f"{who[0].upper()}{who[1:]}, with {what}."
    return {"title": title, "svg": plot.svg(), "words": words, "legend": legend}


def _calibration(seen: insights.Insights, drawn: curves.Curves) -> dict[str, Any]:
    plot = charts.Plot(
        charts.Axis(0, 1, "Predicted probability"), charts.Axis(0, 1, "Share that was so"), "Calibration"
    )
    plot.diagonal()
    most = max(one.rows for one in seen.calibration)
    points = [(one.predicted, one.observed) for one in seen.calibration]
    plot.line(points, "a")
    for one in seen.calibration:
        plot.dots([(one.predicted, one.observed)], "a", 2.5 + 4.5 * (one.rows / most) ** 0.5)
    binary = len(drawn.classes) == 2
    whom = charts.named(drawn.classes[1], 24) if binary else "the predicted class"
    words = (
        f"Of the rows for which {whom} had this probability, how many were it; on the diagonal both agree. "
        f"Larger dots are more rows. Expected calibration error {card_words.figure(seen.calibration_error)}."
    )
    return {"title": "Calibration", "svg": plot.svg(), "words": words}


def _scatter(target: insights.Target, several: bool) -> dict[str, Any]:
    values = [value for point in target.points for value in point]
    axis = charts.Axis.around(values)
    plot = charts.Plot(
        charts.Axis(axis.low, axis.high, "Predicted"), charts.Axis(axis.low, axis.high, "True"), "True over predicted"
    )
    plot.dots(target.points, "a soft")
    plot.diagonal()
    title = f"Predicted and true{f': {charts.named(target.name, 30)}' if several else ''}"
    return {
        "title": title,
        "svg": plot.svg(),
        "words": "One dot per test row; on the diagonal the prediction is right.",
    }


def _spread(target: insights.Target, several: bool) -> dict[str, Any]:
    x = charts.Axis(target.edges[0], target.edges[-1], "True minus predicted")
    plot = charts.Plot(x, charts.Axis(0, max(target.counts) * 1.08, "Test rows"), "Residuals")
    plot.bars(target.edges, target.counts, "a")
    plot.upright(0.0)
    words = (
        f"Root mean squared error {card_words.figure(target.rmse)}, mean {card_words.figure(target.bias)}. "
        f"The target itself has a standard deviation of {card_words.figure(target.spread)}."
    )
    title = f"Residuals{f': {charts.named(target.name, 30)}' if several else ''}"
    return {"title": title, "svg": plot.svg(), "words": words}


def _outliers(seen: insights.Insights, about: parts.About) -> dict[str, Any]:
    edges = seen.score_edges
    x = charts.Axis(min(edges[0], 0.0), max(edges[-1], 0.0), "Score")
    plot = charts.Plot(x, charts.Axis(0, max(seen.score_counts) * 1.08, "Test rows"), "Scores")
    plot.bars(edges, seen.score_counts, "a")
    plot.upright(0.0)
    share = (seen.outliers or 0) / max(1, about.test_rows)
    found = f"{card_words.count(seen.outliers or 0)}, {card_words.percent(share)} of the test part"
    words = f"Rows below 0 are outliers: {found}."
    return {"title": "Scores", "svg": plot.svg(), "words": words, "wide": True}


def relies(weight: importance.Importance) -> Any:
    rows = [(bar.name, bar.mean, bar.std) for bar in weight.bars]
    return charts.ranked(rows, "Permutation importance") if rows else ""


def learning(curve: parts.LearningCurve | None) -> dict[str, Any] | None:
    if curve is None:
        return None
    y = charts.Axis.around([*curve.fitted, *curve.held_out], curve.metric, 0.08)
    plot = charts.Plot(charts.Axis(0, curve.rows[-1] * 1.02, "Rows fitted on"), y, "Learning curve")
    for values, kind in ((curve.fitted, "quiet"), (curve.held_out, "a")):
        points = [(float(rows), value) for rows, value in zip(curve.rows, values, strict=True)]
        plot.line(points, kind)
        plot.dots(points, kind, 3)
    held_out = f"{card_words.count(curve.held_out_rows)} held-out rows"
    legend = [
        ("a", held_out, card_words.figure(curve.held_out[-1])),
        ("quiet", "the rows fitted on", card_words.figure(curve.fitted[-1])),
    ]
    words = (
        "Fitted on more and more rows of the training part. Where the coloured line still rises, more data would help; "
        "a wide gap between the two says that the model knows its rows by heart."
    )
    return {"title": "Learning curve", "svg": plot.svg(), "words": words, "legend": legend}


def search(found: parts.Tuning) -> Any:
    """The score of each trial, the best so far, and the score of the parameters as given."""
    result = found.result
    good = [(float(trial.number), trial.score, trial.rows) for trial in found.trials if trial.score is not None]
    if not good:
        return ""
    x = charts.Axis(good[0][0] - 0.5, good[-1][0] + 0.5, "Trial")
    y = charts.Axis.around([score for _, score, _ in good], result.metric, 0.08)
    plot = charts.Plot(x, y, "Score of each trial", 640, 240, whole=True)
    better = max if found.direction == "Maximize" else min
    best: list[tuple[float, float]] = []
    for number, score, rows in good:
        if rows is None:  # a trial on some of the rows cannot win
            best.append((number, better(best[-1][1], score) if best else score))
    plot.line(_some(best), "quiet")
    if result.baseline_score is not None:
        plot.level(result.baseline_score)
    plot.dots([(number, score) for number, score, _ in _some(good) if number != result.best_trial], "a soft", 3.5)
    plot.dots([(number, score) for number, score, _ in good if number == result.best_trial], "b", 5.5)
    return plot.svg()


def _some(points: list[Any]) -> list[Any]:
    """As many as can be told apart, the last one among them."""
    if len(points) <= insights.MAX_DOTS:
        return points
    return points[:: -(-len(points) // insights.MAX_DOTS)] + points[-1:]
