"""What the yml of marts and facts declares of their cells: complete, and of rows that can be named and traced."""

from collections.abc import Iterator

import pytest

from etl_assets.declare.source import Source
from etl_assets.orchestration.models.explanations import explanations, fact_origins, mart_columns
from etl_assets.sources import SOURCES

MODELLED = [source for source in SOURCES if mart_columns(source.name)]


def marts() -> Iterator[tuple[str, str]]:
    for source in SOURCES:
        yield from ((source.name, relation) for relation in mart_columns(source.name))


@pytest.mark.parametrize(("source", "mart"), list(marts()), ids=lambda name: name)
def test_every_column_is_of_the_grain_an_attribute_or_explained(source: str, mart: str) -> None:
    assert mart in explanations(source), f"{mart}: its yml has no meta.explain"
    explanation = explanations(source)[mart]
    columns = set(mart_columns(source)[mart])
    assert columns - explanation.columns == set()
    assert {*explanation.grain, *explanation.attributes} - columns == set()
    assert set(explanation.cells) & columns or mart.startswith("tracktik.v_current")


def test_a_declaration_that_lacks_a_column_is_found() -> None:
    """The test above compares what it means to."""
    without = explanations("tracktik")["tracktik.mart_hours"].only("clocked_hours")
    assert "approved_hours" in set(mart_columns("tracktik")["tracktik.mart_hours"]) - without.columns


@pytest.mark.parametrize("source", MODELLED, ids=lambda source: source.name)
def test_every_row_that_a_cell_is_made_of_is_traced_to_staging(source: Source) -> None:
    facts, own = fact_origins(source.name), explanations(source.name)
    named = {rows.relation for explanation in own.values() for rows in explanation.rows}
    if source.publication:
        return  # rows of persons: none of them is told
    assert {relation for relation in named - own.keys() if not (relation in facts and facts[relation].origins)} == set()
    staging = {f"{source.schema}.{table.name}" for table in source.tables}
    assert {each.table for fact in facts.values() for each in fact.origins} <= staging


@pytest.mark.parametrize("source", MODELLED, ids=lambda source: source.name)
def test_no_key_that_is_printed_tells_of_a_person(source: Source) -> None:
    tables = {f"{source.schema}.{table.name}": table for table in source.tables}
    for fact in fact_origins(source.name).values():
        for origin in fact.origins:
            table = tables[origin.table]
            assert not set(source.row_key(table)) & set(table.personal), origin.table
