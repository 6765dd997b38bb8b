"""The house rules that no single test would notice being broken."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import etl_assets

PACKAGE = Path(etl_assets.__file__).parent

# Each layer may import those below it, never one above; siblings on a line do not know each other.
LAYERS = [
    {"definitions", "cli"},
    {"drills"},
    {"orchestration", "sandbox"},
    {"sources", "loading", "alerts", "report"},
    {"readers", "warehouse", "quality", "drawing"},
    {"declare"},
    {"settings"},
    {"errors"},
]
FLOOR = {layer: len(LAYERS) - height for height, names in enumerate(LAYERS) for layer in names}
MAY_KNOW = {
    ("quality", "warehouse"): "rules are run in the warehouse, and their findings written into its ledger",
}
# Who may import what; everybody else asks them.
CUSTOMS = {
    "dagster": {"orchestration"},
    "dagster_dbt": {"orchestration"},
    "celery": {"orchestration/celery_launcher"},
    "dagster_celery": {"orchestration/celery_launcher"},
    "requests": {"readers/rest/client"},
    "openpyxl": {"readers"},
    "pyarrow": {"readers"},
    "pandas": {"readers"},
    "csv": {"readers", "sandbox"},
    "gzip": {"readers"},
    "psycopg": {"warehouse", "quality", "loading", "alerts", "report", "drills", "readers/database"},
    "psutil": {"warehouse/embedded", "drills"},
    "pymysql": {"readers/database"},
    "MySQLdb": {"readers/database"},
    "matplotlib": {"drawing", "report/charts"},
    "jinja2": {"report/page"},
    "markupsafe": {"report"},
    "sqlglot": {"orchestration"},
    "highspy": {"quality/disclosure"},
    "apprise": {"alerts/channels"},
    "pagerduty": {"alerts/channels"},
    "dotenv": {"settings"},
    "prometheus_client": {"warehouse/metrics"},
    "phonenumbers": {"loading/database/redaction"},
    "validate_docbr": {"loading/database/redaction"},
}
# What each kind of source has a room for, on the floors that have rooms.
KINDS = {"files", "rest", "database"}
FLOORS_WITH_ROOMS = ("readers", "warehouse", "loading", "orchestration/kinds")
# Words of our own that the field has a word for: they may not come back (docs/glossary.md has those that stay).
BANNED_WORDS = {
    "aloud", "bury", "copying", "count_anew", "crew", "dice", "draw_up", "happens_on", "harmless", "hold_alone",
    "hold_reachable", "hold_to_floor", "insist", "judge", "keep_quiet", "lend", "longest_wait", "moves_by", "one_ahead",
    "outlive", "patience", "put_back", "put_straight", "road", "said", "speaking_of", "stand_down",
    "standing_results", "surroundings", "take_in", "take_out_twice", "take_stock", "told", "twin_in_force",
    "was_touched", "widened",
}  # fmt: skip
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(path for path in (PACKAGE / "sources").iterdir() if path.is_dir() and path.name != "__pycache__")


PRELOADED = {"orchestration/models/dbt_warm_up.py"}
"""What is there to be imported: a fork server can be asked for nothing else."""


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


def test_no_modules_import_each_other_in_a_circle() -> None:
    dotted = {".".join(("etl_assets", *m.relative_to(PACKAGE).with_suffix("").parts)): m for m in MODULES}
    used = {name: imports_of(module) & dotted.keys() for name, module in dotted.items()}
    assert list(TopologicalSorter(used).static_order())


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


@pytest.mark.parametrize("module", [m for m in MODULES if name_of(m) not in PRELOADED], ids=name_of)
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
    assert {name for name in there - plan if name.endswith(".py")} <= {"publication.py"}


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_nothing_has_a_name_that_says_nothing(module: Path) -> None:
    assert not {"utils", "helpers", "common", "core", "base", "manager"} & set(module.with_suffix("").parts)


def definitions_in(module: Path) -> list[str]:
    """The public classes and functions of a module."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        node.name
        for node in ast.parse(module.read_text()).body
        if isinstance(node, kinds) and not node.name.startswith("_")
    ]


def identifiers_in(module: Path) -> set[str]:
    """Every name that a module defines: of classes, functions, parameters, variables and attributes."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return {name.lower().strip("_") for name in names}


def test_one_public_name_means_one_thing() -> None:
    modules: dict[str, list[str]] = {}
    for module in MODULES:
        if "sandbox" not in module.relative_to(PACKAGE).parts:
            for name in definitions_in(module):
                modules.setdefault(name, []).append(name_of(module))
    assert {name: where for name, where in modules.items() if len(where) > 1} == {}


@pytest.mark.parametrize("module", [m for m in MODULES if "sandbox" not in m.relative_to(PACKAGE).parts], ids=name_of)
def test_nothing_is_called_by_a_word_that_nobody_would_look_for(module: Path) -> None:
    assert identifiers_in(module) & BANNED_WORDS == set()


def room_of(path: str) -> tuple[str, str] | None:
    """The floor and the kind of a module in a room, by its path without `.py`."""
    for floor in FLOORS_WITH_ROOMS:
        kind = path.removeprefix(f"{floor}/").split("/")[0]
        if path.startswith(f"{floor}/") and kind in KINDS:
            return floor, kind
    return None


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_room_knows_another_kind_s(module: Path) -> None:
    own = room_of(module.relative_to(PACKAGE).with_suffix("").as_posix())
    if own is None or own[0] == "orchestration/kinds":
        return
    for dotted in imports_of(module):
        used = room_of(dotted.removeprefix("etl_assets.").replace(".", "/"))
        assert used is None or used[1] == own[1], f"the room of {own[1]} may not import {dotted}"


def test_what_depends_on_the_kind_of_a_source_is_in_its_declaration_and_in_kinds() -> None:
    kinds = {
        "FileDrop", "Service", "Database", "FileTable", "RestTable", "CopiedTable", "PerFile", "Full", "Incremental",
        "Window",
    }  # fmt: skip
    found = []
    for module in MODULES:
        path = name_of(module)
        if path.startswith(("declare/", "orchestration/kinds/", "sandbox/", "sources/")):
            continue
        for node in ast.walk(ast.parse(module.read_text())):
            asked = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
            if asked and kinds & {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}:
                found.append(f"{path}:{node.lineno}")
    assert found == []


def test_the_picture_of_the_layers_is_the_layers() -> None:
    text = (PACKAGE.parent / "docs" / "adding.md").read_text()
    picture = text.split("## The layers")[1].split("```")[1]
    names = {name for layer in LAYERS for name in layer}
    drawn = [names & set(line.split("   ")[1:] and line.replace("   ", " ").split()) for line in picture.splitlines()]
    assert [layer for layer in drawn if layer] == LAYERS


def test_to_follow_a_row_fifteen_modules_are_opened() -> None:
    """The table of docs/adding.md: three columns of modules, one for each kind."""
    text = (PACKAGE.parent / "docs" / "adding.md").read_text()
    cells = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    ways = list(zip(*(row[1:] for row in cells if row[0].isdigit()), strict=True))
    assert [len(way) for way in ways] == [15, 15, 15]
    assert [path for way in ways for path in way if not (PACKAGE / path).exists()] == []
