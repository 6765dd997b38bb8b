"""The command that checks declarations and settings before anything is run by them; nothing is connected."""

import argparse
from collections.abc import Callable, Iterator

from etl_assets.alerts.channels import ALERT_SETTINGS, channels
from etl_assets.alerts.dispatch import summary_hour
from etl_assets.alerts.heartbeat import HEARTBEAT
from etl_assets.cli.arguments import Commands, command
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.settings import Settings, read_settings
from etl_assets.sources import SOURCES, chosen_sources


def validate(options: argparse.Namespace) -> None:
    """Check all declarations, settings and models, offline; ends with 1 where one is wrong.

    Raises:
        EtlError: It names all that is wrong.
    """
    from etl_assets.orchestration.code_location import definition_errors  # Dagster: seconds, and others do without

    del options
    settings = read_settings()
    wrong = [f"{name}: its name is none of a setting or a source" for name in unknown_variables(settings)]
    sources = chosen_sources(settings.sources)
    for source in sources:
        problems = list(_problems(settings, source))
        wrong += [f"{source.name}: {problem}" for problem in problems]
        state = "wrong" if problems else "set up" if _is_set_up(settings, source) else "not set up"
        print(f"{source.name:18} {len(source.tables):>4} tables  {len(source.rules):>4} rules  {state}")
    wrong += [*_alert_problems(settings), *definition_errors(sources)]
    if wrong:
        number = "1 thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
        raise EtlError("\n".join([f"{number} wrong:", *wrong]))
    print("All declarations, models and settings are in order.")


def unknown_variables(settings: Settings) -> list[str]:
    """Variables that are called like ours, and are no setting: most often a name that is misspelt."""
    ours = {f"ETL_{name}".upper() for name in vars(settings)} | {"ETL_SECRETS_FILE"}
    ours |= {HEARTBEAT, *(f"ETL_ALERTS_{word}".upper() for word in ALERT_SETTINGS)}
    prefixes = tuple(f"ETL_{source.name}_".upper() for source in SOURCES)
    return sorted(name for name in settings.given if name not in ours and not name.startswith((*prefixes, "ETL_DBT_")))


def _alert_problems(settings: Settings) -> Iterator[str]:
    """What is wrong with how people hear of what goes wrong."""
    for check in (channels, summary_hour):
        try:
            check(settings)
        except EtlError as error:
            yield str(error)


def _is_set_up(settings: Settings, source: Source) -> bool:
    return not source.missing_settings(settings.of_source(source.name))


def _problems(settings: Settings, source: Source) -> Iterator[str]:
    """What is wrong with the settings of a source; nothing where none of them is set."""
    from etl_assets.orchestration.kinds import kind_of

    given = settings.of_source(source.name)
    try:
        missing = source.missing_settings(given)
    except ValueError as error:
        yield str(error)
        return
    if missing and given:
        yield f"it is half set up: not set is {', '.join(missing)}"
    if not missing:
        for check in kind_of(source).setting_checks:
            yield from _raised(check, settings, source)


def _raised(check: Callable[[Settings, Source], object], settings: Settings, source: Source) -> Iterator[str]:
    try:
        check(settings, source)
    except (EtlError, ValueError) as error:
        yield str(error)


def add_validate_command(commands: Commands) -> None:
    """The command of this room."""
    command(commands, "validate", validate)
