"""Charts (heatmap, histogram) of a model's rows, as PNG. It knows no warehouse: rows come in, bytes go out."""

from collections.abc import Mapping, Sequence
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

KINDS = ("heatmap", "histogram")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def columns_of(drawing: Mapping[str, str]) -> list[str]:
    """The columns to select for a chart, in the order in which `draw` wants them."""
    return [drawing[axis] for axis in (("x", "y", "value") if drawing["kind"] == "heatmap" else ("value",))]


def draw(drawing: Mapping[str, str], rows: Sequence[Sequence[object]]) -> bytes:
    """Draw the chart that a model's `meta.drawing` declares.

    Args:
        drawing: `kind` (heatmap: mean of `value` by `x` and `y`, where `by: weekday` makes a date of `x` its day of
            the week; histogram: distribution of `value`), the columns, `title`, and `unit` of the value.
        rows: Of the columns that `columns_of` gives; rows with a null are left out.

    Returns:
        A PNG; one that says so where there is nothing to draw.

    Raises:
        ValueError: The kind is none of ours.
    """
    if drawing["kind"] not in KINDS:
        raise ValueError(f"a drawing is one of {', '.join(KINDS)}, not {drawing['kind']!r}")
    figure = Figure(figsize=(9, 4), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(drawing["title"])
    whole = [row for row in rows if None not in row]
    if not whole:
        axes.text(0.5, 0.5, "nothing to draw yet", ha="center", va="center")
        axes.set_axis_off()
    elif drawing["kind"] == "heatmap":
        _heatmap(figure, axes, whole, drawing)
    else:
        _histogram(axes, [float(value) for (value,) in whole], drawing)  # type: ignore[arg-type]
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _heatmap(figure: Figure, axes: Axes, rows: Sequence[Sequence[object]], drawing: Mapping[str, str]) -> None:
    if drawing.get("by") == "weekday":
        rows = [(WEEKDAYS[day.weekday()], *rest) for day, *rest in rows]  # type: ignore[attr-defined]
    across = sorted({row[0] for row in rows}, key=WEEKDAYS.index if "by" in drawing else str)
    down = sorted({row[1] for row in rows}, key=str)
    sums: dict[tuple[object, object], list[float]] = {}
    for x, y, value in rows:
        sums.setdefault((x, y), []).append(float(value))  # type: ignore[arg-type]
    grid = [[_mean(sums.get((x, y))) for x in across] for y in down]
    image = axes.imshow(grid, aspect="auto", cmap="viridis")
    figure.colorbar(image, ax=axes, label=drawing.get("unit", ""))
    step = max(1, len(across) // 12)
    axes.set_xticks(range(0, len(across), step), [str(x) for x in across[::step]], rotation=45, ha="right")
    axes.set_yticks(range(len(down)), [str(y) for y in down])


def _histogram(axes: Axes, values: Sequence[float], drawing: Mapping[str, str]) -> None:
    axes.hist(values, bins=min(60, max(10, len(set(values)))), color="#4c72b0")
    middle = sorted(values)[len(values) // 2]
    axes.axvline(middle, color="#c44e52", label=f"median {middle:g}")
    axes.set_xlabel(drawing.get("unit", ""))
    axes.set_ylabel("rows")
    axes.legend()


def _mean(values: Sequence[float] | None) -> float:
    return sum(values) / len(values) if values else float("nan")
