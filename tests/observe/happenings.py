"""What happened, for tests of writing it down."""

from sekisho.observe import events

NOW = 1_795_500_000.123
ID = "01m85ws554fzzvzzzzzzzzzzzz"
OTHER = "01m85ws554fzzvzzzzzzzzzzzy"


def accepted(message: str = ID, to: str = "bob@example.net") -> events.MailAccepted:
    return events.MailAccepted(
        message=message,
        session="s-1",
        listener="submission",
        client="192.0.2.1",
        reverse_path="alice@example.com",
        recipients=[to],
        size_bytes=1234,
        rule="grant",
        reason="grant 'staff'",
    )


def refused() -> events.MailRefused:
    return events.MailRefused(
        session="s-2",
        listener="mx",
        client="192.0.2.9",
        reverse_path="Eve@example.com",
        reply="550",
        rule="relay-denied",
        reason="r",
    )


def finished(message: str = ID) -> events.Finished:
    return events.Finished(message=message, delivered=1, failed=0, seconds=0.5)


def names(found: list[dict[str, object]]) -> list[object]:
    return [one["event"] for one in found]
