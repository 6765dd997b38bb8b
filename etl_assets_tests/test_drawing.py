from datetime import date

import pytest

from etl_assets.drawing import columns_of, draw

HEATMAP = {"kind": "heatmap", "x": "day", "by": "weekday", "y": "room", "value": "share", "title": "Use"}
HISTOGRAM = {"kind": "histogram", "value": "minutes", "title": "Turnover", "unit": "minutes"}
PNG = b"\x89PNG\r\n"


@pytest.mark.parametrize(
    ("drawing", "rows"),
    [
        pytest.param(HEATMAP, [(date(2026, 3, 2), "1", 0.5), (date(2026, 3, 3), "2", None)], id="a heatmap with a gap"),
        pytest.param(HISTOGRAM, [(29,), (31,), (None,)], id="a distribution with a null"),
        pytest.param(HISTOGRAM, [], id="nothing at all"),
    ],
)
def test_it_is_a_picture(drawing, rows) -> None:
    assert draw(drawing, rows).startswith(PNG)


def test_other_numbers_are_another_picture() -> None:
    assert draw(HISTOGRAM, [(29,), (31,)]) != draw(HISTOGRAM, [(29,), (90,)])


def test_it_asks_for_the_columns_in_the_order_it_draws_them() -> None:
    assert columns_of(HEATMAP) == ["day", "room", "share"]
    assert columns_of(HISTOGRAM) == ["minutes"]


def test_a_kind_that_is_none_of_ours_is_named() -> None:
    with pytest.raises(ValueError, match="not 'pie'"):
        draw({"kind": "pie", "title": "Use"}, [])
