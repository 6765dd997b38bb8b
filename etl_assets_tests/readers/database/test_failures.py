"""A source that is away, busy or refuses: said in our words, without a secret and without a value of a row."""

import re
import traceback
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

import pytest

from etl_assets.declare.database_reader import RowRange
from etl_assets.errors import EtlError, TransientError
from etl_assets.readers.database import connect_database, mysql_batches, open_connection
from etl_assets.readers.database.database_url import DatabaseUrl
from etl_assets_tests.readers.database.databases import DRIVERS, INSTALLED, execute, keys_of

VALUE = "Kandinsky-Nobody"
PASSWORD = "p@ss/w:rd%?#"  # noqa: S105 (of an account of the test)


@pytest.fixture(scope="module")
def source(new_mysql_database: Callable[[], str]) -> str:
    url = new_mysql_database()
    execute(
        url,
        "create table patient (PatNum bigint primary key, LName varchar(2000)) engine=MyISAM",
        f"insert into patient select seq, repeat('{VALUE} ', 100) from seq_1_to_20000",
    )
    return url


@pytest.fixture
def reader_account(source: str) -> str:
    """The URL of an account that may do nothing but SELECT, with a password that needs encoding."""
    database = urlsplit(source).path[1:]
    execute(
        source,
        f"create or replace user reads_{database} identified by '{PASSWORD}'",
        f"grant select on {database}.* to reads_{database}",
    )
    place = urlsplit(source).netloc.rpartition("@")[2]
    return f"mysql://reads_{database}:p%40ss%2Fw%3Ard%25%3F%23@{place}/{database}"


def said(error: BaseException) -> str:
    """All that would be printed of an error, its causes too."""
    return "".join(traceback.format_exception(error))


def hold_secrets(error: BaseException, url: str) -> None:
    password = urlsplit(url).password or ""
    for secret in (password, PASSWORD, VALUE):
        assert secret not in said(error)
    assert error.__cause__ is None


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_read_only_account_suffices_and_writes_nothing(reader_account: str, driver: str) -> None:
    reader = connect_database({"url": reader_account, "driver": driver})
    table = reader.describe()["patient"]
    assert (table.key, reader.count(table)) == (("PatNum",), 20000)
    assert keys_of(reader.read(table, RowRange(keys=(5, 6)), batch_size=10)) == [5, 6]
    assert sum(each.rows for each in reader.fingerprints(table, [], batch_size=9000)) == 20000
    assert reader.sums(table, RowRange(upto=3)).rows == 3
    reader.close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_nothing_can_be_written_by_a_reader_of_any_account(source: str, driver: str) -> None:
    database = urlsplit(source).path[1:]
    execute(source, f"create or replace table {database}.kept (a int) engine=InnoDB")
    reader = connect_database({"url": source, "driver": driver})
    with pytest.raises(EtlError, match="1792"):
        reader._connection.rows("insert into kept values (1)")  # type: ignore[attr-defined]  # noqa: SLF001
    reader.close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_source_that_is_not_there_may_be_there_later(source: str, driver: str) -> None:
    parts = urlsplit(source)
    for place in ("127.0.0.1:1", "nowhere.invalid:3306"):
        url = urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{place}"))
        with pytest.raises(TransientError, match=re.escape(place)) as caught:
            connect_database({"url": url, "driver": driver})
        hold_secrets(caught.value, url)


