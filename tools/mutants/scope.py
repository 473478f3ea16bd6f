"""What is mutated, and by which tests it is tried.

Left out are modules that only show, keep or carry what others decide: accounts' views
and rows, diagnosis, `explain`, cautions. Tests that read the source or measure time
are left out; so are those that need a running directory, KDC or winbind.

Not here yet, since nobody has read what survives of them: the proof (`policy/proof`,
`walk`, `classes`, `table`); of `auth` what keeps accounts and passwords (`accounts`,
`app_passwords`, `foreign_hashes`, `hashing`, `lockout`, `precis`),
`certificate`, and `oidc`, `ldap`, `kerberos` and `winbind`.
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
                "verdicts",
            )
        ),
        (
            "tests/policy",
            "--ignore=tests/policy/test_seal.py",
            "--ignore=tests/policy/test_speed.py",
            "-k=not thousand",
        ),
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
            "--ignore=tests/auth/ldap",
            "--ignore=tests/auth/test_winbind.py",
            "--ignore=tests/auth/test_common_passwords.py",
            "-k=not takes_as_long and not shared",
        ),
    ),
)
