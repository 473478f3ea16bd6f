"""One host, all that it can do to us: nothing is lost, nothing is sent twice."""

import asyncio
import hashlib
import ssl

import pytest

from delivery.equipment import (
    Bodies,
    Names,
    at,
    courier,
    message,
    recipient,
    to_host,
)
from delivery.scripted import Host, Script, Talk, forever
from peers.certificate import Certificate, make_certificate
from sekisho.delivery.carrier import SmtpCarrier
from sekisho.delivery.courier import Courier
from sekisho.model.envelope import BodyKind
from sekisho.model.outcome import Cause, Deferred, Delivered, Failed, Outcome
from sekisho.model.route import Credentials, Destination, TlsPolicy
from sekisho.net.tls import load_server_tls, verifying_context
from sekisho.session.client_events import ClientTimeouts

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1", "localhost")


@pytest.fixture
def server_tls(certificate: Certificate) -> ssl.SSLContext:
    return load_server_tls(certificate.certificate, certificate.key).context


async def connected(of: Courier, to: Destination) -> SmtpCarrier:
    carrier = await of.connect(to)
    assert isinstance(carrier, SmtpCarrier), carrier
    return carrier


async def delivery(
    *scripts: Script,
    of: Courier | None = None,
    recipients: int = 1,
    **given: object,
) -> list[Outcome]:
    """Deliver one message to a host that follows the scripts."""
    sent = message(recipients=[f"r{n}@example.net" for n in range(recipients)])
    async with Host(*scripts).running() as host:
        carrier = await connected(of or courier(), to_host(host.port, **given))  # type: ignore[arg-type]
        outcomes = await carrier.deliver(sent, sent.envelope.recipients)
        await carrier.close()
        return list(outcomes)


async def test_small_messages_over_one_connection() -> None:
    taken: list[bytes] = []

    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        taken.extend([await talk.take() for _ in range(3)])
        await talk.leave()

    async with Host(script).running() as host:
        carrier = await connected(courier(), to_host(host.port))
        for n in range(3):
            sent = message(prefix=f"X: {n}\r\n".encode())
            (outcome,) = await carrier.deliver(sent, [recipient()])
            assert isinstance(outcome, Delivered)
            assert (outcome.host, outcome.tls) == ("127.0.0.1", "")
            assert str(outcome.reply) == "250 2.0.0 taken"
            assert carrier.reusable
        await carrier.close()
        assert not carrier.reusable
    assert taken == [
        f"X: {n}\r\nSubject: x\r\n\r\n..hello\r\n.\r\n".encode() for n in range(3)
    ]


@pytest.mark.parametrize(
    "offers", [("PIPELINING", "8BITMIME"), ("CHUNKING", "8BITMIME")]
)
async def test_large_body_goes_in_pieces_from_its_file(offers: tuple[str, ...]) -> None:
    text = b"Subject: big\r\n\r\n" + b".line of text\r\n" * 300_000
    bodies = Bodies(big=text)
    digest = hashlib.sha256()

    async def script(talk: Talk) -> None:
        await talk.greet(*offers)
        await talk.hear("MAIL")
        if "PIPELINING" not in offers:
            talk.say("250 OK")
        await talk.hear("RCPT")
        if "CHUNKING" in offers:
            talk.say("250 OK")
            size = int((await talk.hear("BDAT")).split()[1])
            digest.update(await talk.octets(size))
        else:
            await talk.hear("DATA")
            talk.say("250 OK", "250 OK", "354 go")
            received = bytearray()
            while not received.endswith(b"\r\n.\r\n"):
                # A slow reader: the sender must wait, not pile up.
                await asyncio.sleep(0)
                received += await talk.reader.read(100_000)
            plain = bytes(received[:-3]).replace(b"\r\n..", b"\r\n.")
            digest.update(plain)
        talk.say("250 OK")
        await talk.leave()

    async with Host(script).running() as host:
        carrier = await connected(courier(bodies=bodies), to_host(host.port))
        sent = message(text, prefix=b"X: 1\r\n", skip=14, file="big")
        (outcome,) = await carrier.deliver(sent, [recipient()])
        assert isinstance(outcome, Delivered)
        await carrier.close()
    assert digest.digest() == hashlib.sha256(b"X: 1\r\n" + text[14:]).digest()
    assert bodies.largest_read <= 64 * 1024


