from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.pq import TransactionStatus

from etl_assets.warehouse.copy import copy_in, copy_line

INTO = sql.SQL("copy pg_temp.here (word, number) from stdin")
SKIPPING = sql.SQL("copy pg_temp.here (word, number) from stdin (format csv, on_error ignore, log_verbosity verbose)")


@pytest.fixture
def here(connection: psycopg.Connection) -> psycopg.Connection:
    connection.execute("create temp table here (word text, number int)")
    return connection


def rows(connection: psycopg.Connection) -> list:
    return connection.execute("select word, number from here order by number").fetchall()


def test_blocks_may_end_anywhere(here) -> None:
    assert copy_in(here, INTO, [b"on", b"e\t1\ntw", b"", b"o\t2\n"]).rows == 2
    assert rows(here) == [("one", 1), ("two", 2)]


def test_a_block_may_be_longer_than_a_piece(here) -> None:
    block = b"".join(b"%d\t%d\n" % (n, n) for n in range(50_000))
    assert copy_in(here, INTO, [block]).rows == 50_000
    assert rows(here)[-1] == ("49999", 49_999)


def test_a_transaction_is_begun_and_left_open(warehouse_url) -> None:
    with psycopg.connect(warehouse_url) as connection:
        connection.execute("create temp table here (word text, number int)")
        connection.commit()
        copy_in(connection, INTO, [b"one\t1\n"])
        assert connection.info.transaction_status == TransactionStatus.INTRANS
        connection.rollback()
        assert rows(connection) == []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="null"),
        pytest.param("", id="nothing"),
        pytest.param("\\N", id="what looks like null"),
        pytest.param("tab\tline\nreturn\rback\\slash 😀", id="what must be escaped"),
    ],
)
def test_a_line_keeps_its_values(here, value) -> None:
    copy_in(here, INTO, [copy_line([value, "1"])])
    assert rows(here) == [(value, 1)]


def test_rows_that_do_not_fit_are_told_by_their_line(here) -> None:
    copied = copy_in(here, SKIPPING, [b'one,1\n"tw\no",x\nthree,3\n"line 9 ""y""",z\n'])
    assert (copied.rows, copied.skipped) == (2, (3, 5))


def test_an_error_of_the_reader_ends_the_copy_and_is_raised(here) -> None:
    def failing() -> Iterator[bytes]:
        yield b"one\t1\n"
        raise KeyError("the reader's own")

    with pytest.raises(KeyError, match="the reader's own"):
        copy_in(here, INTO, failing())
    assert here.info.transaction_status == TransactionStatus.INERROR
    assert here.pgconn.nonblocking == 1


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        pytest.param([b"one\tx\n"], psycopg.errors.InvalidTextRepresentation, id="at the end"),
        pytest.param(
            [b"one\tx\n", *[b"two\t2\n" * 10_000] * 100], psycopg.errors.InvalidTextRepresentation, id="in the middle"
        ),
        pytest.param([b"one\t1\t2\n"], psycopg.errors.BadCopyFileFormat, id="a column too many"),
    ],
)
def test_what_the_server_says_is_raised_and_the_connection_goes_on(here, blocks, error) -> None:
    with here.transaction(), pytest.raises(error), here.transaction():
        copy_in(here, INTO, blocks)
    assert copy_in(here, INTO, [b"one\t1\n"]).rows == 1
    assert here.pgconn.nonblocking == 1


def test_a_statement_that_is_no_copy_is_refused(here) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable), here.transaction():
        copy_in(here, sql.SQL("copy nowhere from stdin"), [])
    assert rows(here) == []
