"""Faults of files: delivered twice, late, cut off, with lines that nobody can read, and corrected."""

from etl_assets.drills.rehearsal.hospital import EARLIER, FIRST, Hospital
from etl_assets.drills.rehearsal.night import Night


def file_comes_twice(night: Night, place: Hospital) -> None:
    """The same bytes, under another name."""
    with night.fault("a file is delivered twice", place) as trouble:
        for path in place.deliver(place.new_day()):
            path.with_name(f"{path.stem}_again.csv").write_bytes(path.read_bytes())
            trouble.strike()
        done = night.etl(*night.words(place))
        twice = night.at.query("select count(*) from etl.source_file where status = 'duplicate'")
        trouble.expect(done.code == 0 and twice != [(0,)], "the ledger calls it a duplicate")
        trouble.healed = "that run"


def file_comes_late(night: Night, place: Hospital) -> None:
    """Of a day that lies before all those that are loaded."""
    with night.fault("a file comes a week late", place) as trouble:
        place.deliver(EARLIER)
        trouble.pass_by("it is loaded as any other")


def file_is_cut_off(night: Night, place: Hospital) -> None:
    """In the middle of a line; later it comes whole."""
    with night.fault("a file is cut off in mid-line, then comes whole", place) as trouble:
        files = place.deliver(place.new_day())
        cut = next(path for path in files if path.name.startswith("or_case"))
        whole = cut.read_bytes()
        cut.write_bytes(whole[: len(whole) * 6 // 10])
        trouble.strike()
        done = night.etl(*night.words(place))
        rejected = night.at.query("select count(*) from stg.data_load_error where source_file = %s", cut.name)
        refused = night.at.query("select count(*) from stg.file_tracking where status = 'FAILED'")
        trouble.expect(
            rejected != [(0,)] or refused != [(0,)], f"the line that breaks off is a rejected row (exit {done.code})"
        )
        cut.write_bytes(whole)


def lines_cannot_be_read(night: Night, place: Hospital) -> None:
    """Some lines of a file cannot be stored; the others are."""
    defects = {"bad_date": 1, "bad_timestamp": 1, "ragged_short": 1}
    with night.fault(f"a file with {sum(defects.values())} lines that cannot be read", place) as trouble:
        before = night.at.query("select count(*) from stg.data_load_error")[0][0]
        place.deliver(place.new_day(), defects=defects, rooms=12)
        trouble.strike()
        night.etl(*night.words(place))
        after = night.at.query("select count(*) from stg.data_load_error")[0][0]
        trouble.expect(after - before == sum(defects.values()), "each is a rejected row, with its line and reason")
        trouble.healed = "that run"


def day_is_corrected(night: Night, place: Hospital) -> None:
    """A file for a date that is loaded already: cases differ, one is gone, another is there."""
    with night.fault("a correction of a day that is loaded", place) as trouble:
        place.correct(FIRST)
        trouble.pass_by("it is loaded as any other")