async def test_host_that_stops_reading_is_given_up_in_time() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("CHUNKING", "8BITMIME")
        await talk.hear("MAIL")
        talk.say("250 OK")
        await talk.hear("RCPT")
        talk.say("250 OK")
        await forever(talk)

    text = b"x" * 78 + b"\r\n"
    bodies = Bodies(big=text * 300_000)
    async with Host(script).running() as host:
        of = courier(bodies=bodies, timeouts=ClientTimeouts(block=0.3, quit=0.2))
        carrier = await connected(of, to_host(host.port))
        sent = message(bodies.bodies["big"], file="big")
        (outcome,) = await carrier.deliver(sent, [recipient()])
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.TIMEOUT
        assert not carrier.reusable
        await carrier.close()


@pytest.mark.parametrize("file", ["missing", "short"])
async def test_body_that_cannot_be_read_is_never_ended_with_a_dot(file: str) -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING", "8BITMIME")
        await talk.hear("MAIL")
        await talk.hear("RCPT")
        await talk.hear("DATA")
        talk.say("250 OK", "250 OK", "354 go")
        assert not (await talk.reader.read()).endswith(b".\r\n")

    async with Host(script).running() as host:
        of = courier(bodies=Bodies(short=b"Subject: x\r\n"))
        carrier = await connected(of, to_host(host.port))
        sent = message(b"x" * 70_000, file=file)
        (outcome,) = await carrier.deliver(sent, [recipient()])
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.LOCAL
        assert not carrier.reusable


async def test_unreadable_body_found_before_mail_leaves_the_connection_well() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        await talk.take()
        await talk.leave()

    async with Host(script).running() as host:
        carrier = await connected(courier(), to_host(host.port))
        sent = message(b"x" * 70_000, file="missing")
        (outcome,) = await carrier.deliver(sent, [recipient()])
        assert isinstance(outcome, Deferred)
        assert carrier.reusable
        (outcome,) = await carrier.deliver(message(), [recipient()])
        assert isinstance(outcome, Delivered)
        await carrier.close()


@pytest.mark.parametrize(
    ("text", "smtputf8", "offers", "enhanced"),
    [
        (b"Subject: x\r\n\r\n" + b"x" * 70_000, True, (), "2.0.0"),
        (b"Subject: \xe9\r\n\r\n" + b"x" * 70_000, False, (), "5.6.3"),
        ("Subject: é\r\n\r\nx".encode(), True, ("8BITMIME",), "5.6.7"),
        ("Subject: x\r\n\r\né".encode(), True, ("8BITMIME",), "2.0.0"),
        (b"S: " + b"x" * 70_000 + b"\r\n\r\n\xe9", True, ("8BITMIME",), "2.0.0"),
        (b"S: " + b"x" * 70_000 + b"\xe9\r\n\r\n", True, ("8BITMIME",), "5.6.7"),
        (b"S: x\r\n" * 30_000 + b"X: \xe9", True, ("8BITMIME",), "5.6.7"),
    ],
)
async def test_large_bodies_are_looked_at_where_it_matters(
    text: bytes, smtputf8: bool, offers: tuple[str, ...], enhanced: str
) -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING", *offers)
        if enhanced == "2.0.0":
            await talk.take()
        await talk.leave()

    async with Host(script).running() as host:
        carrier = await connected(courier(bodies=Bodies(f=text)), to_host(host.port))
        sent = message(text, file="f", smtputf8=smtputf8)
        (outcome,) = await carrier.deliver(sent, [recipient()])
        assert outcome.reply.enhanced == enhanced
        await carrier.close()


