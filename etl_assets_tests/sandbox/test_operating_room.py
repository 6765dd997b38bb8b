"""The files are read back by an independent reading (reading.py): what it finds is what was planted, and no more."""

import hashlib
import statistics
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from etl_assets.declare.feeds import read_feeds
from etl_assets.sandbox.operating_room.correction import write_correction
from etl_assets.sandbox.operating_room.defects import RULES, SCRIPTS
from etl_assets.sandbox.operating_room.faults import FAULTS
from etl_assets.sandbox.operating_room.hospital import is_holiday
from etl_assets.sandbox.operating_room.write import DEFECTS, SPLITS, Written, write_files
from etl_assets.sources.operating_room import tables
from etl_assets_tests.sandbox.reading import (
    KEY,
    Row,
    at,
    begun_in_block,
    by_room_day,
    done,
    findings,
    inside_block,
    length,
    minutes,
    owners_only,
    read,
    whole_room_day,
)

START = date(2024, 1, 1)
ORDER = "periop_arrival preop_in preop_out or_in proc_start proc_closing proc_end or_out pacu_in pacu_out"


def written(folder: Path, **arguments) -> Written:
    return write_files(folder, **{"start": START, "days": 28, "rooms": 6} | arguments)


def counted(made: Written, last: date, used=begun_in_block) -> dict[str, int]:
    return {rule: len(keys) for rule, keys in findings(read(made.files).rows, last, used).items()}


@pytest.fixture(scope="module")
def year(tmp_path_factory) -> tuple[Written, dict[str, list[Row]]]:
    made = write_files(tmp_path_factory.mktemp("year"), seed=4, start=START, days=366, rooms=13, split="month")
    return made, read(made.files).rows


@pytest.mark.parametrize("seed", [1, 2, 7])
@pytest.mark.parametrize("rooms", [1, 2, 9], ids=["one room", "one room and an emergency room", "nine rooms"])
def test_files_without_defects_break_no_rule(tmp_path, seed, rooms) -> None:
    made = written(tmp_path, seed=seed, days=540, rooms=rooms, split="month")
    found = read(made.files)
    assert not found.rejected
    assert not made.planted
    assert sum(made.rows.values()) == sum(map(len, found.rows.values())) > 540
    assert findings(found.rows, START + timedelta(540)) == {rule: [] for rule in RULES}


@pytest.mark.parametrize("used", [begun_in_block, inside_block, whole_room_day, owners_only])
def test_no_reading_of_block_use_finds_anything_in_clean_files(year, used) -> None:
    assert findings(year[1], START + timedelta(366), used)["BlockUtilizationAnomaly"] == []


@pytest.mark.parametrize("seed", [1, 5])
@pytest.mark.parametrize("count", [1, 15])
@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_planted_finding_is_found_as_its_own_kind_alone(tmp_path, kind, count, seed) -> None:
    made = written(tmp_path, seed=seed, defects={kind: count})
    found = read(made.files)
    assert not found.rejected
    assert [defect.kind for defect in made.planted] == [kind] * count
    expected = Counter(dict.fromkeys(RULES, 0)) + Counter({SCRIPTS[kind].rule: count})
    for rule, extra in SCRIPTS[kind].extra.items():
        expected[rule] += extra * count
    assert made.expected_findings == {rule: expected[rule] for rule in RULES}
    assert counted(made, START + timedelta(28)) == made.expected_findings


@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_planted_finding_is_told_with_its_key_and_line(tmp_path, kind) -> None:
    made = written(tmp_path, defects={kind: 3}, split="week")
    found = findings(read(made.files).rows, START + timedelta(28))[SCRIPTS[kind].rule]
    for defect in made.planted:
        line = (tmp_path / defect.file).read_text(encoding="utf-8").split("\n")[defect.line - 1]
        assert all(part in line for part in defect.key.split("|"))
        assert defect.column in tables_by_name()[table_of(defect.file)].names
    assert sorted(found) == sorted(defect.key for defect in made.planted)


def test_only_a_case_that_is_too_long_brings_another_finding_with_it() -> None:
    assert [kind for kind, script in SCRIPTS.items() if script.extra] == ["case_too_long"]


def test_one_of_several_overlaps_of_blocks_lies_over_midnight(tmp_path) -> None:
    made = written(tmp_path, defects={"overlapping_blocks": 3})
    over = [
        block for block in read(made.files).rows["block_schedule"] if block["slot_end_time"] < block["slot_start_time"]
    ]
    assert len(over) == 1
    assert counted(made, START + timedelta(28))["OverlappingBlocks"] == 3


