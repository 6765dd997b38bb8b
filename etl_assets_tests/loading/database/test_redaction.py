"""Free text is loaded only where it is asked for, and without what identifies a person by its form."""

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from etl_assets.declare.dates import Span
from etl_assets.errors import EtlError
from etl_assets.loading.database.load import DatabaseStrategy
from etl_assets.loading.database.redaction import redact_text
from etl_assets.loading.report import LoadReport
from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.sandbox.lacrei_saude.planted import planted
from etl_assets.settings import Settings
from etl_assets.sources.lacrei_saude import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.runs import load_by

TABLES = ["lacreiid_report", "lacreiid_cancellation"]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Me liga no (11) 98765-4321, ou +55 21 99876 5432.", "Me liga no [telefone], ou [telefone]."),
        ("11987654321", "[telefone]"),
        ("ana.silva@example.org me atendeu", "[e-mail] me atendeu"),
        ("CPF 529.982.247-25, 52998224725", "CPF [CPF], [CPF]"),
        ("CNPJ 11.222.333/0001-81", "CNPJ [CNPJ]"),
        ("veja https://example.org/ana", "veja [link]"),
        ("cartão 4111 1111 1111 1111", "cartão [número]"),
        ("esperei 30 minutos, sala 12, em 2026: R$ 150,00", "esperei 30 minutos, sala 12, em 2026: R$ 150,00"),
        ("", ""),
    ],
)
def test_what_identifies_somebody_by_its_form_is_replaced(text: str, redacted: str) -> None:
    assert redact_text(text) == redacted


@pytest.fixture
def source(empty_database: Callable[[], str]) -> str:
    url = empty_database()
    fill(url, patients=60, seed=3)
    return url


@pytest.fixture
def installation(settings: Settings, source: str) -> Settings:
    given = {"ETL_LACREI_SAUDE_URL": source, "ETL_LACREI_SAUDE_PSEUDONYM_KEY": "planted-secret-planted-secret-planted"}
    return replace(settings, given={**settings.given, **given})


@pytest.fixture
def asked(installation: Settings) -> Settings:
    return replace(installation, given={**installation.given, "ETL_LACREI_SAUDE_FREE_TEXT": "redacted"})


def load(settings: Settings, **options: bool) -> dict[str, LoadReport]:
    first = SOURCE.database.start
    with open_batch(settings, SOURCE.name, "load") as batch:
        reports = load_by(DatabaseStrategy, settings, SOURCE, TABLES, span=Span(first, first), batch=batch, **options)
    assert [str(report.failure) for report in reports.values() if report.failure] == []
    assert all(check.passed for report in reports.values() for check in report.checks)
    return reports


def changed(reports: dict[str, LoadReport]) -> int:
    return sum(report.counts.changed for report in reports.values())


def texts(settings: Settings) -> dict[str, str]:
    with connect(settings) as connection:
        return dict(connection.execute("select id, feedback from lacreisaude_staging_01.lacreiid_report").fetchall())


def test_free_text_is_not_loaded_unless_asked_for(installation: Settings) -> None:
    load(installation)
    with pytest.raises(psycopg.errors.UndefinedColumn):
        texts(installation)


def test_free_text_that_is_asked_for_is_redacted_and_followed(source: str, asked: Settings) -> None:
    load(asked)
    with psycopg.connect(source, autocommit=True) as network:
        there = dict(network.execute("select id, feedback from lacreiid_report").fetchall())
        planted_values = planted(network)
        held = texts(asked)
        assert held.keys() == there.keys()
        assert {key: redact_text(text) for key, text in there.items()} == held
        assert any(text != there[key] for key, text in held.items())
        forms = set().union(*(planted_values[kind] for kind in ("emails", "phones", "cpfs")))
        assert [form for form in forms if any(form in text for text in held.values())] == []

        assert changed(load(asked)) == 0
        assert changed(load(asked, full_compare=True)) == 0
        some = min(there)
        text = "liga 11 98765-4321\\n\tou\nescreve"
        network.execute("update lacreiid_report set feedback = %s where id = %s", [text, some])
        assert changed(load(asked)) == 1
        assert texts(asked)[some] == "liga [telefone]\\n\tou\nescreve"
    with connect(asked) as connection:
        comment = connection.execute(
            "select col_description(attrelid, attnum) from pg_attribute"
            " where attrelid = 'lacreisaude_staging_01.lacreiid_report'::regclass and attname = 'feedback'"
        ).fetchone()
    assert comment
    assert comment[0].startswith("free_text: ")


def test_free_text_that_is_asked_for_later_comes_for_all_rows(installation: Settings, asked: Settings) -> None:
    load(installation)
    assert changed(load(asked)) > 0
    assert any(texts(asked).values())


def test_free_text_is_loaded_in_no_other_way(installation: Settings) -> None:
    given = {**installation.given, "ETL_LACREI_SAUDE_FREE_TEXT": "yes"}
    with pytest.raises(EtlError, match="ETL_LACREI_SAUDE_FREE_TEXT is 'yes'; 'redacted' was expected"):
        load(replace(installation, given=given))
