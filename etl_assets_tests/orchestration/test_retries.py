"""What Dagster tries again by itself, under the settings of this project."""

import dagster as dg
import pytest
import yaml
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run

from etl_assets.errors import EtlError, TransientError
from etl_assets.orchestration.retries import RETRIES, no_retry_on_permanent_error
from etl_assets.settings import PROJECT


@pytest.mark.parametrize(
    ("errors", "again"),
    [
        pytest.param([TransientError("busy")], True, id="what may pass"),
        pytest.param([EtlError("refused")], False, id="what will not"),
        pytest.param([EtlError("refused"), TransientError("busy")], True, id="one that will not, then one that may"),
        pytest.param([TransientError("busy"), EtlError("refused")], True, id="one that may, then one that will not"),
    ],
)
def test_a_load_is_tried_once_more_where_that_may_help_some_step(errors, again) -> None:
    settings = yaml.safe_load((PROJECT / "dagster.yaml").read_text())

    def step(number: int, error: EtlError) -> dg.OpDefinition:
        @dg.op(name=f"load_{number}", tags={"dagster/priority": str(-number)})
        def load(context: dg.OpExecutionContext) -> None:
            with no_retry_on_permanent_error(context):
                raise error

        return load

    steps = [step(number, error) for number, error in enumerate(errors)]

    @dg.job
    def job() -> None:
        for each in steps:
            each()

    with dg.instance_for_test(overrides={"run_retries": settings["run_retries"]}) as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False, tags=dict(RETRIES))
        run = instance.get_run_by_id(result.run_id)
        assert auto_reexecution_should_retry_run(instance, run, RunFailureReason.STEP_FAILURE) == again
