"""How often a service may be called: the count of calls a minute."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Pace:
    """So many calls a minute, counted from the first of each minute that has any."""

    calls: int | None
    minute: float = 60.0
    """Its length in seconds, for tests that cannot wait."""
    _began: float = 0.0
    _taken: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> tuple[Mapping[str, str], int]:
        """Count a call: the headers that tell of it, and the seconds to wait where there were too many.

        X-RateLimit-Reset is the second of the epoch at which counting begins anew.
        """
        if self.calls is None:
            return {}, 0
        with self._lock:
            now = time.time()
            if now >= self._began + self.minute:
                self._began, self._taken = now, 0
            self._taken += 1
            left, wait = self.calls - self._taken, self._began + self.minute - now
        headers = {
            "X-RateLimit-Limit": str(self.calls),
            "X-RateLimit-Remaining": str(max(0, left)),
            "X-RateLimit-Reset": str(int(now + wait + 0.999)),
        }
        return headers, 0 if left >= 0 else int(wait + 0.999)
