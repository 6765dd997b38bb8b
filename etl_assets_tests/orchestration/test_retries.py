"""What Dagster tries again by itself, under the settings of this project."""

import dagster as dg
import pytest
import yaml
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run

from etl_assets.errors import EtlError, TransientError
from etl_assets.orchestration.jobs import RETRIES
from etl_assets.orchestration.staging_assets import _not_again_for_nothing
from etl_assets.settings import PROJECT


@pytest.mark.parametrize(
    ("error", "again"),
    [
        pytest.param(TransientError("busy"), True, id="what may pass"),
        pytest.param(EtlError("refused"), False, id="what will not"),
    ],
)
def test_a_load_is_tried_once_more_where_that_may_help(error, again) -> None:
    settings = yaml.safe_load((PROJECT / "dagster.yaml").read_text())

    @dg.op
    def load(context: dg.OpExecutionContext) -> None:
        with _not_again_for_nothing(context):
            raise error

    @dg.job
    def job() -> None:
        load()

    with dg.instance_for_test(overrides={"run_retries": settings["run_retries"]}) as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False, tags=dict(RETRIES))
        run = instance.get_run_by_id(result.run_id)
        assert auto_reexecution_should_retry_run(instance, run, RunFailureReason.STEP_FAILURE) == again
