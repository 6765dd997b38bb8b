"""A source whose packets are shorter than its rows and values: nothing is lost, and no change is overlooked."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.database_reader import UNKNOWN, Fingerprint
from etl_assets.declare.tables import Full
from etl_assets.loading.database.ranges import find_changed
from etl_assets.readers.database import connect_database
from etl_assets_tests import mariadb
from etl_assets_tests.loading.database.clinic import Clinic, checks, copied, counts
from etl_assets_tests.readers.database.databases import DRIVERS

PACKET = 1 << 17
TEXTS = 30
LONG = ", ".join(["repeat('x', 6000)"] * TEXTS)


@pytest.fixture(scope="module")
def clinic_url() -> Iterator[str]:
    with mariadb.own_server() as url:
        yield url


@pytest.fixture(params=DRIVERS)
def tight(clinic: Clinic, request: pytest.FixtureRequest) -> Iterator[Clinic]:
    """A clinic whose server makes no long text for those who connect from now on; what it writes is as before."""
    given = {**clinic.settings.given, "ETL_OPEN_DENTAL_DRIVER": request.param}
    clinic.settings = replace(clinic.settings, given=given)
    before = clinic.execute("select @@global.max_allowed_packet")[0][0]
    clinic.execute(f"set global max_allowed_packet = {PACKET}")
    yield clinic
    clinic.execute(f"set global max_allowed_packet = {before}")


def declare(clinic: Clinic, name: str) -> None:
    clinic.tables = (CopiedTable(name=name, key="num", load=Full(), **copied()),)


def test_a_change_in_a_row_that_is_longer_than_a_packet_is_found(tight: Clinic) -> None:
    texts = [f"t{number}" for number in range(TEXTS)]
    tight.execute(
        f"create table form (Num int primary key, Kind int, {', '.join(f'{name} text' for name in texts)})",
        f"insert into form select seq, 0, {LONG} from seq_1_to_12",
    )
    declare(tight, "form")
    assert counts(tight.take("form")) == (12, 12, 0, 0, 0)
    assert counts(tight.take("form")) == (0, 0, 0, 0, 0)
    tight.execute("update form set Kind = 1 where Num = 7")
    assert tight.take("form").counts.rows_updated == 1
    tight.execute("update form set t29 = 'y' where Num = 8")
    assert tight.take("form").counts.rows_updated == 1
    assert tight.same("form", "Num, Kind, t0, t29")


def test_a_value_that_is_longer_than_a_packet_arrives(tight: Clinic) -> None:
    tight.execute(
        "create table scan (Num int primary key, Note longtext, Raw longblob, West mediumtext character set latin1,"
        " Old mediumtext character set utf8mb3, Place geometry)",
        f"insert into scan values (1, repeat('é\\t', {PACKET}), repeat('ab', {PACKET}), repeat('ü\\n', {PACKET}),"
        f" concat(repeat('a', {PACKET}), '\\0', repeat('b', {PACKET})), point(1, 2)),"
        " (2, null, null, null, null, null), (3, '', '', '', '', null), (4, 'NULL', '\\\\N', 'é', 'é', point(3, 4))",
    )
    declare(tight, "scan")
    report = tight.take("scan")
    assert checks(report)["matches_source"], report.checks[0].description
    assert tight.same("scan", "Num, Note, West")
    assert tight.execute("select Num, md5(Raw), hex(Place) from scan order by 1") == tight.held(
        "scan", "num, md5(raw), upper(encode(place, 'hex'))"
    )
    assert tight.held("scan", "num, length(old)") == [(1, 2 * PACKET), (2, None), (3, 0), (4, 1)]
    assert counts(tight.take("scan")) == (0, 0, 0, 0, 0)
    tight.execute(f"update scan set Note = concat(repeat('é\\t', {PACKET}), 'changed') where Num = 1")
    assert tight.take("scan").counts.rows_updated == 1
    assert checks(tight.take("scan", full_compare=True))["matches_source"]
    assert tight.same("scan", "Num, Note")


def test_a_checksum_that_the_source_cannot_compute_is_unknown(tight: Clinic) -> None:
    names = [f"c{number}" for number in range(500)]
    tight.execute(
        f"create table broad (Num int primary key, {' varchar(60), '.join(names)} varchar(60)) character set latin1",
        f"insert into broad (Num, {', '.join(names)}) values (1{', repeat(7, 50)' * len(names)})",
        "set global max_allowed_packet = 15360",
    )
    reader = connect_database(tight.settings.of_source("open_dental"))
    table = reader.describe(["broad"])["broad"]
    (found,) = reader.fingerprints(table, [], batch_size=10)
    assert (found.rows, found.checksum) == (1, UNKNOWN)
    short = table.without(names[20:])
    assert next(reader.fingerprints(short, [], batch_size=10)).checksum != UNKNOWN
    reader.close()


def test_a_range_of_unknown_checksum_counts_as_changed() -> None:
    known = Fingerprint(after=None, upto=5, rows=5, checksum="17")
    unknown = Fingerprint(after=5, upto=None, rows=2, checksum=UNKNOWN)
    assert find_changed((known, unknown), (known, unknown)) == (unknown,)