@pytest.mark.parametrize(
    ("text", "body", "smtputf8", "enhanced"),
    [
        (b"Subject: \xe9\r\n\r\nx", BodyKind.EIGHT_BIT_MIME, False, "5.6.3"),
        (b"Subject: \xe9\r\n\r\nx", BodyKind.EIGHT_BIT_MIME, True, "5.6.7"),
        (b"Subject: x\r\n\r\ny", BodyKind.EIGHT_BIT_MIME, False, "2.0.0"),
        (b"Subject: x\r\n\r\ny", BodyKind.BINARY_MIME, False, "2.0.0"),
        (b"Subject: x\r\n\r\ny", BodyKind.SEVEN_BIT, True, "2.0.0"),
    ],
)
async def test_small_bodies_are_looked_at(
    text: bytes, body: BodyKind, smtputf8: bool, enhanced: str
) -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        if enhanced == "2.0.0":
            await talk.take()
        await talk.leave()

    async with Host(script).running() as host:
        carrier = await connected(courier(), to_host(host.port))
        sent = message(text, body=body, smtputf8=smtputf8)
        (outcome,) = await carrier.deliver(sent, [recipient()])
        assert outcome.reply.enhanced == enhanced
        await carrier.close()


# Faults


async def test_host_that_closes_after_the_dot_defers_and_is_not_tried_again() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        await talk.hear("MAIL")
        await talk.hear("RCPT")
        await talk.hear("DATA")
        talk.say("250 OK", "250 OK", "354 go")
        await talk.content()

    (outcome,) = await delivery(script)
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.UNREACHABLE


async def test_kept_connection_lost_after_the_dot_is_not_replaced() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        await talk.take()
        await talk.hear("MAIL")
        await talk.hear("RCPT")
        await talk.hear("DATA")
        talk.say("250 OK", "250 OK", "354 go")
        await talk.content()
        talk.reset()

    async with Host(script).running() as host:
        carrier = await connected(courier(), to_host(host.port))
        await carrier.deliver(message(), [recipient()])
        (outcome,) = await carrier.deliver(message(), [recipient()])
        assert isinstance(outcome, Deferred)
        assert len(host.talks) == 1