@pytest.mark.parametrize("kind", [kind for kind in SCRIPTS if kind != "block_overused"])
@pytest.mark.parametrize("used", [inside_block, owners_only])
def test_a_planted_finding_stays_alone_where_use_is_counted_within_the_block(tmp_path, kind, used) -> None:
    made = written(tmp_path, defects={kind: 4})
    assert counted(made, START + timedelta(28), used) == made.expected_findings


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("kind", FAULTS)
def test_a_planted_fault_makes_its_line_unreadable_and_breaks_no_rule(tmp_path, kind, count) -> None:
    made = written(tmp_path, defects={kind: count}, split="week")
    found = read(made.files)
    assert [defect.kind for defect in made.planted] == [kind] * count
    assert sorted(found.rejected) == sorted((defect.file, defect.line) for defect in made.planted)
    assert sum(made.expected_rejects.values()) == count
    assert counted(made, START + timedelta(28)) == dict.fromkeys(RULES, 0)


@pytest.mark.parametrize("split", SPLITS)
def test_all_kinds_at_once_are_found_in_exactly_the_numbers_planted(tmp_path, split) -> None:
    wanted = {kind: number % 3 + 1 for number, kind in enumerate(DEFECTS)} | {"unclosed_quote": 1}
    made = written(tmp_path, days=91, rooms=12, defects=wanted, split=split)
    found = read(made.files)
    assert Counter(defect.kind for defect in made.planted) == wanted
    assert Counter(file for file, _ in found.rejected) == made.expected_rejects
    assert counted(made, START + timedelta(91)) == made.expected_findings
    for file, rejects in made.expected_rejects.items():
        assert rejects <= 0.10 * made.rows[file]


def test_an_unclosed_quote_is_in_the_last_line_so_that_it_swallows_no_other(tmp_path) -> None:
    made = written(tmp_path, defects={"unclosed_quote": 8})
    for defect in made.planted:
        lines = (tmp_path / defect.file).read_text(encoding="utf-8").splitlines()
        assert defect.line == len(lines)
        assert lines[-1].count('"') % 2 == 1


