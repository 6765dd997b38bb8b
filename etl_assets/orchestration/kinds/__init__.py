"""The kinds of source there are. A fourth one is a room on each floor and a line here, and nothing else."""

from collections.abc import Mapping

from etl_assets.declare.database import Database
from etl_assets.declare.files import FileDrop
from etl_assets.declare.service import Service
from etl_assets.declare.source import Source
from etl_assets.orchestration.kinds.database import DATABASE
from etl_assets.orchestration.kinds.files import FILES
from etl_assets.orchestration.kinds.kind import Kind
from etl_assets.orchestration.kinds.rest import REST

KINDS: Mapping[type, Kind] = {FileDrop: FILES, Service: REST, Database: DATABASE}


def kind_of(source: Source) -> Kind:
    """How a source is loaded, scheduled and shown."""
    return KINDS[type(source.reader)]
