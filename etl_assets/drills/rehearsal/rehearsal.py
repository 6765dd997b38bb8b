"""The rehearsal: an installation of its own, stand-ins of its sources, a night of faults, and what came of it."""

import time
from collections.abc import Callable
from contextlib import ExitStack, closing

from etl_assets.drills.installation import scratch_installation
from etl_assets.drills.rehearsal import database_faults, dawn, file_faults, load_faults, service_faults
from etl_assets.drills.rehearsal.company import GuardCompany
from etl_assets.drills.rehearsal.databases import Network, Practice
from etl_assets.drills.rehearsal.hospital import Hospital
from etl_assets.drills.rehearsal.night import HEADER, Night
from etl_assets.drills.rehearsal.places import Place
from etl_assets.drills.rehearsal.trials import ContactBook, TrialOffice
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
        return play(Night(at, heard, say, builds=False), short=short, seed=seed)


def play(night: Night, *, short: bool, seed: int) -> bool:
    """As `rehearse`, in an installation that is there."""
    began = time.monotonic()
    with ExitStack() as opened:
        hospital, company = Hospital(night.at.landing, seed), opened.enter_context(closing(GuardCompany(seed)))
        _begin(night, hospital, company)
        night.say(HEADER)
        load_faults.run_is_killed(night, hospital)
        service_faults.service_stumbles(night, company)
        file_faults.file_is_cut_off(night, hospital)
        load_faults.connection_is_cut(night, company)
        if not short:
            _go_on(night, opened, hospital, company, seed)
    _say_result(night, time.monotonic() - began)
    return night.is_good


def _begin(night: Night, *places: Place) -> None:
    for place in places:
        night.at.environment.update(place.environment)
        night.load(place)


def _go_on(night: Night, opened: ExitStack, hospital: Hospital, company: GuardCompany, seed: int) -> None:
    """The faults that the short form leaves out."""
    file_faults.file_comes_twice(night, hospital)
    file_faults.file_comes_late(night, hospital)
    file_faults.lines_cannot_be_read(night, hospital)
    file_faults.day_is_corrected(night, hospital)
    load_faults.two_runs_at_once(night, hospital)
    if load_faults.may_mount():
        load_faults.disk_is_full(night, hospital)
    else:
        night.say("NOT REHEARSED: a full disk; a small one can be mounted by root alone.")
    load_faults.build_is_killed(night, hospital)
    load_faults.two_runs_at_once(night, company)
    service_faults.page_comes_twice(night, company)
    service_faults.service_is_down(night, company)
    by_day: tuple[Place, ...] = (hospital, company)
    for place in by_day:
        dawn.full_build_writes_nothing(night, place)
    dawn.undisturbed_load_makes_the_same(night, hospital)
    databases = Practice(night.at, seed), Network(night.at, seed)
    _begin(night, *databases)
    for database in databases:
        load_faults.run_is_killed(night, database)
        database_faults.source_cuts_connections(night, database)
        database_faults.database_is_down(night, database)
    services = opened.enter_context(closing(TrialOffice())), opened.enter_context(closing(ContactBook(seed)))
    _begin(night, *services)
    for service in services:
        load_faults.run_is_killed(night, service)
        load_faults.connection_is_cut(night, service)
    for place in (*databases, services[0]):
        dawn.full_build_writes_nothing(night, place)


def _say_result(night: Night, seconds: float) -> None:
    lost = sum(each.difference.lost for each in night.troubles)
    doubled = sum(each.difference.doubled for each in night.troubles)
    untold = sum(len(each.wrong) for each in night.troubles)
    night.say(
        f"{len(night.troubles)} faults in {seconds:.0f} s: {lost:,} rows lost, {doubled:,} rows doubled"
        + f", {untold} not told" * bool(untold)
        + "."
    )
