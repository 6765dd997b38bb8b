"""Charts of a report as SVG that stands in a page: no script, no style sheet, no address; text in the page's colour."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from io import StringIO
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from etl_assets.report.growth import Growth
from etl_assets.report.wording import THOUSAND, format_size
from etl_assets.warehouse.samples import Series

RED, AMBER, GREEN, BLUE, GREY = "#d1495b", "#e09f3e", "#4f9d69", "#4c72b0", "#8a8f98"
SHADES = (BLUE, AMBER, GREEN, "#8172b3", "#64b5cd", "#937860", RED, "#da8bc3")
NOTHING = "nothing to draw yet"
_WIDTH, _HEIGHT = 8.0, 2.6
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["sans-serif"],
    "font.size": 9,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}
_DATELESS = {"Date": None, "Creator": None, "Format": None, "Type": None}
_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_UNWANTED = re.compile(r"<metadata>.*?</metadata>|<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL)
_SIZE = re.compile(r' (?:width|height)="[^"]*"')
_NAMESPACE = re.compile(r' xmlns(:xlink)?="[^"]*"|(?<= )xlink:(?=href=)')
_GROUP_ID = re.compile(r'<g id="[^"]*"')


def stacked_bars(
    name: str,
    what: str,
    labels: Sequence[date | str],
    series: Mapping[str, Sequence[float]],
    *,
    unit: str = "",
    colours: Mapping[str, str] | None = None,
    nothing: str = NOTHING,
) -> Markup:
    """A stacked bar for each day or week.

    Args:
        name: Of the chart, told apart from others of the page.
        what: What it shows, for who does not see it.
        labels: Of the bars, the oldest first.
        series: What the bars are made of, from the bottom: a value for each label.
        unit: Of the values; `bytes` are shown as people read them.
        colours: Of the series, where they mean something.
        nothing: What stands in place of bars that all are zero.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure, axes = _figure()
        bottom = [0.0] * len(labels)
        for place, (title, values) in enumerate(series.items()):
            colour = (colours or {}).get(title, SHADES[place % len(SHADES)])
            axes.bar(range(len(labels)), values, bottom=bottom, width=0.8, color=colour, label=title)
            bottom = [low + value for low, value in zip(bottom, values, strict=True)]
        axes.set_xlim(-0.6, len(labels) - 0.4)
        _label_days(axes, labels)
        _finish(axes, unit, nothing="" if any(bottom) else nothing, has_legend=True)
        return _svg(figure, name, what)


def growth_line(
    name: str, what: str, samples: Series, *, growth: Growth | None, unit: str = "", ceiling: float | None = None
) -> Markup:
    """Samples by day with the line through them; see `stacked_bars`.

    `ceiling` is drawn where it is near: at most three times the greatest sample.
    """
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure, axes = _figure()
        first = samples[0][0] if samples else None
        places = [(day - first).days if first else 0 for day, _ in samples]
        axes.plot(places, [value for _, value in samples], marker="o", markersize=3.5, color=BLUE, label="sampled")
        if growth and first:
            line = [growth.level(day) for day, _ in samples]
            axes.plot(places, line, color=AMBER, linestyle="--", label="straight line through 30 days")
        if ceiling and samples and ceiling <= 3 * max(value for _, value in samples):
            axes.axhline(ceiling, color=RED, label="all there is")
        axes.set_ylim(bottom=0)
        days = [day for day, _ in samples]
        shown = _every(len(days))
        axes.set_xticks([places[place] for place in shown], [_label(days[place]) for place in shown])
        _finish(axes, unit, nothing="" if samples else NOTHING, has_legend=bool(growth))
        return _svg(figure, name, what)


def limited_bars(name: str, what: str, bars: Mapping[str, tuple[float, float | None]], *, unit: str = "") -> Markup:
    """A bar for each name from the top, red beyond its limit, which is marked. See `stacked_bars`."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure, axes = _figure(height=max(1.2, 0.32 * len(bars) + 0.7))
        for place, (value, limit) in enumerate(reversed(list(bars.values()))):
            axes.barh(place, value, height=0.6, color=RED if limit is not None and value > limit else BLUE)
            if limit is not None:
                axes.plot([limit, limit], [place - 0.4, place + 0.4], color=GREY, linewidth=2)
        axes.set_yticks(range(len(bars)), [str(title) for title in reversed(list(bars))])
        axes.tick_params(axis="y", length=0)
        if bars:
            axes.set_ylim(-0.6, len(bars) - 0.4)
        _finish(axes, unit, nothing="" if bars else NOTHING, has_legend=False, values="x")
        return _svg(figure, name, what)


def _figure(height: float = _HEIGHT) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    return figure, axes


def _finish(axes: Axes, unit: str, *, nothing: str, has_legend: bool, values: str = "y") -> None:
    """What all charts have: a grid and whole numbers on the axis of the values, and a legend above."""
    if nothing:
        axes.clear()
        axes.text(0.5, 0.5, nothing, ha="center", va="center")
        axes.set_axis_off()
        return
    axis = axes.yaxis if values == "y" else axes.xaxis
    axis.set_major_locator(MaxNLocator(nbins=5, min_n_ticks=2))
    if unit == "bytes":
        axis.set_ticks(_round_sizes(max(axis.get_view_interval())))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _number(value, unit)))
    axes.grid(visible=True, axis=values)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    if unit and unit != "bytes":
        (axes.set_ylabel if values == "y" else axes.set_xlabel)(unit)
    if has_legend and len(axes.get_legend_handles_labels()[0]):
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0.2)


def _round_sizes(highest: float) -> list[float]:
    """Up to six sizes from nothing on that are round in the unit in which they are shown."""
    unit = 1.0
    while highest / unit >= THOUSAND:
        unit *= THOUSAND
    return [tick * unit for tick in MaxNLocator(nbins=5).tick_values(0, highest / unit) if tick * unit <= highest]


def _number(value: float, unit: str) -> str:
    return format_size(value) if unit == "bytes" else f"{value:,.10g}"


def _label(day: date | str) -> str:
    return f"{day:%d %b}" if isinstance(day, date) else day


def _label_days(axes: Axes, labels: Sequence[date | str]) -> None:
    shown = _every(len(labels))
    axes.set_xticks(shown, [_label(labels[place]) for place in shown])


def _every(number: int) -> list[int]:
    """The places that are labelled, so that labels do not touch; the last one always is."""
    step = max(1, -(-number // 10))
    return sorted(range(number - 1, -1, -step))


def _svg(figure: Figure, name: str, what: str) -> Markup:
    out = StringIO()
    figure.savefig(out, format="svg", metadata=_DATELESS)
    drawn = _UNWANTED.sub("", _HEAD.sub("", out.getvalue(), count=1))
    drawn = _GROUP_ID.sub("<g", _NAMESPACE.sub("", drawn))
    described = f'<svg role="img" aria-labelledby="{escape(name)}-title" class="chart"'
    title = f'<title id="{escape(name)}-title">{escape(what)}</title>'
    drawn = drawn.replace("<svg", described, 1)
    head, _, rest = drawn.partition(">")
    return Markup(f"{_SIZE.sub('', head)}>{title}{rest}")  # noqa: S704 (matplotlib's own, in which text is escaped)
