"""Draw plot data as PNG. Works without a display and without matplotlib's global state."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from airflow_mltrack.training.plots import PlotData, check_plot_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Corner = Literal["upper left", "upper right", "lower right"]
_BLUE, _ORANGE, _GREY, _INK = "#2563eb", "#ea580c", "#94a3b8", "#1e293b"


def render_png(name: str, data: PlotData, *, subtitle: str = "") -> bytes:
    """Draw one plot.

    :param name: a key of :func:`~airflow_mltrack.training.plots.plot_data`.
    :param subtitle: small line below the title, for example the rows it is about.
    :return: PNG bytes.
    :raises InvalidInput: when no plot has this name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    check_plot_name(name)
    height = 4.8 if name != "feature_importance" else 1.6 + 0.24 * max(len(data["features"]), 8)
    margins = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(6.4, height), dpi=110, layout=margins, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _plain(axes)
    title, draw = _DRAWINGS[name]
    draw(axes, data)
    figure.suptitle(title, x=0.02, ha="left", fontsize=13, fontweight="bold", color=_INK)
    if subtitle:
        axes.set_title(subtitle, loc="left", fontsize=9, color="#64748b")
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(colors=_INK, labelsize=9)
    axes.grid(visible=True, color="#e2e8f0", linewidth=0.8)
    axes.set_axisbelow(True)


def _draw_roc(axes: Axes, data: PlotData) -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1, label="no skill (0.500)")
    axes.plot(
        data["false_positive_rate"],
        data["true_positive_rate"],
        color=_BLUE,
        linewidth=2,
        label=f"AUC {data['auc']:.3f}, KS {data['ks']:.3f}",
    )
    _unit_square(axes, "False positive rate", "True positive rate", legend="lower right")


def _draw_precision_recall(axes: Axes, data: PlotData) -> None:
    rate = data["positive_rate"]
    axes.axhline(rate, color=_GREY, linestyle="--", linewidth=1, label=f"no skill ({rate:.3f})")
    axes.plot(
        data["recall"],
        data["precision"],
        color=_BLUE,
        linewidth=2,
        label=f"average precision {data['average_precision']:.3f}",
    )
    _unit_square(axes, "Recall", "Precision", legend="upper right")


def _draw_confusion(axes: Axes, data: PlotData) -> None:
    counts = data["counts"]
    shares = [[cell / max(sum(line), 1) for cell in line] for line in counts]
    axes.grid(visible=False)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for row in range(2):
        for column in range(2):
            share = shares[row][column]
            axes.text(
                column,
                row,
                f"{counts[row][column]:,}\n{share:.1%}",
                ha="center",
                va="center",
                fontsize=13,
                color="white" if share > 0.6 else _INK,
            )
    axes.set_xticks([0, 1], data["labels"])
    axes.set_yticks([0, 1], data["labels"])
    axes.set_xlabel(f"Decision at threshold {data['threshold']:.4g}", color=_INK)
    axes.set_ylabel("Truth", color=_INK)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _draw_calibration(axes: Axes, data: PlotData) -> None:
    top = min(1.0, 1.08 * max(*data["predicted"], *data["observed"], 0.05))
    axes.plot([0, top], [0, top], color=_GREY, linestyle="--", linewidth=1, label="perfect")
    axes.plot(
        data["predicted"],
        data["observed"],
        color=_BLUE,
        marker="o",
        linewidth=2,
        label=f"model ({len(data['rows'])} bins of about {max(data['rows']):,} rows)",
    )
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    _words(axes, "Predicted probability", "Observed share of events", legend="upper left")


def _draw_distribution(axes: Axes, data: PlotData) -> None:
    for key, label, color in (("no_event", "no event", _BLUE), ("event", "event", _ORANGE)):
        axes.stairs(
            data[key], data["edges"], fill=True, color=color, alpha=0.45, label=label, linewidth=1.5
        )
    threshold = data["threshold"]
    axes.axvline(
        threshold, color=_INK, linestyle="--", linewidth=1, label=f"threshold {threshold:.3g}"
    )
    axes.set_xlim(data["edges"][0], data["edges"][-1])
    _words(axes, "Score", "Share of the class", legend="upper right")


def _draw_importance(axes: Axes, data: PlotData) -> None:
    values = data["importance"]
    places = range(len(values))
    axes.barh(
        places, values, color=[_BLUE if value >= 0 else _ORANGE for value in values], height=0.7
    )
    axes.set_yticks(places, [_short(name) for name in data["features"]])
    axes.invert_yaxis()
    axes.axvline(0, color=_GREY, linewidth=1)
    axes.grid(visible=False, axis="y")
    shown = f" (top {len(values)} of {data['of']})" if len(values) < data["of"] else ""
    axes.set_xlabel(f"{data['kind'].capitalize()}{shown}", color=_INK)


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"{name[:31]}…"


def _unit_square(axes: Axes, x: str, y: str, legend: _Corner) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    _words(axes, x, y, legend)


def _words(axes: Axes, x: str, y: str, legend: _Corner) -> None:
    axes.set_xlabel(x, color=_INK)
    axes.set_ylabel(y, color=_INK)
    axes.legend(loc=legend, fontsize=9, framealpha=0.9, edgecolor="#e2e8f0")


_DRAWINGS: dict[str, tuple[str, Callable[[Axes, PlotData], None]]] = {
    "roc": ("ROC curve", _draw_roc),
    "precision_recall": ("Precision and recall", _draw_precision_recall),
    "confusion_matrix": ("Confusion matrix", _draw_confusion),
    "calibration": ("Calibration", _draw_calibration),
    "score_distribution": ("Score distribution", _draw_distribution),
    "feature_importance": ("Feature importance", _draw_importance),
}
