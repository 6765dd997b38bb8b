"""The errors this package raises, and whether trying again may help."""


class EtlError(Exception):
    """Something a person must look at; running again will not cure it."""


class TransientError(EtlError):
    """The source, the warehouse or the network was busy; the same run may pass later."""


class FileRefused(EtlError):
    """A file that cannot be taken in at all; nothing of it was loaded."""


class SchemaDrift(EtlError):
    """A table of the warehouse and its declaration disagree about a column's type."""
