"""No papers, no passage: every known way to ask a relay, from a stranger.

All rows of `relay_forms` at the listener for the world and at the one for users
without AUTH. What a 2xx lets through is followed to the end: at the end the canary,
to which the default route leads, must have seen nothing but the control message.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from peers.dialogue import ClosedError, Dialogue
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed, token
from real.relay_forms import FORMS, LOCAL, Form

CONTROL = "control"
NOT_WITHOUT_PAPERS = {"530 5.7.0"}
"""What a submission listener says to everybody who has shown none."""


@dataclass(frozen=True)
class Relay:
    """A service with an inner host and a canary where the world would be."""

    service: Service
    inner: RecordingSink
    world: RecordingSink


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """Serve, and want the canary untouched when all attempts are over."""
    folder = tmp_path_factory.mktemp("relay")
    with RecordingSink() as inner, RecordingSink() as world:
        settings = plain_settings(world.url, own=inner.url)
        settings["postmaster"] = f"known@{OWN}"
        service = Service(folder / "service", settings)
        service.add_user()
        with service:
            yield Relay(service, inner, world)
            # What was let in goes out in order; once the sentinel is there, so is all.
            sentinel = _accepted_locally(service)
            _until_carried(inner, sentinel)
        strays = [m for m in world.messages if CONTROL.encode() not in m.content]
        assert not strays, strays
        local = {f"known@{OWN}", f"postmaster@{OWN}"}
        beyond = {
            r for m in inner.messages for r in m.recipients if r.lower() not in local
        }
        assert not beyond, beyond


def _accepted_locally(service: Service) -> str:
    mark = token() + "sentinel"
    with service.dial("mx") as client:
        client.ehlo()
        assert client.say("MAIL FROM:<someone@outside.test>").code == 250
        assert client.say(f"RCPT TO:<known@{OWN}>").code == 250
        assert client.say("DATA").code == 354
        client.send(stuffed(a_message(mark, author="someone@outside.test")))
        assert client.reply().code == 250
    return mark


def _until_carried(sink: RecordingSink, mark: str) -> None:
    sink.wait_for_content(mark.encode())


def _ask(client: Dialogue, form: Form) -> str:
    """MAIL and RCPT; the first refusal, or what RCPT was answered."""
    answer = client.say(b"MAIL FROM:" + form.sender)
    if answer.code == 250:
        answer = client.say(b"RCPT TO:" + form.recipient)
    return answer.status


def _push_through(client: Dialogue, form: Form) -> None:
    """Whatever was said: try to hand a message over."""
    try:
        client.say(b"MAIL FROM:<spamtest@outside.test>")
        client.say(b"RCPT TO:" + form.recipient)
        if client.say("DATA").code == 354:
            client.send(stuffed(a_message(token(), author="spamtest@outside.test")))
            client.reply()
        client.say("QUIT")
    except ClosedError:
        pass  # closing on us is a refusal as well


def test_control_a_verified_user_reaches_the_canary(relay: Relay) -> None:
    """Without this, every refusal below would prove nothing."""
    with relay.service.signed_in() as client:
        assert client.say("MAIL FROM:<user@own.test>").code == 250
        assert client.say("RCPT TO:<c@world.test>").status == "250 2.1.5"
        assert client.say("DATA").code == 354
        client.send(stuffed(a_message(CONTROL)))
        assert client.reply().code == 250
    _until_carried(relay.world, CONTROL)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.id)
def test_mx_listener_relays_no_form(relay: Relay, form: Form, stranger: str) -> None:
    """The right refusal, and nothing gets further than that."""
    with relay.service.dial("mx", source=stranger) as client:
        client.ehlo()
        assert _ask(client, form) in form.safe
        _push_through(client, form)


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.id)
def test_submission_listener_wants_papers_first(
    relay: Relay, form: Form, stranger: str, tls: bool
) -> None:
    """Nothing is even looked at without AUTH, unless it cannot be understood."""
    with relay.service.dial("submission", source=stranger) as client:
        (client.starttls if tls else client.ehlo)()
        assert _ask(client, form) in NOT_WITHOUT_PAPERS | (form.safe - LOCAL)
        _push_through(client, form)


# -- RLY-041: sequences ---------------------------------------------------------------


@pytest.fixture
def client(relay: Relay, stranger: str) -> Iterator[Dialogue]:
    """A stranger who has said EHLO to the listener for the world."""
    with relay.service.dial("mx", source=stranger) as dialogue:
        dialogue.ehlo()
        yield dialogue


FROM, FOREIGN, KNOWN = (
    "MAIL FROM:<a@outside.test>",
    "RCPT TO:<c@world.test>",
    f"RCPT TO:<known@{OWN}>",
)


def test_rcpt_before_mail_is_out_of_order(client: Dialogue) -> None:
    assert client.say(FOREIGN).status == "503 5.5.1"


def test_data_after_only_refusals_gets_no_354(client: Dialogue) -> None:
    assert client.say(FROM).code == 250
    assert client.say(FOREIGN).status == "550 5.7.1"
    assert client.say("DATA").status in {"554 5.5.1", "503 5.5.1"}


def test_a_refused_recipient_does_not_travel_with_a_good_one(
    relay: Relay, client: Dialogue
) -> None:
    mark = token()
    assert client.say(FROM).code == 250
    assert client.say(KNOWN).code == 250
    assert client.say(FOREIGN).status == "550 5.7.1"
    assert client.say("DATA").code == 354
    client.send(stuffed(a_message(mark, author="a@outside.test")))
    assert client.reply().code == 250
    arrived = relay.inner.wait_for_content(mark.encode())
    assert arrived.recipients == [f"known@{OWN}"]


def test_rset_forgets_recipients(client: Dialogue) -> None:
    assert client.say(FROM).code == 250
    assert client.say(KNOWN).code == 250
    assert client.say("RSET").code == 250
    assert client.say("DATA").status == "503 5.5.1"


def test_second_mail_is_out_of_order(client: Dialogue) -> None:
    assert client.say(FROM).code == 250
    assert client.say("MAIL FROM:<user@own.test>").status == "503 5.5.1"


def test_bdat_after_only_refusals_takes_nothing(client: Dialogue) -> None:
    assert client.say(FROM).code == 250
    assert client.say(FOREIGN).status == "550 5.7.1"
    assert client.say("BDAT 0 LAST").status in {"554 5.5.1", "503 5.5.1"}


def test_pipelined_batch_gets_no_354(client: Dialogue) -> None:
    """RLY-042: one segment with everything up to the end of the message."""
    body = stuffed(a_message(token(), author="a@outside.test")).decode()
    client.send(f"{FROM}\r\n{FOREIGN}\r\nDATA\r\n{body}QUIT\r\n".encode())
    statuses = [reply.status for reply in client.replies_until_closed()]
    assert statuses[:2] == ["250 2.1.0", "550 5.7.1"]
    assert statuses[2] in {"554 5.5.1", "503 5.5.1", "554 5.5.0"}
    assert not [status for status in statuses if status.startswith("354")]


# -- RLY-043, RLY-044: other verbs ----------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        *("SEND FROM:<a@outside.test>", "SOML FROM:<a@outside.test>"),
        *("SAML FROM:<a@outside.test>", "TURN", f"ATRN {OWN}", f"ETRN {OWN}"),
        *("ETRN #x", "DEBUG", "WIZ", "KILL", "ONEX", "VERB", "XADR"),
    ],
)
def test_old_verbs_do_nothing(client: Dialogue, line: str) -> None:
    assert client.say(line).status in {"500 5.5.1", "502 5.5.1"}
    assert client.say(FOREIGN).status == "503 5.5.1"


@pytest.mark.parametrize("name", ["c@world.test", "user", f"user@{OWN}", "nobody"])
def test_vrfy_and_expn_tell_nothing(client: Dialogue, name: str) -> None:
    assert client.say(f"VRFY {name}").code == 252
    assert client.say(f"EXPN {name}").status == "502 5.5.1"
    assert client.say(FROM).code == 250
    assert client.say(FOREIGN).status == "550 5.7.1"


# -- RLY-046: backscatter -------------------------------------------------------------


def test_unknown_recipient_is_refused_at_rcpt_not_bounced(
    relay: Relay, client: Dialogue
) -> None:
    before = len(relay.service.events("message.reported"))
    assert client.say("MAIL FROM:<c@world.test>").code == 250
    assert client.say(f"RCPT TO:<nobody-at-all@{OWN}>").status == "550 5.1.1"
    assert len(relay.service.events("message.reported")) == before


def test_every_refusal_is_logged_with_its_rule(
    relay: Relay, client: Dialogue, stranger: str
) -> None:
    """Every decision can be explained: who, what, by which rule, why."""
    assert client.say(FROM).code == 250
    assert client.say(FOREIGN).status == "550 5.7.1"
    event = relay.service.wait_for_event(
        "mail.refused", client=stranger, recipient="c@world.test"
    )
    assert event["listener"] == "mx"
    assert event["rule"]
    assert event["reason"]
    assert re.match(r"550[ -]5\.7\.1", event["reply"])
