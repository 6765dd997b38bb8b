"""The columns of models that hold persons' keys or pseudonyms, as their yml says by `meta: {subject: patient}`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.orchestration.models.dbt_project import source_manifest
from etl_assets.orchestration.models.model_builds import relation_of
from etl_assets.warehouse.database.person_models import SubjectColumn
from etl_assets.warehouse.relation import Relation


def subject_columns(source: Source) -> list[SubjectColumn]:
    """Those of a source's models, as far as the project describes them, and of what is published of these.

    Raises:
        EtlError: A column is said to hold the key of what the source declares no persons by.
    """
    subjects = source.database.subjects
    known = {subject.name for subject in subjects} | {table.name for table in source.tables if subjects}
    nodes = source_manifest(source.name).get("manifest", {}).get("nodes", {})
    found = list(read_subject_columns(nodes))
    for each in found:
        if each.subject not in known:
            raise EtlError(
                f"{each.relation}.{each.column} is said to be of a {each.subject}, and {source.name} declares no"
                " subject and no table of that name."
            )
    if publication := source.publication:
        exact = [each for each in found if each.relation.schema == publication.exact_schema]
        found += [replace(each, relation=Relation(publication.schema, each.relation.name)) for each in exact]
    return found


def read_subject_columns(nodes: Mapping[str, Any]) -> Iterator[SubjectColumn]:
    """The columns of a manifest's nodes that say whose key or pseudonym they hold."""
    for node in nodes.values():
        for name, column in node.get("columns", {}).items():
            meta = {**column.get("meta", {}), **column.get("config", {}).get("meta", {})}
            named = meta.get("subject", ())
            subjects: Sequence[str] = (named,) if isinstance(named, str) else named
            schema, _, relation = relation_of(node).partition(".")
            for subject in subjects:
                yield SubjectColumn(relation=Relation(schema, relation), column=name, subject=subject)
