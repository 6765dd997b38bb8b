"""The rehearsal: an installation of its own, stand-ins of its sources, a night of faults, and a table of what came of it."""

import time
from collections.abc import Callable
from contextlib import ExitStack, closing

from etl_assets.drills.installation import Installation, scratch_installation
from etl_assets.drills.rehearsal import file_faults, load_faults, service_faults
from etl_assets.drills.rehearsal.company import GuardCompany
from etl_assets.drills.rehearsal.hospital import Hospital
from etl_assets.drills.rehearsal.night import HEADER, Night
from etl_assets.sandbox.receivers import receivers


def rehearse(say: Callable[[str], None], *, short: bool = False, seed: int = 1) -> bool:
    """Play a night of faults, and say a line for each; returns whether nothing was lost, doubled, or left untold.

    Args:
        say: Takes a line.
        short: Four faults of two sources, of which staging alone is loaded.
        seed: Another one has other things change at the sources.
    """
    with ExitStack() as opened:
        heard = opened.enter_context(receivers())
        at = opened.enter_context(scratch_installation(heard.settings))
        return play(Night(at, heard, say, builds=not short), short=short, seed=seed)


def play(night: Night, *, short: bool, seed: int) -> bool:
    """As `rehearse`, in an installation that is there."""
    began = time.monotonic()
    hospital = Hospital(night.at.landing, seed)
    with closing(GuardCompany(seed)) as company:
        night.at.environment.update(company.environment)
        for place in (hospital, company):
            night.load(place)
        night.say(HEADER)
        load_faults.run_is_killed(night, hospital)
        service_faults.service_stumbles(night, company)
        file_faults.file_is_cut_off(night, hospital)
        load_faults.connection_is_cut(night, company)
        if not short:
            file_faults.file_comes_twice(night, hospital)
            file_faults.file_comes_late(night, hospital)
            file_faults.lines_cannot_be_read(night, hospital)
            file_faults.day_is_corrected(night, hospital)
            load_faults.two_runs_at_once(night, hospital)
            load_faults.two_runs_at_once(night, company)
            service_faults.service_is_down(night, company)
    _say_result(night, time.monotonic() - began)
    return night.is_good


def _say_result(night: Night, seconds: float) -> None:
    lost = sum(each.difference.lost for each in night.troubles)
    doubled = sum(each.difference.doubled for each in night.troubles)
    untold = sum(len(each.wrong) for each in night.troubles)
    night.say(
        f"{len(night.troubles)} faults in {seconds:.0f} s: {lost:,} rows lost, {doubled:,} rows doubled"
        + f", {untold} not told" * bool(untold)
        + "."
    )
