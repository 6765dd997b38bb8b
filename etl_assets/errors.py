"""The errors this package raises, and whether trying again may help."""


class EtlError(Exception):
    """Something a person must look at; running again will not cure it."""


class TransientError(EtlError):
    """The source, the warehouse or the network was busy; the same run may pass later."""


class ListChanged(TransientError):
    """A list changed while it was read page by page: some record may be missing, or be there twice."""


class OutsideHours(TransientError):
    """A source may not be read at this time of day; nothing is wrong with it, and the next run reads it."""


class UnconfirmedDeletion(EtlError):
    """A record is not at its own address, and nothing tells whether the service says so or a gateway before it."""


class FileRefused(EtlError):
    """A file that cannot be taken in at all; nothing of it was loaded."""


class SchemaDrift(EtlError):
    """A table of the warehouse and its declaration disagree about a column's type."""


class NotAtSource(EtlError):
    """A declared table that the source's database does not have, and of which nothing is held: of another version."""


class ReplacedAtSource(NotAtSource):
    """A table of another version of the source, which has what it held in another form now."""


class ShrunkenLoad(EtlError):
    """A list that brought so few records that it cannot be whole; nothing of it was loaded."""

    def __init__(self, table: str, *, held: int, arrived: int, floor: float, again: str) -> None:
        super().__init__(
            f"{table}: {arrived:,} records arrived where {held:,} are held, under the floor of {floor:.0%}."
            f" The table was left as it was. If the source really shrank, run: {again} --accept-shrink"
        )
