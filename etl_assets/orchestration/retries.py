"""Automatic run retries, where trying again may help."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from etl_assets.errors import EtlError, TransientError

# An automatic retry takes the assets that failed, and not those that are there already.
RETRIES: Mapping[str, str] = {
    "dagster/max_retries": "1",
    "dagster/retry_strategy": "FROM_ASSET_FAILURE",
    "dagster/retry_on_asset_or_op_failure": "true",
}
TRANSIENT = "etl/transient"
"""The tag of a run of which some step failed of what may pass by itself."""


@contextmanager
def no_retry_on_permanent_error(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> Iterator[None]:
    """Keep a run from being tried again where that can help none of its steps."""
    run = context.run.run_id
    try:
        yield
    except TransientError:
        context.instance.add_run_tags(run, {TRANSIENT: "yes", "dagster/max_retries": RETRIES["dagster/max_retries"]})
        raise
    except EtlError:
        held = context.instance.get_run_by_id(run)
        if held is None or TRANSIENT not in held.tags:
            context.instance.add_run_tags(run, {"dagster/max_retries": "0"})
        raise
