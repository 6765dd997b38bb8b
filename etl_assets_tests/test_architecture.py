"""The house rules that no single test would notice being broken."""

import ast
from pathlib import Path

import pytest

import etl_assets

PACKAGE = Path(etl_assets.__file__).parent

# Each layer may import those below it, never one above; siblings on a line do not know each other.
LAYERS = [
    {"definitions", "cli"},
    {"orchestration", "sandbox"},
    {"sources", "loading"},
    {"readers", "warehouse", "quality", "drawing"},
    {"declare"},
    {"settings"},
    {"errors"},
]
FLOOR = {layer: len(LAYERS) - height for height, names in enumerate(LAYERS) for layer in names}
MAY_KNOW = {
    ("quality", "warehouse"): "rules are run in the warehouse, and their findings written into its ledger",
    ("cli", "definitions"): "the terminal starts what the code location declares",
}
# Who may import what; everybody else asks them.
CUSTOMS = {
    "dagster": {"orchestration", "definitions"},
    "dagster_dbt": {"orchestration"},
    "requests": {"readers/rest/client"},
    "openpyxl": {"readers"},
    "pyarrow": {"readers"},
    "pandas": {"readers"},
    "csv": {"readers", "sandbox"},
    "gzip": {"readers"},
    "psycopg": {"warehouse", "quality", "loading", "readers/database"},
    "pymysql": {"readers/database"},
    "MySQLdb": {"readers/database"},
    "matplotlib": {"drawing"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(path for path in (PACKAGE / "sources").iterdir() if path.is_dir() and path.name != "__pycache__")


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def imports_of(module: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def layer_of(dotted: str) -> str | None:
    head, _, rest = dotted.partition(".")
    return rest.split(".")[0] if head == "etl_assets" and rest else None


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_imports_only_from_layers_below_its_own(module: Path) -> None:
    own = module.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for used in filter(None, map(layer_of, imports_of(module))):
        allowed = used == own or FLOOR[used] < FLOOR[own] or (own, used) in MAY_KNOW
        assert allowed, f"{own} may not import {used}"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_each_library_is_imported_at_its_customs_only(module: Path) -> None:
    path = module.relative_to(PACKAGE).with_suffix("").as_posix()
    for library in {name.split(".")[0] for name in imports_of(module)} & set(CUSTOMS):
        assert any(path == place or path.startswith(f"{place}/") for place in CUSTOMS[library]), (
            f"{path} may not import {library}"
        )


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_only_settings_looks_at_the_environment(module: Path) -> None:
    if module.name == "settings.py":
        return
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr not in {"environ", "getenv", "putenv"}


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_nothing_happens_at_import_but_declarations(module: Path) -> None:
    for node in ast.parse(module.read_text()).body:
        called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        assert not called, f"line {node.lineno} calls something for what it does, not for what it gives"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_file_can_be_read_in_one_sitting(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 400


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.name)
def test_every_source_has_the_same_room_plan(room: Path) -> None:
    plan = {"__init__.py", "reader.py", "tables.py", "rules.py", "README.md"}
    there = {path.name for path in room.iterdir() if path.name != "__pycache__"}
    assert plan <= there
    assert {name for name in there - plan if name.endswith(".py")} == set()


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_nothing_has_a_name_that_says_nothing(module: Path) -> None:
    assert not {"utils", "helpers", "common", "core", "base", "manager"} & set(module.with_suffix("").parts)
