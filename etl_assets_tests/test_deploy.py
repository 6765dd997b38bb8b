"""deploy/, as far as it can be held to what there is without Docker and Kubernetes."""

import os
import re
import shlex
import shutil
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest
import yaml
from click import Group
from click.testing import CliRunner
from dagster._cli import create_dagster_cli
from dagster._core.instance.ref import InstanceRef
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import create_dagster_webserver_cli

from etl_assets.cli import parser
from etl_assets.cli.runs import migrate_quietly
from etl_assets.cli.validation import unknown_variables
from etl_assets.orchestration import code_server
from etl_assets.orchestration.instance_file import instance_config, write_instance_file
from etl_assets.settings import PROJECT, read_settings
from etl_assets.sources import SOURCES
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import LOADER, TRANSFORMER, connect

DEPLOY = PROJECT / "deploy"
FILES = [path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parts]
YAML = [path for path in FILES if path.suffix == ".yaml"]
COMPOSE = yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text())
VALUES = yaml.safe_load((DEPLOY / "kubernetes" / "values.yaml").read_text())
SPLIT = yaml.safe_load((DEPLOY / "kubernetes" / "values.split.yaml").read_text())
CLUSTER, DAGSTER = yaml.safe_load_all((DEPLOY / "kubernetes" / "warehouse.yaml").read_text())
DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
OURS = "etl-assets"


def words_of(instruction: str) -> list[list[str]]:
    """The words of each line of the Dockerfile that is such an instruction."""
    return [shlex.split(line)[1:] for line in DOCKERFILE if line.startswith(f"{instruction} ")]


def listed(instruction: str) -> list[str]:
    """The command of the one instruction, which is a list."""
    (line,) = (line for line in DOCKERFILE if line.startswith(f"{instruction} ") and "[" in line)
    return yaml.safe_load(line[line.index("[") :])


