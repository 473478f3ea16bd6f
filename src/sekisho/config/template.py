"""The configurations that we write ourselves: `sekisho init` and ``make run``.

Both are closed: nobody relays but users who signed in. They are texts, not dumps of
values, because their comments are how a newcomer learns what can be said.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Blanks:
    """What is filled in.

    Attributes:
        hostname: Of the server.
        data_dir: As it shall stand in the file.
        certificate: PEM file.
        key: PEM file.
        mx_port: For mail from outside.
        submission_port: For users.

    """

    hostname: str
    data_dir: str = "data"
    certificate: str = "certificate.pem"
    key: str = "key.pem"
    mx_port: int = 25
    submission_port: int = 587


def init_config(blanks: Blanks) -> str:
    """Write the configuration of a new server."""
    return _INIT.format(**_quoted(blanks))


def demo_config(blanks: Blanks) -> str:
    """Write the configuration of the demo: loopback only, the world is a folder."""
    return _DEMO.format(**_quoted(blanks))


def _quoted(blanks: Blanks) -> dict[str, str]:
    """Spell the texts as TOML strings, the ports as they are."""
    return {
        "hostname": _text(blanks.hostname),
        "data_dir": _text(blanks.data_dir),
        "certificate": _text(blanks.certificate),
        "key": _text(blanks.key),
        "mx_port": str(blanks.mx_port),
        "submission_port": str(blanks.submission_port),
    }


def _text(value: str) -> str:
    escaped = "".join(
        f"\\u{ord(c):04x}" if c in '"\\' or ord(c) < 0x20 or c == "\x7f" else c  # noqa: PLR2004 - control characters
        for c in value
    )
    return f'"{escaped}"'


_INIT = """\
# Sekisho's configuration. `sekisho check` reads it, shows who may relay what, and says
# what is wrong; docs/reference/configuration.md describes every key.

hostname = {hostname}
data_dir = {data_dir}              # queue, accounts, timelines
# postmaster = "you@example.com"

[tls]
certificate = {certificate}
key = {key}

# Mail for our own domains, from anyone. It relays nothing.
[[listener]]
name = "mx"
role = "mx"
bind = ["0.0.0.0:{mx_port}", "[::]:{mx_port}"]

# Users: TLS and a password before anything else.
[[listener]]
name = "submission"
role = "submission"
bind = ["0.0.0.0:{submission_port}", "[::]:{submission_port}"]

# Accounts are made with `sekisho user add NAME --address ADDRESS`.
[[authenticator]]
kind = "local"

# Who may send to the world. Without a grant, nobody.
[[grant]]
name = "users"
who = "authenticated"              # or "group:NAME", "user:NAME"
# max_recipients_per_hour = 500

# A machine that cannot sign in: a lane with walls.
# [[listener]]
# name = "printers"
# role = "legacy"
# bind = ["10.0.8.1:25"]
# who = ["10.0.8.21", "10.0.8.22"]
# senders = ["scanner@example.com"]
# recipients = ["*@example.com"]
# max_messages_per_hour = 60
# expires = 2027-06-30

# A domain that is ours, and the host that keeps its mailboxes.
# [domains."example.com"]
# route = "smtp://mail.inside.example.com:25"
# recipients = "callout"           # or a list, {{ file = "…" }}, "any"

# A provider that carries our mail on; without one it goes where DNS says.
# [smarthost.provider]
# servers = ["smtps://smtp.provider.example:465"]
# username = "relay"
# password = {{ file = "provider.secret" }}
#
# [[route]]
# to = "*"
# via = "smarthost:provider"

[observe]
log = "json"                       # "text" for people
# metrics = "127.0.0.1:9925"
"""

_DEMO = """\
# The demo of `make run`: loopback alone, and the world is a folder.

hostname = {hostname}
data_dir = {data_dir}

[tls]
certificate = {certificate}
key = {key}

# Mail for example.com, from anyone. It relays nothing.
[[listener]]
name = "mx"
role = "mx"
bind = ["127.0.0.1:{mx_port}"]

# Users: STARTTLS and a password before anything else.
[[listener]]
name = "submission"
role = "submission"
bind = ["127.0.0.1:{submission_port}"]

[[authenticator]]
kind = "local"

[[grant]]
name = "users"
who = "authenticated"

[domains."example.com"]
route = "maildir:maildir"
recipients = ["demo@example.com", "info@example.com"]

# Everything for the world becomes a file here, so that it can be seen.
[[route]]
to = "*"
via = "drop:drop"

[observe]
log = "text"
"""
