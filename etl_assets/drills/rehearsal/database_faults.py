"""Faults of a database that is copied: it refuses, and it ends connections in the midst of a load."""

from etl_assets.drills.rehearsal.databases import CopiedDatabase
from etl_assets.drills.rehearsal.night import Night, channels_of


def database_is_down(night: Night, place: CopiedDatabase) -> None:
    """It takes no connection for a whole run; later it does again."""
    with night.fault("the database refuses all connections, then not", place) as trouble:
        place.change()
        night.at.administer(f"alter database {place.name} with allow_connections false")
        _end_connections(night, place)
        trouble.strike()
        done = night.etl(*night.words(place))
        trouble.expect(done.code == 1, "the run ends with 1")
        news = night.look() or night.look(minutes=11)
        trouble.expect(any(place.source.name in each.title for each in news), channels_of(news))
        night.at.administer(f"alter database {place.name} with allow_connections true")
    over = [each for each in night.look(minutes=12) if "RESOLVE" in (each.title + each.action).upper()]
    trouble.expect(over, "over")


def source_cuts_connections(night: Night, place: CopiedDatabase) -> None:
    """It ends every connection while tables are being copied."""
    with night.fault("the database ends its connections in mid-load", place) as trouble:
        place.change()
        with night.held_before_commit() as waiting:
            process = night.begin(*night.words(place))
            waiting()
            _end_connections(night, place)
            trouble.strike()
        done = night.end(process)
        if done.code == 1:
            trouble.tell("the run ends with 1")
        else:
            trouble.pass_by("the load connects again")


def _end_connections(night: Night, place: CopiedDatabase) -> None:
    night.at.administer("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", place.name)
