"""What stood in the way, as a verdict in both languages."""

from sekisho.audit.conversation import (
    ClosedError,
    GarbageError,
    HindranceError,
    NoConnectionError,
    SilentError,
    TlsError,
)
from sekisho.audit.verdicts import Judgement, Verdict
from sekisho.audit.visit import TurnedAwayError
from sekisho.model.text import Text

_SORTS: tuple[tuple[type[HindranceError], str], ...] = (
    (TurnedAwayError, "接続の拒否"),
    (NoConnectionError, "接続不能"),
    (ClosedError, "サーバーによる切断"),
    (SilentError, "時間内の応答なし"),
    (GarbageError, "SMTP として読めない応答"),
    (TlsError, "TLS の失敗"),
)


def told(error: HindranceError) -> Text:
    """Say what stood in the way; the server's own words stay as they are."""
    if isinstance(error, KnownHindranceError):
        return error.text
    for sort, words in _SORTS:
        if isinstance(error, sort):
            return Text(str(error), f"{words}: {error}")
    return Text(str(error), f"判定を妨げる事象: {error}")


def hindered(text: Text) -> Judgement:
    """Leave it open, and say why."""
    return Judgement(Verdict.UNDECIDED, text)


class KnownHindranceError(HindranceError):
    """One that is said in every language."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text
