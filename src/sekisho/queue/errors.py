"""What can go wrong with the store, for the two who can do something about it."""


class QueueError(Exception):
    """The store cannot be used: an operator must act.

    Attributes:
        sentence: What is wrong.
        hint: What to do.

    """

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(f"{sentence}: {hint}")
        self.sentence = sentence
        self.hint = hint


class DamagedError(QueueError):
    """A queue file cannot be read as it is: whoever opens it next salvages it."""


class UnreadableError(QueueError):
    """One message cannot be made of its rows."""


class PutRefused(Exception):  # noqa: N818 - an answer to the client (452), no error
    """There is no room for this message now; the client is to try again later."""