def commands() -> list[list[str]]:
    """Every command of ours or Dagster's that an image, a container or a pod is told to run."""
    services = [each for each in COMPOSE["services"].values() if each["image"] == OURS]
    checks = [each.get("healthcheck", {}).get("test", [])[1:] for each in services]
    servers = [
        ["dagster", "api", "grpc", "--port", str(each["port"]), *each["dagsterApiGrpcArgs"]]
        for values in (VALUES, SPLIT)
        for each in values["dagster-user-deployments"]["deployments"]
    ]
    told = [listed("CMD"), listed("HEALTHCHECK")]
    told += [each["command"] for each in services if "command" in each] + checks + servers
    return [words for words in told if words and words[0] != "python"]


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_every_file_is_yaml(path: Path) -> None:
    assert all(isinstance(document, dict) for document in yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_variable_that_is_called_like_ours_is_a_setting(path: Path) -> None:
    given = dict.fromkeys(re.findall(r"\bETL_[A-Z_]+\b", path.read_text()), "1") | {"ETL_SECRETS_FILE": ""}
    assert unknown_variables(read_settings(given)) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_registry_is_named_and_no_password_is_written(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"^\s*(?:FROM|image:|imageName:|repository:)\s+\S+\.\S+/", text, re.MULTILINE) == []
    assert set(re.findall(r"//[^\s:/@]*:([^\s@/]+)@", text)) <= {"PASSWORD"}


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_is_one_with_options_that_it_has(words: list[str]) -> None:
    program, *rest = words
    if program == "etl":
        assert parser().parse_args(rest).run
        return
    if program == "python":
        dash, module, *rest = rest
        assert (dash, module) == ("-m", code_server.__name__)  # it takes the words of Dagster's own
        program, rest = "dagster", ["code-server", "start", *rest]
    cli: Group = {
        "dagster": create_dagster_cli,
        "dagster-daemon": create_dagster_daemon_cli,
        "dagster-webserver": create_dagster_webserver_cli,
    }[program]()
    found = CliRunner().invoke(cli, [*rest, "--help"])  # an option that is none is refused before help is given
    assert found.exit_code == 0, found.output
    assert "Commands:" not in found.output, "a command is missing"


def test_what_is_copied_into_the_image_is_there_and_is_not_left_out() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    copied = [path for words in words_of("COPY") if not words[0].startswith("--") for path in words[:-1]]
    assert {path for path in copied if not (PROJECT / path).exists()} == set()
    assert {path for path in copied if f"!{path}" not in ignored} == set()
    entrypoint = PROJECT / Path(listed("ENTRYPOINT")[0]).relative_to("/opt/etl")
    assert os.access(entrypoint, os.X_OK)


def test_the_image_is_pinned_and_runs_as_nobody_special() -> None:
    (install,) = (words for words in words_of("RUN") if "pip" in words)
    assert install[install.index("--constraint") + 1] == "constraints.txt"
    assert words_of("USER") == [["10001:10001"]]
    assert VALUES["dagsterDaemon"]["podSecurityContext"]["runAsUser"] == 10001


def test_the_ui_is_offered_to_the_machine_itself_alone() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:3000:3000"]
    assert VALUES["dagsterWebserver"]["service"]["type"] == "ClusterIP"


def test_locations_of_a_split_hold_every_source_once() -> None:
    deployments = SPLIT["dagster-user-deployments"]["deployments"]
    held = [name for each in deployments for name in each["env"]["ETL_SOURCES"].split(",")]
    assert sorted(held) == sorted(source.name for source in SOURCES)
    locations = yaml.safe_load((DEPLOY / "workspace.split.yaml").read_text())["load_from"]
    assert [each["grpc_server"]["location_name"] for each in locations] == [each["name"] for each in deployments]


def test_what_manifests_call_each_other_by_is_there() -> None:
    volume = yaml.safe_load((DEPLOY / "kubernetes" / "volume.yaml").read_text())
    claims = re.findall(r"claimName: (\S+)", (DEPLOY / "kubernetes" / "values.yaml").read_text())
    assert set(claims) == {volume["metadata"]["name"]}
    assert VALUES["postgresql"]["postgresqlHost"] == f"{CLUSTER['metadata']['name']}-rw"
    assert DAGSTER["spec"]["cluster"]["name"] == CLUSTER["metadata"]["name"]
    assert VALUES["postgresql"]["postgresqlDatabase"] == DAGSTER["spec"]["name"] == "dagster"
    named = set(re.findall(r"/run/secrets/([\w.]+)", (DEPLOY / "docker-compose.yaml").read_text()))
    assert named == set(COMPOSE["secrets"])


def test_our_storages_are_in_force_in_what_the_chart_writes(tmp_path: Path) -> None:
    """It writes its own first, and what we add at the end of the same file."""
    charts_own = "".join(
        f"{storage}:\n  module: dagster_postgres\n  class: {name}\n  config:\n    postgres_url: nowhere\n"
        for storage, name in {
            "run_storage": "PostgresRunStorage",
            "event_log_storage": "PostgresEventLogStorage",
            "schedule_storage": "PostgresScheduleStorage",
        }.items()
    )
    added = yaml.safe_dump(VALUES["additionalInstanceConfig"])
    (tmp_path / "dagster.yaml").write_text(charts_own + added)
    reference = InstanceRef.from_dir(str(tmp_path))
    names = [reference.run_storage_data, reference.event_storage_data, reference.schedule_storage_data]
    assert [each.class_name for each in names] == ["KeptRunStorage", "KeptEventLogStorage", "KeptScheduleStorage"]
    assert reference.settings["concurrency"]["pools"] == instance_config(read_settings({}))["concurrency"]["pools"]


@pytest.mark.parametrize(
    ("given", "launcher"),
    [
        pytest.param({}, "PreloadedRunLauncher", id="one machine"),
        pytest.param({"ETL_CELERY_BROKER_URL": "redis://:a-secret@h/0"}, "WorkerRunLauncher", id="workers"),
    ],
)
def test_the_instance_s_file_is_the_project_s_with_what_settings_say(tmp_path: Path, given, launcher) -> None:
    write_instance_file(read_settings({"ETL_MAX_RUNS": "9", **given}), tmp_path)
    reference = InstanceRef.from_dir(str(tmp_path))
    assert reference.run_launcher_data.class_name == launcher
    assert reference.settings["concurrency"]["runs"]["max_concurrent_runs"] == 9
    assert reference.settings["run_monitoring"]["free_slots_after_run_end_seconds"] == 20
    assert "a-secret" not in (tmp_path / "dagster.yaml").read_text()


def test_the_owner_that_the_cluster_has_is_no_superuser_and_migrates() -> None:
    """On a server of its own: on that of the tests the roles are made already, by its superuser."""
    (role,) = CLUSTER["spec"]["managed"]["roles"]
    assert CLUSTER["spec"]["bootstrap"]["initdb"]["owner"] == role["name"]
    words = " ".join(word for word in ("login", "createrole", "createdb", "superuser") if role.get(word))
    folder = Path(mkdtemp(prefix="etl-own-"))
    folder.chmod(0o755)  # the server is another user's
    try:
        embedded.start_server(folder)
        with psycopg.connect(embedded.server_url(folder, "postgres"), autocommit=True) as admin:
            admin.execute(f"create role owner {words} password 'p'")
            admin.execute("grant owner to current_user")
            admin.execute("create database owned owner owner")
        url = re.sub(r"//[^@]*@", "//owner:p@", embedded.server_url(folder, "owned"))
        settings = read_settings({"ETL_HOME": str(folder), "ETL_WAREHOUSE_URL": url})
        assert migrate_quietly(settings)
        assert migrate_quietly(settings) == []
        for name in (LOADER, TRANSFORMER):
            with connect(settings, role=name) as connection:
                assert connection.execute("select current_user, session_user").fetchone() == (name, "owner")
    finally:
        embedded.stop_server(folder)
        shutil.rmtree(folder)


def test_the_columns_that_tables_would_be_distributed_by_are_in_their_keys() -> None:
    """The table of docs/growing.md, held to what is declared."""
    rows = re.findall(r"^\| `(\w+)\.(\w+)` \| `(\w+)` \|$", (PROJECT / "docs" / "growing.md").read_text(), re.MULTILINE)
    keys = {(source.schema, table.name): source.row_key(table) for source in SOURCES for table in source.tables}
    assert len(rows) > 10
    assert [row for row in rows if row[2] not in keys.get(row[:2], ())] == []
