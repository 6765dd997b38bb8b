"""What is held open while a service is loaded."""

from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import psycopg

from etl_assets.declare.document_reader import DocumentReader
from etl_assets.errors import EtlError
from etl_assets.loading.load import LoadRequest
from etl_assets.readers.rest.redaction import Redaction
from etl_assets.readers.rest.unreadable import UnreadableAnswer
from etl_assets.warehouse.ledger import record_unreadable_answer
from etl_assets.warehouse.relation import Relation


@dataclass
class RestSession:
    """A connection to the warehouse, in autocommit mode, and one to each instance of the service that is read."""

    connection: psycopg.Connection
    request: LoadRequest
    _opened: ExitStack
    _readers: dict[str, DocumentReader] = field(default_factory=dict)

    def reader(self, instance: str) -> DocumentReader:
        """The connection to an instance.

        Raises:
            EtlError: It is not set up, or refuses to let us in.
        """
        if instance not in self._readers:
            service, source = self.request.source.service, self.request.source
            given = service.settings_by_instance(self.request.settings.of_source(source.name))
            self._readers[instance] = self._opened.enter_context(closing(service.connect(given[instance])))
        return self._readers[instance]


def keep_unreadable(request: LoadRequest, relation: Relation, instance: str, error: EtlError) -> None:
    """Keep how the answer began that an error says cannot be read; of other errors there is nothing to keep."""
    if isinstance(error, UnreadableAnswer) and error.excerpt:
        excerpt = Redaction(request.source.rest_table(relation.name)).conceal(error.excerpt.reveal())
        record_unreadable_answer(request.batch.connection, relation, instance, str(error), excerpt)
