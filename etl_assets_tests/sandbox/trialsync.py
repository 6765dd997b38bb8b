"""Somebody who asks the stand-in of Clinical Conductor."""

from collections.abc import Iterator
from typing import Any

import requests

from etl_assets.sandbox.trialsync.service import Service

Record = dict[str, Any]


class Conductor:
    """A caller with the key of an instance."""

    def __init__(self, service: Service) -> None:
        self.service, self.session = service, requests.Session()
        self.session.headers["CCAPIKey"] = service.api_key

    def __enter__(self) -> "Conductor":
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def get(self, path: str, **query: object) -> requests.Response:
        """Ask for a path below the API; `top=5` is sent as $top=5."""
        asked = {f"${name}": str(value) for name, value in query.items()}
        return self.session.get(f"{self.service.url}/api/v1/{path}", params=asked, timeout=20)

    def answer(self, path: str, **query: object) -> Any:
        """What a path gives."""
        response = self.get(path, **query)
        assert response.status_code == 200, response.text
        return response.json()

    def records(self, path: str, **query: object) -> list[Any]:
        """All records of a list, by links where there are any, and else by $skip."""
        if not path.endswith("/odata"):
            found: list[Any] = self.answer(path)
            return found
        return [record for page in self.pages(path, **{"top": 1000, **query}) for record in page]

    def pages(self, path: str, top: int, **query: object) -> Iterator[list[Any]]:
        """A list's pages one after the other, until an empty one."""
        skip = 0
        while True:
            answer = self.answer(path, top=top, skip=skip, **query)
            page = answer if isinstance(answer, list) else answer["Items"]
            if not page:
                return
            yield page
            skip += len(page)
