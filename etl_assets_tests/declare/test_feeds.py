"""What a feed may be written as in YAML."""

import pytest

from etl_assets.declare.feeds import read_feeds
from etl_assets.errors import EtlError


def read(tmp_path, **lines: str):
    path = tmp_path / "feeds.yaml"
    named = {"name": "clinic", "table": "visit", "pattern": '"*"'} | lines
    path.write_text("- " + "\n  ".join(f"{name}: {value}" for name, value in named.items()))
    return read_feeds(path)[0]


def test_words_for_null_are_those_of_the_feed_and_of_its_preset(tmp_path) -> None:
    assert read(tmp_path).null_words == {"NULL"}
    assert read(tmp_path, nulls='["-"]').null_words == {"-"}
    assert {"-", "NaN", "NaT", "N/A", "None", "null", r"\N"} < read(
        tmp_path, nulls='["-"]', null_preset="common"
    ).null_words


def test_one_word_for_null_is_one_word_and_not_its_letters(tmp_path) -> None:
    assert read(tmp_path, nulls="N/A").null_words == {"N/A"}


def test_a_feed_may_have_its_own_bounds_for_rejected_rows(tmp_path) -> None:
    found = read(tmp_path, max_rejected="0.25", tolerated_rejects="0")
    assert (found.max_rejected, found.tolerated_rejects) == (0.25, 0)


@pytest.mark.parametrize(
    "line", [{"max_rejected": "10"}, {"tolerated_rejects": "-1"}, {"null_preset": "all"}, {"max_rejected": "ten"}]
)
def test_what_is_no_bound_or_preset_is_told(tmp_path, line) -> None:
    with pytest.raises(EtlError, match="cannot read the feeds"):
        read(tmp_path, **line)