@pytest.mark.parametrize("driver", DRIVERS)
def test_refusals_name_the_account_the_database_and_the_table(source: str, reader_account: str, driver: str) -> None:
    parts = urlsplit(source)
    place = parts.netloc.rpartition("@")[2]
    wrong = f"mysql://etl:{VALUE}@{place}{parts.path}"
    with pytest.raises(EtlError, match="Access denied for user 'etl'") as caught:
        connect_database({"url": wrong, "driver": driver})
    hold_secrets(caught.value, wrong)
    assert not isinstance(caught.value, TransientError)
    with pytest.raises(EtlError, match=r"(?i)unknown database 'none_such'"):
        connect_database({"url": urlunsplit(parts._replace(path="/none_such")), "driver": driver})
    reader = connect_database({"url": source, "driver": driver})
    table = reader.describe()["patient"]
    execute(source, "rename table patient to away")
    with pytest.raises(EtlError, match=r"patient.* doesn't exist"):
        list(reader.read(table, RowRange(), batch_size=10))
    execute(source, "rename table away to patient")
    assert reader.count(table) == 20000
    reader.close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_connection_that_dies_in_mid_read_is_transient(
    source: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_batches, "BATCH_BYTES", 1 << 16)
    url = source
    reader = connect_database({"url": url, "driver": driver})
    table = reader.describe()["patient"]
    blocks = reader.read(table, RowRange(), batch_size=100_000)
    next(blocks)
    database = urlsplit(url).path[1:]
    other = open_connection(url)
    cursor = other.cursor()
    cursor.execute(f"select id from information_schema.processlist where db = '{database}' and id <> connection_id()")
    for (number,) in cursor.fetchall():
        cursor.execute(f"kill {number}")
    other.close()
    with pytest.raises(TransientError, match=database) as caught:
        list(blocks)
    hold_secrets(caught.value, url)
    with pytest.raises(TransientError):
        reader.count(table)
    reader.close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_table_that_somebody_keeps_locked_is_transient(source: str, driver: str) -> None:
    reader = connect_database({"url": source, "driver": driver})
    table = reader.describe()["patient"]
    reader._connection.rows("set session lock_wait_timeout = 1")  # type: ignore[attr-defined]  # noqa: SLF001
    other = open_connection(source)
    other.cursor().execute("lock tables patient write")
    with pytest.raises(TransientError, match="a lock was not to be had") as caught:
        list(reader.read(table, RowRange(), batch_size=10))
    hold_secrets(caught.value, source)
    other.close()
    assert reader.count(table) == 20000
    reader.close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_reader_is_closed_in_mid_read_without_a_word(
    source: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the warehouse has failed, and what failed still holds the blocks."""
    monkeypatch.setattr(mysql_batches, "BATCH_BYTES", 1 << 16)
    for batch_size in (50, 100_000):
        reader = connect_database({"url": source, "driver": driver})
        blocks = reader.read(reader.describe()["patient"], RowRange(), batch_size=batch_size)
        next(blocks)
        reader.close()
        with pytest.raises(StopIteration):
            next(blocks)
        with pytest.raises(EtlError):
            reader.now()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_connection_is_not_asked_two_things_at_once(
    source: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_batches, "BATCH_BYTES", 1 << 16)
    reader = connect_database({"url": source, "driver": driver})
    table = reader.describe()["patient"]
    blocks = reader.read(table, RowRange(), batch_size=100_000)
    next(blocks)
    with pytest.raises(RuntimeError, match="still being taken"):
        reader.count(table)
    assert len(keys_of(blocks)) > 19_000
    reader.close()


def test_a_url_is_read_as_it_is_written_and_shown_without_its_password() -> None:
    url = DatabaseUrl.parse(
        "mysql://o%40d:p%40ss%2Fw%3Ard%25%3F%23@db.example:3307/open%20dental?ssl_ca=/etc/ca.pem", "X"
    )
    assert (url.user, url.password, url.database) == ("o@d", PASSWORD, "open dental")
    assert (url.host, url.port, url.options) == ("db.example", 3307, {"ssl_ca": "/etc/ca.pem"})
    assert PASSWORD not in repr(url)
    assert DatabaseUrl.parse("mysql:///opendental?socket=/run/s", "X").display_name == "opendental at /run/s"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "ETL_OPEN_DENTAL_URL is not set"),
        ({"url": "mysql://a:Kandinsky-Nobody@h:port/x"}, "ETL_OPEN_DENTAL_URL is not a URL"),
        ({"url": "oracle://a:Kandinsky-Nobody@h/x"}, "neither MySQL nor PostgreSQL"),
        ({"url": "mysql://a:Kandinsky-Nobody@h/x?sslmode=1"}, "option 'sslmode'"),
        ({"url": "mysql://a:Kandinsky-Nobody@h/x", "driver": "oracledb"}, "'oracledb' is none"),
        ({"url": "mysql://a:Kandinsky-Nobody@127.0.0.1/x?ssl_ca=/not/there.pem"}, "127.0.0.1"),
    ],
)
def test_settings_that_cannot_be_read_are_named(given: dict[str, str], message: str) -> None:
    for driver in INSTALLED if "driver" not in given else [given["driver"]]:
        with pytest.raises(EtlError, match=message) as caught:
            connect_database({"driver": driver, **given})
        assert VALUE not in said(caught.value)
