"""What a plug-in is handed. The contract itself is `sekisho.auth.authenticator`.

An entry point of ``sekisho.authenticators`` is a callable ``(options, tools)`` that
gives an authenticator. Its attribute ``mechanisms`` names the SASL mechanisms that it
can verify, for ``sekisho check``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PluginTools:
    """What a plug-in may use.

    Attributes:
        name: As configured: the authenticator's `name`, and its identities'.
        clock: Unix seconds.
        data_dir: Where it may keep files; they begin with its kind.

    """

    name: str
    clock: Callable[[], float]
    data_dir: Path
