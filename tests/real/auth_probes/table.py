"""The table: each entry of the catalogue, its probe, its safe answers, its doors."""

from collections.abc import Callable
from dataclasses import dataclass

from real.auth_probes import exchanges, guessing, passwords, proofs, senders, states
from real.auth_probes.doors import Door
from real.auth_probes.exchanges import BROKEN, NOT_OFFERED, REFUSED, Tries

EVERY = ("local", "oidc", "introspection", "certificate", "ldap", "kerberos", "ntlm")
SIGNING = EVERY[:-1]
"""Where right papers can be had; NTLM's need a domain (tests/real, deep)."""

PASSWORDS = ("local", "ldap", "kerberos")
TOKENS = ("oidc", "introspection")
ONE_OF_EACH = ("local", "oidc", "certificate", "ldap", "kerberos", "ntlm")
SEQUENCE = frozenset({"503 5.5.1"})
LATER = frozenset({"454 4.7.0"})
UNREADABLE = BROKEN | REFUSED | NOT_OFFERED
UNKNOWN = frozenset({"500 5.5.1", "502 5.5.1"})
CLOSED_DOOR = frozenset({"530 5.7.0", "550 5.7.1"})
CLEAR = frozenset({"538 5.7.11", "530 5.7.0", "504 5.5.4"})
CANCELLED = frozenset({"501 5.7.0"})
NOT_YOURS = frozenset({"553 5.7.1", "550 5.7.1"})


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes:
        probe: What is tried.
        safe: The answers that are safe.
        at: The kinds of papers whose doors it is tried at.
        signed_in: The probe signs in rightly, so relaying is not refused afterwards.

    """

    probe: Callable[[Door], Tries]
    safe: frozenset[str]
    at: tuple[str, ...] = ONE_OF_EACH
    signed_in: bool = False


# "454" at AUTH-005: the helper of the NTLM door has no domain to ask.
# What is said with 5.5.2 at AUTH-020 is a line that was no command.
TABLE: dict[str, Entry] = {
    "AUTH-001": Entry(exchanges.gssapi_dot, UNREADABLE),
    "AUTH-002": Entry(exchanges.gssapi_dot_after_helo, SEQUENCE | UNKNOWN),
    "AUTH-003": Entry(
        exchanges.junk, UNREADABLE | CANCELLED | {"500 5.5.6", "500 5.5.2"}, EVERY
    ),
    "AUTH-004": Entry(exchanges.null_session, NOT_OFFERED | REFUSED),
    "AUTH-005": Entry(exchanges.guest, NOT_OFFERED | REFUSED | LATER),
    "AUTH-006": Entry(exchanges.ntlm_structure, UNREADABLE),
    "AUTH-007": Entry(exchanges.switching, CANCELLED | REFUSED),
    "AUTH-008": Entry(exchanges.old_verbs, UNKNOWN),
    "AUTH-010": Entry(passwords.empty_password, BROKEN | REFUSED, PASSWORDS),
    "AUTH-011": Entry(passwords.empty_name, BROKEN | REFUSED, PASSWORDS),
    "AUTH-012": Entry(passwords.acting_as_another, REFUSED, SIGNING),
    "AUTH-013": Entry(passwords.name_in_the_wrong_field, BROKEN | REFUSED, PASSWORDS),
    "AUTH-014": Entry(passwords.fields, BROKEN | REFUSED, PASSWORDS),
    "AUTH-015": Entry(passwords.control_characters, BROKEN | REFUSED, PASSWORDS),
    "AUTH-016": Entry(passwords.queries, REFUSED, PASSWORDS),
    "AUTH-017": Entry(passwords.spellings, REFUSED, PASSWORDS),
    # A directory and a KDC compare by themselves.
    "AUTH-018": Entry(passwords.long_passwords, REFUSED, ("local",)),
    "AUTH-019": Entry(passwords.near_passwords, BROKEN | REFUSED, PASSWORDS),
    "AUTH-020": Entry(
        passwords.lax_base64,
        BROKEN | {"501 5.5.4", "500 5.5.2"},
        ("local", "oidc", "certificate", "ldap", "kerberos"),
    ),
    "AUTH-021": Entry(
        passwords.barred_accounts,
        REFUSED | BROKEN,
        ("local", "ldap", "kerberos", "certificate"),
    ),
    "AUTH-022": Entry(passwords.default_accounts, REFUSED, PASSWORDS),
    "AUTH-030": Entry(exchanges.anonymous, NOT_OFFERED),
    "AUTH-031": Entry(
        exchanges.external_without_certificate, NOT_OFFERED | REFUSED | CLEAR
    ),
    "AUTH-032": Entry(proofs.certificates, REFUSED, ("certificate",)),
    "AUTH-033": Entry(exchanges.cram_md5, NOT_OFFERED),
    "AUTH-034": Entry(exchanges.digest_md5, NOT_OFFERED),
    # SCRAM needs keys, which only local accounts have.
    "AUTH-035": Entry(proofs.scram_nonces, REFUSED, ("local",)),
    "AUTH-036": Entry(proofs.scram_proofs, REFUSED, ("local",)),
    "AUTH-037": Entry(proofs.scram_bindings, REFUSED, ("local",)),
    "AUTH-038": Entry(proofs.scram_unknown, REFUSED, ("local",)),
    "AUTH-039": Entry(exchanges.srp, NOT_OFFERED),
    "AUTH-040": Entry(exchanges.cached, NOT_OFFERED | REFUSED),
    "AUTH-041": Entry(proofs.forged_tokens, REFUSED, TOKENS),
    "AUTH-042": Entry(proofs.tokens_elsewhere, REFUSED | NOT_OFFERED, SIGNING),
    "AUTH-050": Entry(states.in_clear, CLEAR),
    "AUTH-051": Entry(states.kept_over_starttls, CLEAR),
    "AUTH-052": Entry(states.without_a_new_ehlo, SEQUENCE | {"530 5.7.0"}),
    "AUTH-053": Entry(states.starttls_again, SEQUENCE, SIGNING, signed_in=True),
    "AUTH-054": Entry(states.failed_then_right, SEQUENCE, SIGNING, signed_in=True),
    "AUTH-055": Entry(states.second_auth, SEQUENCE, SIGNING, signed_in=True),
    "AUTH-056": Entry(states.inside_a_transaction, SEQUENCE, SIGNING, signed_in=True),
    "AUTH-057": Entry(states.after_a_failure, REFUSED, EVERY),
    "AUTH-058": Entry(states.after_an_abort, CANCELLED | BROKEN),
    "AUTH-059": Entry(states.pipelined, REFUSED | {"554 5.5.0", "501 5.5.2"}),
    "AUTH-060": Entry(states.auth_parameter, CLOSED_DOOR | {"555 5.5.4", "501 5.5.4"}),
    "AUTH-061": Entry(
        states.said_to_be_another, CLOSED_DOOR | SEQUENCE | UNKNOWN | {"500 5.5.2"}
    ),
    "AUTH-062": Entry(states.greeted_as_another, CLOSED_DOOR | SEQUENCE),
    # Local accounts and their certificates are in memory: nothing can be away. Tokens
    # that are read here need their provider once an hour.
    "AUTH-063": Entry(
        states.backend_gone, LATER, ("introspection", "ldap", "kerberos")
    ),
    "AUTH-064": Entry(states.not_enforced, CLOSED_DOOR),
    "AUTH-065": Entry(guessing.braked, REFUSED, EVERY),
    "AUTH-066": Entry(guessing.unknown_reads_alike, REFUSED, SIGNING),
    # A certificate is judged from memory, and its own handshake is most of its time.
    "AUTH-067": Entry(
        guessing.unknown_takes_as_long,
        REFUSED,
        ("local", "oidc", "introspection", "ldap", "kerberos"),
    ),
    "AUTH-068": Entry(
        guessing.users_by_other_verbs,
        UNKNOWN | {"252 2.5.0", "252 2.1.5", "530 5.7.0"},
    ),
    # With NTLM switched on, its challenge names the domain: that is the protocol.
    "AUTH-069": Entry(exchanges.ntlm_tells_nothing, NOT_OFFERED, SIGNING),
    "AUTH-070": Entry(guessing.secrets_in_the_log, REFUSED, EVERY),
    "AUTH-080": Entry(senders.envelope, NOT_YOURS, SIGNING, signed_in=True),
    "AUTH-081": Entry(
        senders.header, NOT_YOURS | {"554 5.6.0"}, SIGNING, signed_in=True
    ),
    "AUTH-082": Entry(senders.from_outside, NOT_YOURS, SIGNING),
    "AUTH-083": Entry(senders.cross_tenant, NOT_YOURS, SIGNING, signed_in=True),
}
"""Every entry applies to a server, so each has a probe."""

WIDE = {"AUTH-003": Entry(exchanges.all_junk, NOT_OFFERED, EVERY)}
"""What takes long."""
