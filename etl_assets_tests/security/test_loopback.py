"""What listens, listens on this machine alone unless somebody says otherwise."""

import ipaddress
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import yaml

from etl_assets.cli import parser
from etl_assets.sandbox.gohighlevel.service import Service as GoHighLevel
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.service import serve
from etl_assets.sandbox.trialsync.books import Scale
from etl_assets.sandbox.trialsync.service import Instances
from etl_assets.settings import PROJECT
from etl_assets.warehouse import embedded


def test_the_ui_is_reached_from_this_machine_alone() -> None:
    assert ipaddress.ip_address(parser().parse_args(["dev"]).host).is_loopback


def listening(port: int) -> set[str]:
    """The addresses on which something listens on a port, as the kernel has them."""
    found = set()
    for name, digits in (("tcp", 8), ("tcp6", 32)):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            local, _, state = line.split()[1:4]
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                assert len(address) == digits
                found.add(address)
    return found


def test_the_embedded_warehouse_listens_on_loopback_alone(server: Path) -> None:
    with psycopg.connect(embedded.server_url(server)) as connection:
        port = int(connection.execute("show port").fetchone()[0])
        assert connection.info.host == embedded.HOST
    assert listening(port) == {"0100007F"}


def test_the_sandboxes_listen_on_loopback_alone() -> None:
    with ExitStack() as stack:
        scale = Scale(sites=1, studies=1, patients=5)
        addresses = [
            stack.enter_context(serve(Company())).url,
            stack.enter_context(GoHighLevel()).address,
            *(each.address for each in stack.enter_context(Instances(scale)).services.values()),
        ]
        for address in addresses:
            assert listening(urlsplit(address).port) == {"0100007F"}, address


def test_the_compose_file_publishes_no_port_to_others() -> None:
    services = yaml.safe_load((PROJECT / "deploy" / "docker-compose.yaml").read_text())["services"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(str(port).startswith("127.0.0.1:") for port in published), published
