"""Authenticators of other packages: loaded, built, and taken for no more than they say.

Whatever a plug-in does wrong later, `sekisho.auth.chain` answers "unavailable" for it.
What it does wrong while it is built is a sentence to the operator, and the service does
not start.
"""

from typing import TYPE_CHECKING

from sekisho.app.control import Refusal
from sekisho.auth.authenticator import Authenticator
from sekisho.auth.plugin import PluginTools
from sekisho.config.plugin import Plugin, installed

if TYPE_CHECKING:
    from sekisho.app.authenticators import Workshop

_NEEDED = ("name", "credentials", "pretend", "is_current")


def build_plugin(table: Plugin, given: "Workshop") -> Authenticator:
    """Build a plug-in's authenticator.

    Raises:
        Refusal: It cannot be loaded or built, or is no authenticator.

    """
    tools = PluginTools(table.name, given.clock, given.config.data_dir)
    try:
        made = installed()[table.kind].load()(dict(table.options), tools)
    except Exception as error:
        # Not its text: a secret of its options may stand there.
        raise Refusal(
            f"the plug-in {table.kind!r} cannot be built: {type(error).__name__}",
            "its own documents say which options it wants",
        ) from error
    missing = [one for one in _NEEDED if not hasattr(made, one)]
    if missing or made.name != table.name:
        what = f"has no {missing[0]}" if missing else "does not take its name"
        raise Refusal(
            f"the plug-in {table.kind!r} is no authenticator: it {what}",
            "sekisho.auth.conformance shows its author what is wrong",
        )
    return made
