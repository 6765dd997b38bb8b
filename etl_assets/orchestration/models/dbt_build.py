"""Build models by dbt, in this process, from a manifest that is at hand: nothing is parsed.

What varies from run to run reaches SQL by settings of the session, and never by vars: those would be part of the code.
"""

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from etl_assets.declare.dates import Span
from etl_assets.errors import EtlError
from etl_assets.orchestration.models.dbt_project import SQL, dbt_manifest, reach_warehouse
from etl_assets.orchestration.models.dbt_results import NodeResult, without_values
from etl_assets.settings import Settings, temporary_environment
from etl_assets.warehouse.connection import PREVIEWER, TRANSFORMER
from etl_assets.warehouse.ledger import Batch
from etl_assets.warehouse.preview import preview_schema

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

CURRENT = "CURRENT"
"""What a materialization answers of a table that turned out to be up to date."""
_PLANNED = "planned"


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """What one run of dbt is told."""

    source: str
    models: Collection[str]
    """The unique ids of the models and seeds."""
    tests: Collection[str]
    """The unique ids of the tests."""
    mode: str
    """`changed`: what something happened to; `asked`: all, in the span and where something changed; `full`: all."""
    as_of: date
    span: Span | None = None
    previewed: Collection[str] = ()
    """The unique ids of the models that lie in the schemas of a preview, whoever reads them."""


def run_dbt(settings: Settings, batch: Batch | None, request: BuildRequest) -> list[NodeResult]:
    """Run `dbt build` of some nodes; what each came to, in the order in which they ended.

    Args:
        settings: Which warehouse.
        batch: Whose work it is; None for a preview, which the ledger hears nothing of.
        request: What is built. Where it is a preview, by the role that writes nothing else.

    Raises:
        EtlError: dbt itself failed, and not a node: it says why.
    """
    from dbt.adapters.factory import FACTORY
    from dbt.cli.main import dbtRunner  # two seconds, which a run that builds nothing need not pay

    spare_the_stack()
    manifest = read_manifest(dbt_manifest(request.source).read_bytes(), reach_warehouse(settings))
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        node.tags = [_PLANNED] if node.unique_id in request.models or node.unique_id in request.tests else []
        if node.unique_id in request.previewed:
            _set_previewed(node)
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]
    environment = {
        "PGOPTIONS": _options(batch, request),
        "ETL_DBT_ROLE": PREVIEWER if request.previewed else TRANSFORMER,
    }
    with TemporaryDirectory() as folder, temporary_environment(environment):
        try:
            callbacks: list[Any] = [] if request.previewed else [_write_event]
            done = dbtRunner(manifest=manifest, callbacks=callbacks).invoke(_words(Path(folder)))
        except BaseException:  # the run is interrupted: what its threads ask of the warehouse ends, too
            for adapter in FACTORY.adapters.values():
                list(cast("Any", adapter).cancel_open_connections())
            raise
    if done.exception or done.result is None:
        raise EtlError(f"dbt failed: {done.exception}")
    return list(_results(cast("Any", done.result).results))


def spare_the_stack() -> None:
    """Keep dbt from reading the source of each frame of the stack, at each run, for the names of who sets its flags.

    The deeper the stack and the more modules are imported, the longer that takes: part of a second in a run of ours,
    seconds in a process that has the tests imported. Nothing prints these names.
    """
    from dbt_common.behavior_flags import BehaviorFlagRendered

    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")  # type: ignore[method-assign]  # noqa: SLF001


def read_manifest(parsed: bytes, database: str) -> "Manifest":
    """What dbt has parsed, for this database: it was parsed for any."""
    from dbt.contracts.graph.manifest import Manifest

    manifest = Manifest.from_msgpack(parsed)
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        if node.relation_name:
            node.relation_name = node.relation_name.replace(f'"{node.database}".', f'"{database}".', 1)
        node.database = database
    return manifest


def _set_previewed(node: Any) -> None:
    """Have a node be of a preview: what refers to it finds it there, and the ledger is told nothing."""
    schema = preview_schema(node.schema)
    node.relation_name = node.relation_name.replace(f'"{node.schema}".', f'"{schema}".', 1)
    node.schema = schema
    node.config.meta = {**{name: value for name, value in node.config.meta.items() if name != "build"}, "preview": True}


def _words(folder: Path) -> list[str]:
    return [
        *("build", "--select", f"tag:{_PLANNED}", "--indirect-selection", "empty"),
        *("--exclude-resource-type", "unit_test"),
        *("--project-dir", str(SQL), "--profiles-dir", str(SQL), "--target-path", str(folder)),
        *("--log-path", str(folder), "--log-level-file", "none", "--log-level", "none"),
        *("--no-write-json", "--no-version-check", "--no-use-colors", "--no-print"),
    ]


def _write_event(event: Any) -> None:
    """Write a line of dbt's log, as dbt would; its own would quote the row that a model failed of."""
    if event.info.level in {"info", "warn", "error"}:
        sys.stdout.write(f"{event.info.ts.ToDatetime():%H:%M:%S}  {without_values(event.info.msg)}\n")


def _options(batch: Batch | None, request: BuildRequest) -> str:
    given = {
        "batch_id": str(batch.id) if batch else "",
        "build": request.mode,
        "as_of": request.as_of.isoformat(),
        "start_date": request.span.first.isoformat() if request.span else "",
        "end_date": request.span.last.isoformat() if request.span else "",
    }
    return " ".join(f"-c etl.{name}={value}" for name, value in given.items() if value)


def _results(results: Any) -> Iterator[NodeResult]:
    for each in results:
        response = each.adapter_response or {}
        rows = str(response.get("rows_affected"))
        changed = max(int(rows), 0) if rows.lstrip("-").isdigit() else None
        yield NodeResult(
            unique_id=each.node.unique_id,
            kind=str(each.node.resource_type),
            status=str(each.status),
            is_current=response.get("code") == CURRENT,
            rows_changed=None if each.node.config.materialized == "view" else changed,
            failures=each.failures or 0,
            message=" ".join((each.message or "").split()),
            seconds=each.execution_time,
        )