@pytest.mark.parametrize("how", ["close", "421", "close at MAIL", "421 at MAIL"])
async def test_kept_connection_that_went_stale_is_replaced_once(how: str) -> None:
    async def first(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        await talk.take()
        if "MAIL" in how:
            await talk.hear("MAIL")
        if "421" in how:
            talk.say("421 4.4.2 idle")

    async def second(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        await talk.take()
        await talk.leave()

    async with Host(first, second).running() as host:
        carrier = await connected(courier(), to_host(host.port))
        await carrier.deliver(message(), [recipient()])
        if "MAIL" not in how:
            await asyncio.sleep(0.1)
            assert not carrier.reusable
        (outcome,) = await carrier.deliver(message(), [recipient()])
        assert isinstance(outcome, Delivered)
        await carrier.close()


async def test_stale_connection_whose_host_is_gone_is_a_deferral() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        await talk.take()

    host = Host(script)
    async with host.running():
        carrier = await connected(courier(), to_host(host.port))
        await carrier.deliver(message(), [recipient()])
    (outcome,) = await carrier.deliver(message(), [recipient()])
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.UNREACHABLE


async def _reset_at_once(talk: Talk) -> None:
    talk.reset()


async def _garbage(talk: Talk) -> None:
    talk.writer.write(b"\x00\xff\x16\x03\x01" * 2000)
    await forever(talk)


async def _refuse(talk: Talk) -> None:
    talk.say("554 5.7.1 go away")


async def _later(talk: Talk) -> None:
    talk.say("421 4.3.2 later")


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (_reset_at_once, Cause.UNREACHABLE),
        (_garbage, Cause.PROTOCOL),
        (_refuse, Cause.REMOTE_REPLY),
        (_later, Cause.REMOTE_REPLY),
        (forever, Cause.TIMEOUT),
    ],
)
async def test_bad_host_is_passed_over_for_the_next(
    script: Script, cause: Cause
) -> None:
    async def good(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        await talk.leave()

    of = courier(timeouts=ClientTimeouts(greeting=0.3, quit=0.3))
    async with Host(script, script).running() as bad, Host(good).running() as next_one:
        alone = await of.connect(to_host(bad.port))
        assert isinstance(alone, Failed if script is _refuse else Deferred)
        assert alone.cause is cause
        carrier = await connected(of, to_host(bad.port, next_one.port))
        await carrier.close()


async def test_late_answers_are_waited_for() -> None:
    async def script(talk: Talk) -> None:
        await asyncio.sleep(0.2)
        await talk.greet("PIPELINING")
        await talk.hear("MAIL")
        await talk.hear("RCPT")
        await talk.hear("DATA")
        for answer in ("250 OK", "250 OK", "354 go"):
            await asyncio.sleep(0.2)
            talk.say(answer)
        await talk.content()
        await asyncio.sleep(0.3)
        talk.say("250 2.0.0 taken")
        await talk.leave()

    of = courier(timeouts=ClientTimeouts(0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6))
    (outcome,) = await delivery(script, of=of)
    assert isinstance(outcome, Delivered)


async def test_no_answer_to_the_dot_is_a_time_out() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        await talk.hear("MAIL")
        await talk.hear("RCPT")
        await talk.hear("DATA")
        talk.say("250 OK", "250 OK", "354 go")
        await talk.content()
        await forever(talk)

    of = courier(timeouts=ClientTimeouts(final=0.2, quit=0.2))
    (outcome,) = await delivery(script, of=of)
    assert isinstance(outcome, Deferred)
    assert outcome.cause is Cause.TIMEOUT


async def test_cancelled_delivery_gives_the_connection_up() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING")
        await talk.hear("MAIL")
        await forever(talk)

    async with Host(script).running() as host:
        carrier = await connected(courier(), to_host(host.port))
        task = asyncio.ensure_future(carrier.deliver(message(), [recipient()]))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not carrier.reusable


async def test_host_that_never_answers_quit_does_not_hold_us() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet()
        await talk.hear("QUIT")
        await forever(talk)

    async with Host(script).running() as host:
        of = courier(timeouts=ClientTimeouts(quit=0.2))
        carrier = await connected(of, to_host(host.port))
        await asyncio.wait_for(carrier.close(), 2)


async def test_all_hosts_together_are_bounded_in_time() -> None:
    of = courier(total_seconds=0.2)
    async with Host(forever).running() as host:
        answer = await of.connect(to_host(host.port))
    assert isinstance(answer, Deferred)
    assert answer.cause is Cause.TIMEOUT


# TLS


async def test_opportunistic_tls_takes_any_certificate(
    server_tls: ssl.SSLContext,
) -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("STARTTLS")
        await talk.start_tls(server_tls)
        await talk.hello("PIPELINING")
        await talk.take()
        await talk.leave()

    (outcome,) = await delivery(script)
    assert isinstance(outcome, Delivered)
    assert outcome.tls == "TLSv1.3"


async def test_required_tls_refuses_an_unknown_certificate(
    server_tls: ssl.SSLContext,
) -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("STARTTLS")
        await talk.hear("STARTTLS")
        talk.say("220 go")
        with pytest.raises((ssl.SSLError, OSError)):
            await talk.writer.start_tls(server_tls)

    async with Host(script).running() as host:
        to = to_host(host.port, tls=TlsPolicy.REQUIRED)
        answer = await courier().connect(to)
    assert isinstance(answer, Deferred)
    assert answer.cause is Cause.TLS
    assert answer.reply.enhanced == "4.7.5"
    assert "certificate" in str(answer.reply)


@pytest.mark.parametrize(("name", "well"), [("localhost", True), ("127.0.0.9", False)])
async def test_required_tls_verifies_the_name(
    certificate: Certificate, server_tls: ssl.SSLContext, name: str, *, well: bool
) -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("STARTTLS")
        try:
            await talk.start_tls(server_tls)
        except OSError:
            return
        await talk.hello("PIPELINING")
        await talk.take()
        await talk.leave()

    of = courier(
        verifying=verifying_context(certificate.certificate),
        resolver=Names(addresses={"localhost": at("127.0.0.1")}),
    )
    async with Host(script).running("0.0.0.0") as host:
        to = to_host(host.port, host=name, tls=TlsPolicy.REQUIRED)
        carrier = await of.connect(to)
        if well:
            assert isinstance(carrier, SmtpCarrier)
            (outcome,) = await carrier.deliver(message(), [recipient()])
            assert isinstance(outcome, Delivered)
            await carrier.close()
        else:
            assert isinstance(carrier, Deferred)
            assert carrier.cause is Cause.TLS


async def test_failed_handshake_falls_back_to_plain_over_a_new_connection() -> None:
    async def broken(talk: Talk) -> None:
        await talk.greet("STARTTLS")
        await talk.hear("STARTTLS")
        talk.say("220 go")
        await talk.reader.read(1)
        talk.writer.write(b"no TLS here\r\n")

    async def plain(talk: Talk) -> None:
        await talk.greet("STARTTLS", "PIPELINING")
        await talk.take()
        await talk.leave()

    (outcome,) = await delivery(broken, plain)
    assert isinstance(outcome, Delivered)
    assert outcome.tls == ""


async def test_answer_injected_behind_starttls_drops_the_session() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("STARTTLS")
        await talk.hear("STARTTLS")
        talk.say("220 go", "250-injected", "250 AUTH PLAIN")
        await talk.ended()

    async with Host(script).running() as host:
        answer = await courier().connect(to_host(host.port))
    assert isinstance(answer, Deferred)
    assert answer.cause is Cause.PROTOCOL


async def test_answer_injected_a_moment_later_is_no_answer() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("STARTTLS")
        await talk.hear("STARTTLS")
        talk.say("220 go")
        await asyncio.sleep(0.05)
        talk.say("250 injected")

    async with Host(script).running() as host:
        to = to_host(host.port, tls=TlsPolicy.REQUIRED)
        answer = await courier().connect(to)
    assert isinstance(answer, Deferred)
    assert answer.cause is Cause.TLS


async def test_tls_before_the_greeting_and_login_under_it(
    server_tls: ssl.SSLContext,
) -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("PIPELINING", "AUTH LOGIN PLAIN")
        await talk.hear("AUTH PLAIN AHVzZXIAcGE1NQ==")
        talk.say("235 2.7.0 OK")
        await talk.take()
        await talk.leave()

    async with Host(script).running(context=server_tls) as host:
        login = Credentials("user", "pa55")
        to = to_host(host.port, implicit_tls=True, credentials=login)
        carrier = await connected(courier(), to)
        (outcome,) = await carrier.deliver(message(), [recipient()])
        assert isinstance(outcome, Delivered)
        assert outcome.tls == "TLSv1.3"
        await carrier.close()


async def test_smtps_to_a_host_without_tls_is_no_plain_session() -> None:
    async def script(talk: Talk) -> None:
        talk.say("220 plain")
        await talk.reader.read()

    async with Host(script).running() as host:
        answer = await courier().connect(to_host(host.port, implicit_tls=True))
    assert isinstance(answer, Deferred)
    assert answer.cause is Cause.TLS


async def test_login_refused_for_good_is_not_tried_at_the_next_server(
    server_tls: ssl.SSLContext,
) -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("AUTH PLAIN")
        await talk.hear("AUTH PLAIN")
        talk.say("535 5.7.8 no")

    async with Host(script).running(context=server_tls) as host:
        login = Credentials("user", "pa55")
        to = to_host(host.port, host.port, implicit_tls=True, credentials=login)
        answer = await courier().connect(to)
    assert isinstance(answer, Deferred)
    assert answer.cause is Cause.UPSTREAM_AUTH


async def test_login_is_not_sent_after_a_failed_handshake() -> None:
    async def script(talk: Talk) -> None:
        await talk.greet("STARTTLS", "AUTH PLAIN")
        await talk.hear("STARTTLS")
        talk.say("454 not now")
        await talk.ended()

    async with Host(script).running() as host:
        to = to_host(host.port, credentials=Credentials("user", "pa55"))
        answer = await courier().connect(to)
    assert isinstance(answer, Deferred)
    assert answer.cause is Cause.TLS


async def test_lmtp_answers_by_recipient() -> None:
    async def script(talk: Talk) -> None:
        talk.say("220 lmtp")
        await talk.hear("LHLO relay.example.com")
        talk.say("250-lmtp", "250 PIPELINING")
        await talk.hear("MAIL")
        await talk.hear("RCPT")
        await talk.hear("RCPT")
        await talk.hear("DATA")
        talk.say("250 OK", "250 OK", "250 OK", "354 go")
        await talk.content()
        talk.say("250 2.0.0 OK", "550 5.2.2 full")
        await talk.leave()

    first, second = await delivery(script, recipients=2, lmtp=True)
    assert isinstance(first, Delivered)
    assert isinstance(second, Failed)
