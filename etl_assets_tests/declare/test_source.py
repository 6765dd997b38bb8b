"""What a source may be declared as: mistakes are told when the code location is imported."""

from dataclasses import replace
from datetime import date

import pytest

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.dates import Calendar, Span
from etl_assets.declare.endpoints import Each
from etl_assets.declare.rest import fields
from etl_assets.declare.source import check_names
from etl_assets.declare.tables import Full
from etl_assets.errors import EtlError
from etl_assets_tests.declare.trials import ARMS, STUDIES, VISITS, endpoint, source

TODAY = date(2026, 3, 4)


def test_a_service_of_lists_alone_needs_neither_calendar_nor_start() -> None:
    assert source(STUDIES).dates(TODAY) == Span(TODAY, TODAY)


def test_a_service_with_windows_is_read_by_days_from_its_start_on() -> None:
    trials = source(VISITS, start=date(2020, 1, 1), horizon_days=30)
    assert trials.dates(TODAY) == Span(date(2020, 1, 1), date(2026, 4, 3))
    first, last = date(2026, 2, 27), date(2026, 3, 1)
    assert trials.windows(Span(first, last)) == [Span(day, day) for day in (first, date(2026, 2, 28), last)]


def test_a_billing_calendar_makes_the_windows_where_there_is_one() -> None:
    calendar = Calendar(kind="monthly", anchor=date(2026, 1, 1), first_year=2026, last_year=2026)
    trials = source(VISITS, calendar=calendar)
    assert trials.dates(TODAY) == Span(date(2026, 1, 1), date(2026, 12, 31))
    assert trials.windows(Span(date(2026, 1, 31), date(2026, 2, 1))) == [
        Span(date(2026, 1, 1), date(2026, 1, 31)),
        Span(date(2026, 2, 1), date(2026, 2, 28)),
    ]


def test_windows_without_dates_are_refused() -> None:
    with pytest.raises(ValueError, match="declare a calendar, or a start date"):
        source(VISITS)


def test_a_nested_table_comes_after_its_parent_and_asks_by_its_key() -> None:
    assert source(STUDIES, ARMS).rest_table("arms").endpoint.address({"id": 7}) == "studies/7/arms"
    with pytest.raises(ValueError, match="must be declared before it"):
        source(ARMS, STUDIES)
    by_name = replace(ARMS, endpoint=endpoint("studies/{studies.name}/arms", per=ARMS.endpoint.per))
    with pytest.raises(ValueError, match="have these in its key"):
        source(STUDIES, by_name)


@pytest.mark.parametrize(
    ("path", "per"),
    [
        pytest.param("studies/{studies.id}/arms", None, id="a placeholder without a parent"),
        pytest.param("studies/{sites.id}/arms", Each("studies"), id="a placeholder of another table"),
        pytest.param("arms", Each("studies"), id="a parent that the path does not name"),
    ],
)
def test_a_path_names_its_parent_and_nothing_else(path, per) -> None:
    with pytest.raises(ValueError, match="the path must name columns of its parent"):
        endpoint(path, per=per)


def test_what_the_parent_gives_is_in_the_key() -> None:
    with pytest.raises(ValueError, match="given by the parent and not in the key"):
        replace(ARMS, key="code")


@pytest.mark.parametrize("words", [{"fields": fields(numeric="id")}, {"key": ("instance", "id")}])
def test_a_key_is_of_a_type_that_can_be_looked_up(words) -> None:
    with pytest.raises(ValueError, match="cannot be in a key"):
        replace(STUDIES, **words)


def test_a_table_of_another_kind_is_refused() -> None:
    copied = CopiedTable(name="patient", key="patnum", load=Full(), importance="critical", why="people")
    with pytest.raises(ValueError, match=r"\['patient'\] are no tables of a Service"):
        source(STUDIES, copied)


def test_a_source_is_asked_for_what_its_kind_has_and_says_so_else() -> None:
    trials = source(STUDIES)
    assert trials.service is trials.reader
    for other in ("database", "file_drop"):
        with pytest.raises(EtlError, match="trials"):
            getattr(trials, other)
    with pytest.raises(EtlError, match="no copy of a database's table"):
        trials.copied_table("studies")


def test_no_source_s_name_begins_another_one_s() -> None:
    near, far = source(STUDIES, name="open"), source(STUDIES, name="open_dental")
    with pytest.raises(ValueError, match="the name of open begins that of open_dental"):
        check_names((far, near))
    assert check_names((source(STUDIES, name="opened"), near)) is not None


def test_each_instance_has_settings_of_its_own() -> None:
    trials = source(STUDIES, instances=True)
    given = {"instances": "north, south", "north_url": "n", "north_key": "1", "south_url": "s", "url": "nobody's"}
    assert trials.service.settings_by_instance(given) == {"north": {"url": "n", "key": "1"}, "south": {"url": "s"}}
    assert trials.missing_settings(given) == ["ETL_TRIALS_SOUTH_KEY"]
    assert trials.missing_settings({}) == ["ETL_TRIALS_INSTANCES"]
    assert source(STUDIES).missing_settings({"url": "u"}) == ["ETL_TRIALS_KEY"]


@pytest.mark.parametrize("names", ["north,north_east", "north,north", "north,süd"])
def test_instances_whose_settings_would_mix_are_refused(names) -> None:
    with pytest.raises(ValueError, match="none beginning another"):
        source(STUDIES, instances=True).service.settings_by_instance({"instances": names})
