"""Cooperative cancellation: a token whose waits another thread can end."""

import threading
from weakref import WeakSet

from etl_assets.errors import EtlError, TransientError


class Cancelled(TransientError):
    """Nobody waits for the result any more: the read was given up, or its connection closed."""


class CancellationToken:
    """Cancels work of many threads: once it is cancelled, every wait on it, begun or not, raises `Cancelled`."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reason: EtlError | None = None
        self._lock = threading.Lock()
        self._children: WeakSet[CancellationToken] = WeakSet()

    def child(self) -> "CancellationToken":
        """A token that is cancelled with this one, and can be cancelled alone."""
        child = CancellationToken()
        with self._lock:
            self._children.add(child)
        if self._event.is_set():
            child.cancel(self._reason)
        return child

    def cancel(self, reason: EtlError | None = None) -> None:
        """End the waits on it and on its children; `reason` is raised there in place of `Cancelled`, where given."""
        self._reason = self._reason or reason
        self._event.set()
        with self._lock:
            children = list(self._children)
        for child in children:
            child.cancel(reason)

    @property
    def is_cancelled(self) -> bool:
        """Whether waits on it end at once."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Cancelled`, or the reason, where it is cancelled."""
        self.wait(0)

    def wait(self, seconds: float) -> None:
        """Wait; raise `Cancelled` as soon as it is cancelled."""
        if self._event.wait(seconds):
            raise self._reason or Cancelled("The answer is no longer waited for; what was read so far is not kept.")
