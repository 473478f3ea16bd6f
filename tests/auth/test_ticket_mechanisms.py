"""A token is passed on as it is, from the client's first on, up to its bound."""

import pytest

from sekisho.auth.sasl import Challenge, Credential, Failed, TicketGiven
from sekisho.auth.ticket_mechanisms import MAX_TICKET_OCTETS, Tickets


@pytest.mark.parametrize("credential", [Credential.KERBEROS, Credential.NTLM])
def test_tokens_are_passed_on_with_their_kind(credential: Credential) -> None:
    tickets = Tickets(credential)
    assert tickets.step(None) == Challenge(b"")
    for token in (b"first", b"second", b""):
        assert tickets.step(token) == TicketGiven(credential, token)


def test_the_first_token_is_never_empty() -> None:
    for before in ([], [None], [None, None]):
        tickets = Tickets(Credential.KERBEROS)
        for response in before:
            tickets.step(response)
        assert isinstance(tickets.step(b""), Failed)
        assert isinstance(tickets.step(b""), Failed)


def test_a_token_has_its_bound() -> None:
    for begun in (False, True):
        tickets = Tickets(Credential.KERBEROS)
        if begun:
            tickets.step(b"first")
        assert isinstance(tickets.step(b"x" * MAX_TICKET_OCTETS), TicketGiven)
        assert isinstance(tickets.step(b"x" * (MAX_TICKET_OCTETS + 1)), Failed)
