"""Keys that are derived from a secret of a source by HKDF (RFC 5869, one block of SHA-256), one for each purpose."""

import hmac
from hashlib import sha256

from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.settings import Settings

MIN_CHARACTERS = 32
"""Of a secret: `openssl rand -hex 32` gives 64."""
_CHECK = "check value"


class SecretKey:
    """A secret. It shows in no message and no repr."""

    def __init__(self, secret: str, salt: bytes) -> None:
        """`salt` keeps apart what the same secret might be used for."""
        self._extracted = hmac.digest(salt, secret.encode(), sha256)

    def keyed_digest(self, purpose: str, value: str) -> str:
        """HMAC-SHA-256 of a value for a purpose: 64 hexadecimal digits."""
        return hmac.new(self._derive(purpose), value.encode(), sha256).hexdigest()

    @property
    def check_value(self) -> str:
        """By which the key is known again: nobody can tell the key from it."""
        return self._derive(_CHECK).hex()[:16]

    def _derive(self, purpose: str) -> bytes:
        return hmac.digest(self._extracted, purpose.encode() + b"\x01", sha256)


def secret_of(settings: Settings, source: Source, word: str) -> str:
    """The secret that is set for a source.

    Raises:
        EtlError: None is set, or one that could be guessed.
    """
    secret = settings.of_source(source.name).get(word, "")
    if len(secret) < MIN_CHARACTERS:
        raise EtlError(
            f"ETL_{source.name.upper()}_{word.upper()} has {len(secret)} characters; {MIN_CHARACTERS} at least"
            " were expected, by chance: openssl rand -hex 32"
        )
    return secret