def test_of_two_lines_with_one_key_the_later_says_something_else(tmp_path) -> None:
    made = written(tmp_path, defects={"duplicate_key": 6})
    for defect in made.planted:
        lines = (tmp_path / defect.file).read_text(encoding="utf-8").splitlines()
        earlier, later = lines[defect.line - 1 : defect.line + 1]
        assert "Written again" in later
        assert "Written again" not in earlier
        assert all(part in earlier and part in later for part in defect.key.split("|"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"defects": {"gremlin": 1}}, "gremlin", id="an unknown kind"),
        pytest.param({"defects": {"nul_byte": -1}}, "fewer than none", id="less than none"),
        pytest.param({"defects": {"room_day_over": 101}}, "101 findings", id="more findings than room-days"),
        pytest.param({"defects": {"missing_room": 21}}, "a day each", id="two cases without a room on a day"),
        pytest.param({"defects": {"bad_integer": 999}}, "only", id="more faults than a tenth of the lines"),
        pytest.param({"days": 1, "defects": {"unclosed_quote": 4}}, "no place", id="a second unclosed quote in a file"),
        pytest.param({"split": "hour"}, "hour", id="an unknown split"),
        pytest.param({"days": 0}, "days 0", id="no day"),
        pytest.param({"rooms": 0}, "rooms 0", id="no room"),
        pytest.param({"start": date(1999, 12, 31)}, "2000-01-01", id="a day that would break a rule by itself"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path, arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        written(tmp_path / "landing", **arguments)
    assert not (tmp_path / "landing").exists()


def test_a_file_is_spoilt_over_its_share_where_that_is_asked_for(tmp_path) -> None:
    made = written(tmp_path, days=5, split="all", defects={"ragged_long": 60}, max_rejected=1.0)
    assert max(rejects / made.rows[file] for file, rejects in made.expected_rejects.items()) > 0.10


def test_the_same_arguments_give_the_same_bytes_here_as_anywhere(tmp_path) -> None:
    """The sum was taken with Python 3.11 on Linux. It changes when the files do; nothing else may change it."""
    made = written(tmp_path, seed=11, days=20, defects=dict.fromkeys(DEFECTS, 1), split="week")
    digest = hashlib.sha256()
    for path in made.files:
        digest.update(path.name.encode() + path.read_bytes())
    assert digest.hexdigest() == "2d7f8121683801ee9d01558e8589b8893ad016e1ec450eb6bfb614098bd3ac50"


def test_writing_again_replaces_every_file_by_itself(tmp_path) -> None:
    first = written(tmp_path, defects={"bad_date": 3, "missing_room": 2})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written(tmp_path, defects={"bad_date": 3, "missing_room": 2}) == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_longer_span_and_another_split_tell_the_same_of_the_same_days(tmp_path) -> None:
    short = written(tmp_path / "short", days=10)
    written(tmp_path / "long", days=45)
    for path in short.files:
        assert (tmp_path / "long" / path.name).read_bytes() == path.read_bytes()
    whole = written(tmp_path / "whole", days=10, split="all")
    assert read(whole.files) == read(short.files)


def test_another_seed_is_another_hospital(tmp_path) -> None:
    one, other = written(tmp_path / "1", seed=1), written(tmp_path / "2", seed=2)
    assert read(one.files).rows["or_case"] != read(other.files).rows["or_case"]


def test_every_file_is_taken_by_the_feed_of_its_table(year) -> None:
    made, rows = year
    feeds = read_feeds(Path(tables.__file__).with_name("feeds.yaml"))
    for path in made.files:
        feed = next(feed for feed in feeds if feed.matches(path.name))
        assert feed.table == table_of(path.name)
    for table in tables.TABLES:
        assert set(rows[table.name][0]) == set(table.names) & set(rows[table.name][0])
        assert set(table.required_columns) <= set(rows[table.name][0])


def test_keys_are_given_once_in_a_year(year) -> None:
    for table, columns in KEY.items():
        keys = [tuple(row[column] for column in columns) for row in year[1][table]]
        assert len(keys) == len(set(keys))


def test_every_time_point_follows_the_one_before_it(year) -> None:
    for case in year[1]["or_case"]:
        points = [at(case, point) for point in ORDER.split() if case[point]]
        assert points == sorted(points)
        if case["pacu2_out"]:
            assert case["pacu_out"] <= case["pacu2_in"] <= case["pacu2_out"]


def test_turnovers_and_first_cases_are_those_of_a_hospital(year) -> None:
    gaps, late = [], []
    for held in by_room_day(year[1]["or_case"]).values():
        gaps += [minutes(at(b, "or_in") - at(a, "or_out")) for a, b in pairwise(done(held))]
        first = done(held)[0]
        if first["case_class_name"] == "Elective":
            late.append(minutes(at(first, "or_in") - at(first, "sched_start_time")))
    assert 28 <= statistics.median(gaps) <= 30
    assert min(gaps) >= 15
    assert statistics.quantiles(gaps, n=20)[-1] <= 60
    assert 0.4 < sum(minute <= 5 for minute in late) / len(late) < 0.6
    assert sum(minute <= 15 for minute in late) / len(late) > 0.8


def test_durations_are_skewed_and_overruns_pass_on_to_later_cases(year) -> None:
    lengths = [length(case) for case in done(year[1]["or_case"])]
    assert 60 < statistics.median(lengths) < 120
    assert statistics.mean(lengths) > 1.05 * statistics.median(lengths)
    delays = {
        place: [
            abs(minutes(at(held[place], "or_in") - at(held[place], "sched_start_time")))
            for held in map(done, by_room_day(year[1]["or_case"]).values())
            if len(held) > 3
        ]
        for place in (0, 1, 3)
    }
    assert statistics.mean(delays[0]) < statistics.mean(delays[1]) < statistics.mean(delays[3])


def test_weekends_and_holidays_see_emergencies_alone(year) -> None:
    for case in year[1]["or_case"]:
        day = date.fromisoformat(case["surgery_date"])
        if day.weekday() >= 5 or is_holiday(day):
            assert case["case_class_name"] in {"Urgent", "Emergent"}
            assert case["room_id"] == "OR-13"
    for block in year[1]["block_schedule"]:
        day = date.fromisoformat(block["schedule_date"])
        assert day.weekday() < 5
        assert not is_holiday(day)


@pytest.mark.parametrize(
    ("day", "kept"),
    [
        pytest.param(date(2024, 1, 15), True, id="the third Monday of January"),
        pytest.param(date(2024, 5, 27), True, id="the last Monday of May"),
        pytest.param(date(2024, 5, 20), False, id="the last Monday of May but one"),
        pytest.param(date(2024, 11, 28), True, id="the fourth Thursday of November"),
        pytest.param(date(2021, 7, 5), True, id="a Monday for a Sunday"),
        pytest.param(date(2021, 12, 31), True, id="a Friday of the year before for a Saturday"),
        pytest.param(date(2024, 7, 5), False, id="the day after a holiday"),
    ],
)
def test_holidays_are_those_of_the_united_states(day, kept) -> None:
    assert is_holiday(day) is kept


def test_some_emergencies_end_after_midnight_but_none_where_clocks_are_changed(year) -> None:
    over = [case for case in done(year[1]["or_case"]) if case["or_out"][:10] > case["surgery_date"]]
    assert over
    assert {case["room_id"] for case in over} == {"OR-13"}
    assert max(case["or_out"][11:] for case in over) < "02:00"


def test_every_kind_of_booking_comes_up(year) -> None:
    cases, blocks = year[1]["or_case"], year[1]["block_schedule"]
    cancelled = [case for case in cases if case["sched_status"] == "Canceled"]
    assert 0.03 < len(cancelled) / len(cases) < 0.12
    assert not any(case["or_in"] for case in cancelled)
    assert all(case["cancel_name"] and case["cancel_code"] for case in cancelled)
    assert {case["case_class_name"] for case in cases} == {"Elective", "Urgent", "Emergent", "Add-On"}
    assert {block["slot_type"] for block in blocks} == {"Service", "Surgeon", "Open"}
    released = [block for block in blocks if block["released_at"]]
    assert 0.03 < len(released) / len(blocks) < 0.12
    assert all(block["released_at"][:10] < block["schedule_date"] for block in released)


def test_the_schedule_agrees_with_the_cases(year) -> None:
    booked = {row["or_case_id"]: row for row in year[1]["or_schedule"]}
    assert len(booked) == len(year[1]["or_case"])
    early = 0
    for case in year[1]["or_case"]:
        row = booked[case["or_case_id"]]
        for column in ("surgery_date", "sched_status", "sched_start_time", "sched_duration", "room_name", "patient_id"):
            assert row[column] == case[column]
        assert (row["case_cancel_reason_code"], row["case_cancel_reason"]) == (case["cancel_code"], case["cancel_name"])
        assert bool(row["cancel_date"]) == (case["sched_status"] == "Canceled")
        assert row["case_created_date"] < (row["cancel_date"] or case["or_in"])
        early += "" < row["cancel_date"][:10] < row["surgery_date"]
    assert 0 < early < sum(bool(row["cancel_date"]) for row in booked.values())


def test_from_a_given_day_on_cases_are_booked_and_have_not_happened(tmp_path) -> None:
    as_of = START + timedelta(14)
    whole, known = written(tmp_path / "whole", split="all"), written(tmp_path / "known", split="all", as_of=as_of)
    cases, booked = read(known.files).rows["or_case"], read(known.files).rows["or_schedule"]
    assert max(case["surgery_date"] for case in cases) < str(as_of)
    ahead = [row for row in booked if row["surgery_date"] >= str(as_of)]
    assert {row["sched_status"] for row in ahead} == {"Scheduled", "Canceled"}
    assert max(max(row["case_created_date"], row["cancel_date"]) for row in ahead) < str(as_of)
    assert [row for row in read(whole.files).rows["or_case"] if row["surgery_date"] < str(as_of)] == cases
    assert findings(read(known.files).rows, START + timedelta(28)) == {rule: [] for rule in RULES}


@pytest.mark.parametrize("day", [date(2024, 3, 5), date(2024, 3, 6), date(2024, 3, 7)])
def test_a_correction_changes_some_cases_removes_one_and_adds_one(tmp_path, day) -> None:
    made = written(tmp_path, start=day, days=1, rooms=8)
    corrected = write_correction(tmp_path, day=day, rooms=8)
    before = {row["case_id"]: row for row in read(made.files).rows["or_case"]}
    rows = read([corrected.file]).rows["or_case"]
    after = {row["case_id"]: row for row in rows}
    assert corrected.rows == len(rows) == len(before)
    assert before.keys() - after.keys() == {corrected.removed}
    assert after.keys() - before.keys() == {corrected.added}
    shared = before.keys() & after.keys()
    assert {key for key in shared if before[key] != after[key]} == set(corrected.changed)
    assert len(corrected.changed) == 3
    assert {row["surgery_date"] for row in rows} == {str(day)}
    held = read(made.files).rows | {"or_case": rows}
    assert findings(held, day) == {rule: [] for rule in RULES}


def test_a_quiet_day_cannot_be_corrected(tmp_path) -> None:
    with pytest.raises(ValueError, match="too few cases"):
        write_correction(tmp_path, day=date(2024, 1, 1), rooms=1)
    assert list(tmp_path.iterdir()) == []


def table_of(file: str) -> str:
    return next(name for name in KEY if file.startswith(name))


def tables_by_name() -> dict[str, tables.FileTable]:
    return {table.name: table for table in tables.TABLES}
