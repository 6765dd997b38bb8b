"""Asset checks of the declared quality rules; a broken blocking rule stops what is downstream."""

from collections.abc import Iterator

import dagster as dg

from etl_assets.declare.rules import Rule
from etl_assets.declare.source import Source
from etl_assets.orchestration.asset_keys import asset_key
from etl_assets.orchestration.partitions import span_of
from etl_assets.orchestration.resources import WarehouseResource
from etl_assets.quality.run import NotThereYet, RuleResult, run_rule
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
        with (
            open_batch(settings, source.name, "check", run_id=context.run.run_id) as batch,
            connect(settings, autocommit=True) as connection,
        ):
            for key in sorted(context.selected_asset_check_keys, key=str):
                rule = rules[key]
                try:
                    result = run_rule(connection, batch, source, rule, span, max_findings=settings.max_findings)
                except NotThereYet as error:
                    context.log.info(str(error))
                    continue
                yield _result(key, rule, result, f"{span.first} to {span.last}" if span else "everything")

    return check


def _description(rule: Rule) -> str:
    blocks = "" if rule.blocks_above is None else f" Over {rule.blocks_above:.0%} broken rows, nothing is built on it."
    return rule.why + blocks


def _result(key: dg.AssetCheckKey, rule: Rule, result: RuleResult, looked_at: str) -> dg.AssetCheckResult:
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
            "looked_at": looked_at,
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
