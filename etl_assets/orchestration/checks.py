"""Asset checks of the declared quality rules; a broken blocking rule stops what is downstream.

In a run that loads, a rule looks at what has changed since it last looked; where nothing has, its latest result stands.
A check that is run without its table looks at all of its dates.
"""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from etl_assets.declare.rules import Rule
from etl_assets.declare.source import Source
from etl_assets.orchestration.asset_keys import asset_key
from etl_assets.orchestration.partitions import span_of
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.orchestration.standing_results import let_results_stand
from etl_assets.quality.run import NotThereYet, RuleResult, run_due_rule, run_rule
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch


def check_keys(source: Source) -> dict[dg.AssetCheckKey, Rule]:
    """The declared rules, by the key of their check."""
    return {dg.AssetCheckKey(asset_key(source, rule.table), rule.name): rule for rule in source.rules}


def rule_checks(source: Source) -> dg.AssetChecksDefinition:
    """Build the asset checks of a source: one a rule, all in one op."""
    rules = check_keys(source)

    @dg.multi_asset_check(
        name=f"check_{source.name}",
        specs=[
            dg.AssetCheckSpec(
                key.name,
                asset=key.asset_key,
                blocking=rule.blocks_above is not None,
                description=_description(rule),
                metadata={"severity": rule.severity},
            )
            for key, rule in rules.items()
        ],
        can_subset=True,
    )
    def check(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
        settings = warehouse.settings()
        span = span_of(source, context.run.tags)
        loaded = set() if _looks_at_all(context.run) else context.job_def.asset_layer.executable_asset_keys
        standing = []
        with (
            open_batch(settings, source.name, "check", run_id=context.run.run_id) as batch,
            connect(settings, autocommit=True) as connection,
        ):

            def result_of(
                key: dg.AssetCheckKey, run: Callable[..., RuleResult | None]
            ) -> Iterator[dg.AssetCheckResult]:
                try:
                    result = run(connection, batch, source, rules[key], span, max_findings=settings.max_findings)
                except NotThereYet as error:
                    context.log.info(str(error))
                    return
                if result is None:
                    standing.append(key)
                else:
                    yield _result(key, result)

            for key in sorted(context.selected_asset_check_keys, key=str):
                yield from result_of(key, run_due_rule if key.asset_key in loaded else run_rule)
            for key in sorted(let_results_stand(context.instance, standing), key=str):
                yield from result_of(key, run_rule)
        if standing:
            context.log.info(f"{len(standing)} rules were passed over: nothing that they look at has changed.")

    return check


def _looks_at_all(run: dg.DagsterRun) -> bool:
    """Whether a run was told to load again what is there, or to compare every row: rules then look at it again."""
    ops: Any = run.run_config.get("ops", {})
    configs = [op.get("config", {}) for op in ops.values()]
    return any(config.get("full_compare") or config.get("reload") for config in configs)


def _description(rule: Rule) -> str:
    blocks = "" if rule.blocks_above is None else f" Over {rule.blocks_above:.0%} broken rows, nothing is built on it."
    return rule.why + blocks


def _result(key: dg.AssetCheckKey, result: RuleResult) -> dg.AssetCheckResult:
    rule = result.rule
    # Only an error can block: a blocking rule that is broken here and there warns.
    as_error = result.blocks if rule.blocks_above is not None else rule.severity == "error"
    resolved = result.rows_broken - result.open
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if as_error else dg.AssetCheckSeverity.WARN,
        description=f"{result.open:,} open findings in {result.rows_checked:,} rows"
        + (f", {resolved:,} resolved by somebody" if resolved else "")
        + (f"; {result.open_elsewhere:,} open at other dates" if result.open_elsewhere else ""),
        metadata={
            "why": rule.why,
            "looked_at": f"{result.looked_at.first} to {result.looked_at.last}" if result.looked_at else "everything",
            "rows_checked": result.rows_checked,
            "findings": result.rows_broken,
            "findings_open": result.open,
            "findings_resolved": resolved,
            "findings_open_at_other_dates": result.open_elsewhere,
            "issues_closed": result.closed,
            "sample": dg.MetadataValue.table(
                [
                    dg.TableRecord(
                        {"key": row.key, "field": row.field, "value": row.value or "", "message": row.message}
                    )
                    for row in result.sample
                ],
                schema=dg.TableSchema(
                    columns=[dg.TableColumn(name, "string") for name in ("key", "field", "value", "message")]
                ),
            ),
            "select": dg.MetadataValue.md(f"```sql\n{rule.breaking_rows()}\n```"),
        },
    )
