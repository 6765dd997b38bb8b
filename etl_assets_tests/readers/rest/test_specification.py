"""What a Swagger document declares, as we keep it: types, shapes of answers, and the part that is used."""

import pytest

from etl_assets.readers.rest.specification import (
    ApiType,
    Operation,
    Specification,
    parse_specification,
    read_shapes,
    render_shapes,
)

TEXT, NUMBER = {"type": "string"}, {"type": "integer", "format": "int32"}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{name}", "description": "prose"}


def get(schema: object = None, parameters: tuple[str, ...] = (), **codes: str) -> dict[str, object]:
    answer = {"description": "prose"} | ({"schema": schema} if schema else {})
    others = {code.removeprefix("on"): {"description": "prose"} for code in codes}
    asked = [{"name": name, "in": "query"} for name in parameters] + [{"name": "id", "in": "path"}]
    return {"summary": "prose", "parameters": asked, "responses": {"200": answer, **others}}


DOCUMENT = {
    "info": {"version": "1", "x-swagger-net-version": "1.2.3", "description": "prose"},
    "basePath": "/base",
    "paths": {
        "/trials/odata": {"get": get(ref("PageOfTrial"), parameters=("siteId",))},
        "/trials/{id}": {"get": get(ref("Trial"), on404="", on501=""), "delete": get()},
        "/trials/{id}/arms": {"get": get({"type": "array", "items": ref("Arm")})},
        "/names": {"get": get({"type": "array", "items": TEXT})},
        "/ping": {"get": get()},
    },
    "definitions": {
        "PageOfTrial": {
            "properties": {
                "Items": {"type": "array", "items": ref("Trial")},
                "Count": {"type": "integer", "format": "int64"},
            }
        },
        "Trial": {
            "properties": {
                "id": NUMBER,
                "uid": {"type": "string", "format": "uuid", "description": "prose"},
                "begins": {"type": "string", "format": "date-time"},
                "cost": {"type": "number", "format": "double"},
                "open": {"type": "boolean"},
                "state": {"type": "string", "enum": ["Planned", "Running"]},
                "tags": {"type": "array", "items": TEXT},
                "site": ref("Site"),
                "arms": {"type": "array", "items": ref("Arm")},
            }
        },
        "Arm": {"properties": {"Id": NUMBER, "trial": ref("Trial")}},
        "Site": {"properties": {"name": TEXT}},
        "Other": {"properties": {"data": {"type": "object"}}},
    },
}


@pytest.fixture
def specification() -> Specification:
    return parse_specification(DOCUMENT)


@pytest.mark.parametrize(
    ("path", "shape", "model"),
    [
        ("/trials/odata", "page", "Trial"),
        ("/trials/{id}", "object", "Trial"),
        ("/trials/{id}/arms", "array", "Arm"),
        ("/names", "strings", ""),
        ("/ping", "", ""),
    ],
)
def test_the_shape_of_an_answer(specification: Specification, path: str, shape: str, model: str) -> None:
    operation = specification.find(path)
    assert operation is not None
    assert (operation.shape, operation.model) == (shape, model)


def test_an_operation_has_its_query_and_its_codes(specification: Specification) -> None:
    assert specification.find("/trials/odata") == Operation(
        "get", "/trials/odata", ("siteId",), ("200",), "page", "Trial"
    )
    one = specification.find("/trials/{id}")
    assert one is not None
    assert (one.codes, one.may_be_unlicensed) == (("200", "404", "501"), True)
    assert not specification.find("/names").may_be_unlicensed


def test_placeholders_may_be_called_otherwise_and_methods_are_told_apart(specification: Specification) -> None:
    assert specification.find("/trials/{studies.id}/arms").path == "/trials/{id}/arms"
    assert specification.find("/trials/{id}", "delete").shape == ""
    assert specification.find("/trials/{id}", "put") is None
    assert specification.find("/trials/5") is None


def test_the_types_of_fields(specification: Specification) -> None:
    assert {name: str(kind) for name, kind in specification.models["Trial"].items()} == {
        "id": "int",
        "uid": "uuid",
        "begins": "datetime",
        "cost": "num",
        "open": "bool",
        "state": "enum Planned|Running",
        "tags": "list str",
        "site": "Site",
        "arms": "list Arm",
    }
    assert specification.models["Other"] == {"data": ApiType("object")}
    assert specification.models["Trial"]["state"].values == ("Planned", "Running")


def test_a_type_that_nobody_has_met_is_refused() -> None:
    odd = {"Odd": {"properties": {"x": {"type": "string", "format": "byte"}}}}
    with pytest.raises(KeyError, match="byte"):
        parse_specification({**DOCUMENT, "definitions": {**DOCUMENT["definitions"], **odd}})


def test_the_part_that_is_used_has_the_models_it_needs_and_only_what_reads(specification: Specification) -> None:
    part = specification.select(["/trials/{trial.id}/arms", "/nowhere"])
    assert [each.path for each in part.operations] == ["/trials/{id}/arms"]
    assert list(part.models) == ["Arm", "Site", "Trial"]
    assert [each.method for each in specification.select(["/trials/{id}"]).operations] == ["get"]


def test_what_is_written_is_read_back_and_holds_no_prose(specification: Specification) -> None:
    part = specification.select(each.path for each in specification.operations)
    text = render_shapes(part)
    assert read_shapes(text) == part
    assert render_shapes(read_shapes(text)) == text
    assert "prose" not in text
    assert "  /trials/odata: {shape: page, model: Trial, codes: [200], parameters: [siteId]}\n" in text
    assert "  Site: {name: str}\n" in text
