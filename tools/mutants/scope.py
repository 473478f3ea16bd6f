"""What is mutated, and by which tests it is tried.

A room is tried by tests that are quick: what has some of its own is a room of its own,
so that its mutants do not pay for the tests of others.

Left out are modules that only show, keep or carry what others decide: accounts' views
and rows, diagnosis, `explain`, cautions. Tests that read the source or measure time
are left out; so are those that need a running directory, KDC or winbind, and with them
what nothing else goes through: of `auth/ldap` the conversation (`connection`, `wire`,
`pool`, `directory`, `authenticator`, `looks`), `auth/kerberos`, `auth/winbind` and
`auth/oidc/provider`. Their faults are injected instead, one at each call.

Not here yet, since nobody has read what survives of it: `policy/proof`.
`tests/policy/test_walk.py` goes through it; each walk takes a tenth of a second, so
that too few of them fit into the time that a mutant has. The walk of strangers
(`policy/walk`, `classes`) is held by one through a smaller house.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """Modules of one room, relative to `src/sekisho`, and what pytest is given."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]


ROOMS = (
    Room(
        "policy",
        tuple(
            f"policy/{name}.py"
            for name in (
                "admission",
                "binding",
                "brake",
                "clients",
                "closed",
                "decide",
                "gates",
                "patterns",
                "permits",
                "table",
                "verdicts",
            )
        ),
        (
            "tests/policy",
            "--ignore=tests/policy/test_seal.py",
            "--ignore=tests/policy/test_speed.py",
            "--ignore=tests/policy/test_walk.py",
            "-k=not thousand",
        ),
    ),
    Room(
        "strangers",
        ("policy/classes.py", "policy/walk.py"),
        ("tests/policy/test_classes.py", "tests/policy/test_impostors.py"),
    ),
    Room(
        "auth",
        (
            *(
                f"auth/{name}.py"
                for name in (
                    "chain",
                    "judge",
                    "exchange",
                    "gatekeeper",
                    "local",
                    "sasl",
                    "password_mechanisms",
                    "external",
                    "scram",
                    "token_mechanisms",
                    "members",
                    "memory",
                    "ntlmssp",
                )
            ),
        ),
        (
            "tests/auth",
            # These hold what other rooms mutate, and would take the time of its own.
            "--ignore=tests/auth/oidc",
            "--ignore=tests/auth/test_lockout_bounds.py",
            "--ignore=tests/auth/test_ticket_mechanisms.py",
            "--ignore=tests/auth/ldap",
            "--ignore=tests/auth/test_winbind.py",
            "--ignore=tests/auth/test_common_passwords.py",
            "-k=not takes_as_long and not shared",
        ),
    ),
    Room(
        "tokens",
        tuple(
            f"auth/oidc/{name}.py"
            for name in (
                "authenticator",
                "claims",
                "document",
                "introspection",
                "jwt",
                "keys",
            )
        ),
        ("tests/auth/oidc",),
    ),
    Room(
        "proofs",
        tuple(
            f"auth/{name}.py"
            for name in (
                "account",
                "accounts",
                "app_passwords",
                "certificate",
                "foreign_hashes",
                "hashing",
                "lives",
                "lockout",
                "precis",
            )
        ),
        (
            "tests/auth/oidc/test_verifying.py",
            "tests/auth/test_accounts.py",
            "tests/auth/test_app_passwords.py",
            "tests/auth/test_certificate.py",
            "tests/auth/test_foreign_hashes.py",
            "tests/auth/test_hashing.py",
            "tests/auth/test_locked_out.py",
            "tests/auth/test_lockout.py",
            "tests/auth/test_lockout_bounds.py",
            "tests/auth/test_passwords.py",
            "tests/auth/test_precis.py",
            "tests/auth/test_slowdown.py",
        ),
    ),
    Room(
        "directory",
        (
            "auth/ldap/entries.py",
            "auth/ldap/names.py",
            "auth/ticket_mechanisms.py",
        ),
        (
            "tests/auth/ldap/test_entries.py",
            "tests/auth/ldap/test_names.py",
            "tests/auth/test_ticket_mechanisms.py",
        ),
    ),
)
