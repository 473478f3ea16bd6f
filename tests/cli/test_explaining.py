"""`explain`: the contract that others test against (design §9)."""

from pathlib import Path

import pytest

from cli.conftest import Command

OUTSIDE = ("--listener", "mx", "--client", "203.0.113.9")


@pytest.fixture
def relay(config: Path, sekisho: Command) -> Path:
    """Users, a web shop by address until a day, an own domain."""
    config.write_text(
        config.read_text()
        + '\n[[grant]]\nname = "shop"\nwho = ["10.1.2.3"]\nlisteners = ["mx"]\n'
        'senders = ["shop@example.com"]\nexpires = 2030-01-01\n'
        '\n[domains."example.com"]\nroute = "maildir:m"\n'
        'recipients = ["bob@example.com"]\n'
    )
    given = "a fine password"
    name = "ann@example.com"
    sekisho("user", "add", name, "--password-file", "-", "-c", config, given=given)
    return config


@pytest.mark.parametrize(
    ("case", "decision", "rule", "grant", "reply"),
    [
        (
            (*OUTSIDE, "--from", "a@b.example", "--to", "c@d.example"),
            *("refuse", "relay-denied", None, "550 5.7.1"),
        ),
        (
            (*OUTSIDE, "--from", "a@b.example", "--to", "bob@example.com"),
            *("accept", "own-domain", None, "250 2.1.5"),
        ),
        (
            (*OUTSIDE, "--from", "<>", "--to", "postmaster"),
            *("accept", "postmaster", None, "250 2.1.5"),
        ),
        (
            (
                "--listener",
                "mx",
                "--client",
                "::ffff:10.1.2.3",
                "--from",
                "shop@example.com",
                "--to",
                "c@d.example",
                "--at",
                "2030-01-01",
            ),
            *("accept", "grant", "shop", "250 2.1.5"),
        ),
        (
            (
                "--listener",
                "mx",
                "--client",
                "10.1.2.3",
                "--at",
                "2030-01-02T00:00:00",
                "--from",
                "shop@example.com",
                "--to",
                "c@d.example",
            ),
            *("refuse", None, None, "550 5.7.1"),
        ),
        (
            (
                "--listener",
                "submission",
                "--client",
                "203.0.113.9",
                "--user",
                "ann@example.com",
                "--from",
                "ann@example.com",
                "--to",
                "c@d.example",
                "--header-from",
                "ann@example.com",
            ),
            *("accept", "grant", "users", "250 2.0.0"),
        ),
        (
            (
                "--listener",
                "submission",
                "--client",
                "203.0.113.9",
                "--tls",
                "--user",
                "ann@example.com",
                "--from",
                "ann@example.com",
                "--to",
                "c@d.example",
                "--header-from",
                "boss@example.com",
            ),
            *("refuse", None, None, "550 5.7.1"),
        ),
        (
            (
                "--listener",
                "submission",
                "--client",
                "203.0.113.9",
                "--from",
                "ann@example.com",
                "--to",
                "c@d.example",
            ),
            *("refuse", "tls-needed", None, "530 5.7.0"),
        ),
        (
            (
                "--listener",
                "submission",
                "--client",
                "203.0.113.9",
                "--tls",
                "--from",
                "ann@example.com",
                "--to",
                "c@d.example",
            ),
            *("refuse", "auth-needed", None, "530 5.7.0"),
        ),
    ],
)
def test_the_deciding_rule(  # noqa: PLR0917 - a table's columns
    relay: Path,
    sekisho: Command,
    case: tuple[str, ...],
    decision: str,
    rule: str | None,
    grant: str | None,
    reply: str,
) -> None:
    told = sekisho("explain", "-c", relay, *case, "--json")
    assert told.json["decision"] == decision
    assert told.json["grant"] == grant
    assert rule is None or told.json["rule"] == rule
    assert told.json["reply"].startswith(reply)
    assert told.json["reason"]
    assert told.code == (0 if decision == "accept" else 1)
    spoken = sekisho("explain", "-c", relay, *case)
    assert spoken.out.startswith(decision)
    assert told.json["reason"] in spoken.out


@pytest.mark.parametrize(
    "case",
    [
        (
            "--listener",
            "none",
            "--client",
            "10.1.2.3",
            "--from",
            "a@b.c",
            "--to",
            "a@b.c",
        ),
        (*OUTSIDE, "--from", "nonsense", "--to", "a@b.c"),
        (*OUTSIDE, "--from", "a@b.c", "--to", "a@b@c"),
        (*OUTSIDE, "--from", "a@b.c", "--to", "a@b.c", "--at", "tomorrow"),
        (*OUTSIDE, "--from", "a@b.c", "--to", "a@b.c", "--user", "nobody"),
        ("--listener", "mx", "--client", "x", "--from", "a@b.c", "--to", "a@b.c"),
    ],
)
def test_a_case_that_cannot_be_is_wrong_use(
    relay: Path, sekisho: Command, case: tuple[str, ...]
) -> None:
    told = sekisho("explain", "-c", relay, *case)
    assert told.code == 2
    assert "Traceback" not in told.err
