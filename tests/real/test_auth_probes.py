"""Every doubt is a refusal: authentication as those try it who have no right to.

The probes of the audit catalogue, part B, by their ids. Each has two halves: the reply
is never 235, and relaying is refused right after it. Every exchange comes from a
network of its own, so that the brake on guessing (which is a test, too) does not
answer for the mechanism.
"""

import base64
import contextlib
import re
from collections.abc import Callable, Iterator

import pytest

from peers.dialogue import ClosedError, Dialogue, Reply, encoded
from peers.loopback import fresh_address
from peers.service import OWN, Service, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, stuffed, token

USER, PASSWORD = Service.USER, Service.PASSWORD
OTHER, OTHER_PASSWORD = f"known@{OWN}", "another battery entirely"
NOBODY = f"nobody-here@{OWN}"

BROKEN = {"501 5.5.2"}
REFUSED = {"535 5.7.8"}
NOT_OFFERED = {"504 5.5.4"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Serve two accounts; what is relayed by mistake would show at the sink."""
    folder = tmp_path_factory.mktemp("auth")
    with RecordingSink() as world:
        serving = Service(folder / "service", plain_settings(world.url))
        serving.add_user()
        serving.add_user(OTHER, OTHER_PASSWORD)
        with serving:
            yield serving
        marks = [m.content for m in world.messages if b"allowed" not in m.content]
        assert marks == []


@pytest.fixture
def client(service: Service, stranger: str) -> Iterator[Dialogue]:
    """A stranger at the submission listener, under TLS."""
    with service.dial("submission", source=stranger) as dialogue:
        dialogue.starttls()
        yield dialogue


def assert_no_passage(client: Dialogue) -> None:
    """MAIL and RCPT are refused, or the connection is at its end."""
    try:
        answer = client.say(f"MAIL FROM:<{USER}>")
        assert answer.status in {"530 5.7.0", "503 5.5.1", "421 4.7.0"}
        assert client.say("RCPT TO:<c@world.test>").code in {503, 530, 421}
        assert client.say("DATA").code in {503, 530, 554, 421}
    except (ClosedError, ConnectionError):
        pass


def exchange(client: Dialogue, mechanism: str, answer: bytes) -> Reply:
    """AUTH, then `answer` as often as something is asked; the final reply."""
    reply = client.say(f"AUTH {mechanism}")
    for _ in range(5):
        if reply.code != 334:
            return reply
        reply = client.say(answer)
    raise AssertionError(f"asked for ever: {reply!r}")


# -- AUTH-003: everything against everything ------------------------------------------

OFFERED = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN")
NEVER = (
    *("GSSAPI", "GSS-SPNEGO", "NTLM", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1"),
    *("SCRAM-SHA-1-PLUS", "EXTERNAL", "ANONYMOUS", "OAUTHBEARER", "XOAUTH2", "OTP"),
    *("SKEY", "SRP", "KERBEROS_V4", "X-UNKNOWN"),
)
JUNK = {
    "dot": (b".", BROKEN),
    "nothing": (b"", BROKEN | REFUSED),
    "equals": (b"=", BROKEN | REFUSED),
    "star": (b"*", {"501 5.7.0"}),
    "NUL": (b"AA==", BROKEN | REFUSED),
    "no alphabet": (b"!!!!", BROKEN),
    "no length": (b"A", BROKEN),
    "eight bits": (b"\xff\xfe", BROKEN | {"500 5.5.2"}),
    "too long": (b"A" * 12289 + b"===", {"500 5.5.6"}),
}


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("mechanism", OFFERED)
def test_junk_is_no_credential(client: Dialogue, mechanism: str, junk: str) -> None:
    answer, safe = JUNK[junk]
    assert exchange(client, mechanism, answer).status in safe
    assert_no_passage(client)


@pytest.mark.parametrize("mechanism", NEVER)
def test_mechanism_that_is_not_offered_asks_nothing(
    service: Service, mechanism: str
) -> None:
    """No answer is waited for, so that none can be mistaken for a credential."""
    for answer, _ in JUNK.values():
        with service.dial("submission", source=fresh_address()) as client:
            assert mechanism not in " ".join(client.starttls()).split()
            assert client.say(f"AUTH {mechanism}").status in NOT_OFFERED
            try:
                assert client.say(answer).code in {500, 501, 421}
            except (ClosedError, ConnectionError):
                continue
            assert_no_passage(client)


@pytest.mark.parametrize("name", OFFERED)
def test_control_the_offered_mechanisms_are_these(client: Dialogue, name: str) -> None:
    """Else the matrix above would test what does not exist."""
    offered = [line for line in client.ehlo() if line.startswith("AUTH ")]
    assert len(offered) == 1
    assert name in offered[0].split()


def test_control_good_credentials_are_taken(client: Dialogue) -> None:
    assert client.login(USER, PASSWORD).status == "235 2.7.0"
    assert client.say(f"MAIL FROM:<{USER}>").code == 250
    assert client.say("RCPT TO:<c@world.test>").code == 250


# -- single exchanges -----------------------------------------------------------------


def test_switching_mechanisms_leaves_nothing_behind(client: Dialogue) -> None:
    """AUTH-007."""
    assert client.say("AUTH CRAM-MD5").status in NOT_OFFERED
    assert client.say("AUTH LOGIN").code == 334
    assert client.say("*").status == "501 5.7.0"
    assert client.say("AUTH SCRAM-SHA-256").code == 334
    assert client.say("*").status == "501 5.7.0"
    assert client.login(USER, "wrong").status in REFUSED
    assert client.say("NOOP").code == 250
    assert_no_passage(client)


@pytest.mark.parametrize(
    "line",
    ["X-EXPS GSSAPI", "X-EXPS NTLM", "XEXCH50 2 2", "X-ANONYMOUSTLS", "X-LINK2STATE"],
)
def test_the_old_server_s_own_verbs_are_unknown(client: Dialogue, line: str) -> None:
    """AUTH-008."""
    assert client.say(line).status in {"500 5.5.1", "502 5.5.1"}
    assert client.say(".").code == 500
    assert_no_passage(client)


PLAIN_RESPONSES = {
    "AUTH-010 no password": (encoded("", USER, ""), BROKEN | REFUSED),
    "AUTH-011 nothing at all": (encoded("", "", ""), BROKEN | REFUSED),
    "AUTH-011 NUL NUL": (b"AAA=", BROKEN | REFUSED),
    "AUTH-011 empty": (b"=", BROKEN | REFUSED),
    "AUTH-011 no user": (encoded("", "", PASSWORD), BROKEN | REFUSED),
    "AUTH-012 for somebody else": (encoded(OTHER, USER, PASSWORD), REFUSED),
    "AUTH-013 no authcid": (b"YWRtaW4AAHBhc3N3b3Jk", BROKEN | REFUSED),
    "AUTH-013 user as authzid": (encoded(USER, "", PASSWORD), BROKEN | REFUSED),
    "AUTH-014 two fields": (encoded(USER, PASSWORD), BROKEN | REFUSED),
    "AUTH-014 four fields": (encoded("", USER, PASSWORD, "x"), BROKEN | REFUSED),
    "AUTH-014 NUL at the end": (encoded("", USER, PASSWORD, ""), BROKEN | REFUSED),
    "AUTH-014 NUL in front": (encoded("", "", USER, PASSWORD), BROKEN | REFUSED),
    "not UTF-8": (encoded("", b"\xff\xfe", b"\xc1\x80"), BROKEN | REFUSED),
}


@pytest.mark.parametrize("name", PLAIN_RESPONSES)
@pytest.mark.parametrize("initial", [True, False], ids=["initial", "asked"])
def test_plain_response_that_proves_nothing(
    client: Dialogue, name: str, initial: bool
) -> None:
    response, safe = PLAIN_RESPONSES[name]
    if initial:
        answer = client.say(b"AUTH PLAIN " + response)
    else:
        assert client.say("AUTH PLAIN").code == 334
        answer = client.say(response)
    assert answer.status in safe
    assert_no_passage(client)


@pytest.mark.parametrize(
    ("user", "password"),
    [
        *((encoded(USER), b""), (encoded(USER), b"="), (b"", encoded(PASSWORD))),
        *((b"=", b"="), (b"", b""), (encoded(USER, "x"), encoded(PASSWORD))),
        (encoded(USER), encoded(PASSWORD, "x")),
        (encoded(USER), encoded(PASSWORD, "")),
    ],
    ids=repr,
)
def test_login_answers_that_prove_nothing(
    client: Dialogue, user: bytes, password: bytes
) -> None:
    """AUTH-010, AUTH-011, AUTH-014."""
    answer = client.say("AUTH LOGIN")
    for given in (user, password):
        if answer.code == 334:
            answer = client.say(given)
    assert answer.status in BROKEN | REFUSED
    assert_no_passage(client)


@pytest.mark.parametrize(
    "name",
    [
        *("nouser\r\n235 2.7.0 x", "a\nb", "a\rb", "a\tb", "a\x7fb", "a\x1b[2Jb"),
        *("a\u2028b", "a\u202eb", "a\u0085b"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_control_characters_in_a_name_break_no_line(
    service: Service, client: Dialogue, mechanism: str, name: str
) -> None:
    """AUTH-015: one reply of one line, the next in step, the log still readable."""
    if mechanism == "PLAIN":
        answer = client.login(name, "secret-in-no-log")
    else:
        assert client.say("AUTH LOGIN").code == 334
        answer = client.say(encoded(name))
        if answer.code == 334:
            answer = client.say(encoded("secret-in-no-log"))
    assert answer.status in BROKEN | REFUSED
    assert answer.count(b"\r\n") == 1
    assert client.say("NOOP").code == 250
    assert_no_passage(client)
    assert service.events("session.opened")  # every line parses
    log = service.log_file.read_text()
    assert "secret-in-no-log" not in log
    assert encoded("", name, "secret-in-no-log").decode() not in log


@pytest.mark.parametrize(
    "name",
    [
        *(
            "*",
            f"{USER})(uid=*",
            f"{USER}' OR '1'='1",
            f'{USER}"--',
            "%u %{x} ${run{id}}",
        ),
        *(f"../{USER}", f"{USER};", f"{USER}\\", "admin'/*", "{0}", "$(id)"),
    ],
)
def test_a_name_is_never_a_query(service: Service, client: Dialogue, name: str) -> None:
    """AUTH-016: answered as any name that is not there."""
    for_nobody = _answer_to(service, NOBODY, "wrong")
    assert client.login(name, PASSWORD) == for_nobody
    assert_no_passage(client)


def _answer_to(service: Service, name: str, password: str) -> Reply:
    with service.dial("submission", source=fresh_address()) as client:
        client.starttls()
        return client.login(name, password)


GOOD = encoded("", USER, PASSWORD).decode()


@pytest.mark.parametrize(
    "response",
    [
        *(
            GOOD[:8] + " " + GOOD[8:],
            GOOD[:8] + "\t" + GOOD[8:],
            GOOD.rstrip("=") + "====",
        ),
        *(GOOD + "AAAA" if GOOD.endswith("=") else GOOD + "=", GOOD + "\x0b"),
        *(GOOD[:-1], "-_" + GOOD[2:], GOOD + "\\r\\n", "=" + GOOD, "*" + GOOD),
    ],
    ids=lambda response: response[-12:],
)
def test_lax_base64_is_no_base64(client: Dialogue, response: str) -> None:
    """AUTH-020: RFC 4648 §3.3; a secret has one encoding."""
    assert client.say(f"AUTH PLAIN {response}").status in BROKEN | {
        "501 5.5.4",
        "500 5.5.2",
    }
    assert_no_passage(client)


def test_trailing_bits_are_not_base64(client: Dialogue) -> None:
    """AUTH-020: "AB==" and "AA==" must not both be one octet."""
    assert client.say("AUTH PLAIN AB==").status in BROKEN
    assert_no_passage(client)


@pytest.mark.parametrize(
    "line",
    [
        "AUTH ANONYMOUS dGVzdA==",  # AUTH-030
        "AUTH EXTERNAL =",  # AUTH-031
        f"AUTH EXTERNAL {encoded(USER).decode()}",
        f"AUTH EXTERNAL {encoded('postmaster').decode()}",
        "AUTH PLAIN-CLIENTTOKEN AA==",
        "AUTH",
        "AUTH =",
        "AUTH *",
    ],
)
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_nobody_vouches_for_himself(
    service: Service, stranger: str, line: str, tls: bool
) -> None:
    with service.dial("submission", source=stranger) as client:
        (client.starttls if tls else client.ehlo)()
        safe = NOT_OFFERED | {"501 5.5.4", "501 5.5.2", "538 5.7.11"}
        assert client.say(line).status in safe
        assert_no_passage(client)


# -- the states -----------------------------------------------------------------------


def test_auth_in_clear_is_not_even_looked_at(service: Service, stranger: str) -> None:
    """AUTH-050: good and bad credentials are answered alike."""
    for password in (PASSWORD, "wrong"):
        with service.dial("submission", source=stranger) as client:
            assert not [line for line in client.ehlo() if line.startswith("AUTH")]
            assert client.login(USER, password).status in {"538 5.7.11", "530 5.7.0"}
            assert_no_passage(client)
    assert service.events("auth.succeeded", client=stranger) == []


def test_nothing_of_auth_in_clear_survives_starttls(
    service: Service, stranger: str
) -> None:
    """AUTH-051."""
    with service.dial("submission", source=stranger) as client:
        client.ehlo()
        client.login(USER, PASSWORD)
        assert client.say("STARTTLS").code == 220
        client.handshake()
        assert [line for line in client.ehlo() if line.startswith("AUTH")]
        assert_no_passage(client)


@pytest.mark.parametrize("line", [f"MAIL FROM:<{USER}>", f"AUTH PLAIN {GOOD}"])
def test_ehlo_is_wanted_again_after_starttls(
    service: Service, stranger: str, line: str
) -> None:
    """AUTH-052."""
    with service.dial("submission", source=stranger) as client:
        client.ehlo()
        assert client.say("STARTTLS").code == 220
        client.handshake()
        assert client.say(line).status in {"503 5.5.1", "530 5.7.0"}


@pytest.mark.parametrize("greeting", ["HELO x.test", ""])
def test_auth_needs_ehlo(service: Service, stranger: str, greeting: str) -> None:
    """AUTH-002: after HELO, or nothing at all, there is no AUTH."""
    with service.dial("submission", source=stranger) as client:
        if greeting:
            assert client.say(greeting).code == 250
        assert client.say("AUTH GSSAPI").status in {"503 5.5.1", "502 5.5.1"}
        assert client.say(".").code == 500
        assert client.say(f"AUTH PLAIN {GOOD}").status in {"503 5.5.1", "502 5.5.1"}
        assert_no_passage(client)


def test_starttls_after_auth_is_out_of_order(client: Dialogue) -> None:
    """AUTH-053."""
    assert client.login(USER, PASSWORD).code == 235
    assert client.say("STARTTLS").status == "503 5.5.1"
    assert client.say("STARTTLS").status == "503 5.5.1"
    assert client.say(f"MAIL FROM:<{USER}>").code == 250


def test_rset_keeps_the_identity_and_a_failure_gives_none(client: Dialogue) -> None:
    """AUTH-054."""
    assert client.login(USER, "wrong").status in REFUSED
    assert client.say("RSET").code == 250
    assert client.say(f"MAIL FROM:<{USER}>").status == "530 5.7.0"
    assert client.login(USER, PASSWORD).code == 235
    assert client.say(f"MAIL FROM:<{USER}>").code == 250
    assert client.say("RSET").code == 250
    assert client.say("RCPT TO:<c@world.test>").status == "503 5.5.1"
    assert client.say(f"MAIL FROM:<{USER}>").code == 250
    assert client.ehlo("other.test")
    assert client.say("RCPT TO:<c@world.test>").status == "503 5.5.1"


def test_one_session_one_identity(client: Dialogue) -> None:
    """AUTH-055."""
    assert client.login(USER, PASSWORD).code == 235
    assert client.login(OTHER, "wrong").status == "503 5.5.1"
    assert client.login(OTHER, OTHER_PASSWORD).status == "503 5.5.1"
    assert client.say(f"MAIL FROM:<{OTHER}>").status == "553 5.7.1"


def test_auth_inside_a_transaction_is_out_of_order(client: Dialogue) -> None:
    """AUTH-056."""
    assert client.login(USER, PASSWORD).code == 235
    assert client.say(f"MAIL FROM:<{USER}>").code == 250
    assert client.login(OTHER, OTHER_PASSWORD).status == "503 5.5.1"
    assert client.say("RCPT TO:<c@world.test>").code == 250


@pytest.mark.parametrize("user", [USER, NOBODY, "guest", "anonymous", "postmaster"])
def test_nothing_is_relayed_after_a_failed_auth(client: Dialogue, user: str) -> None:
    """AUTH-057."""
    assert client.login(user, "wrong").status in REFUSED
    assert_no_passage(client)


def test_nothing_is_relayed_after_an_aborted_auth(client: Dialogue) -> None:
    """AUTH-058."""
    assert client.say("AUTH LOGIN").code == 334
    assert client.say("*").status == "501 5.7.0"
    assert_no_passage(client)


def test_a_command_inside_an_exchange_is_data(client: Dialogue) -> None:
    """AUTH-058."""
    assert client.say("AUTH PLAIN").code == 334
    assert client.say(f"MAIL FROM:<{USER}>").status in BROKEN
    assert client.say("RCPT TO:<c@world.test>").status in {"503 5.5.1", "530 5.7.0"}
    assert_no_passage(client)


def test_commands_pipelined_behind_auth_do_not_run_as_anybody(
    client: Dialogue,
) -> None:
    """AUTH-059."""
    client.send(
        b"AUTH PLAIN "
        + encoded("", USER, "wrong")
        + b"\r\nMAIL FROM:<user@own.test>\r\n"
        b"RCPT TO:<c@world.test>\r\nDATA\r\nQUIT\r\n"
    )
    statuses = [reply.status for reply in client.replies_until_closed()]
    assert statuses[0] in REFUSED | {"554 5.5.0"}
    assert not [s for s in statuses[1:] if s.startswith(("250", "354", "235"))]


@pytest.mark.parametrize("parameter", [f"postmaster@{OWN}", "<>", USER])
@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_the_auth_parameter_of_mail_proves_nothing(
    service: Service, stranger: str, listener: str, parameter: str
) -> None:
    """AUTH-060."""
    with service.dial(listener, source=stranger) as client:
        client.starttls()
        answer = client.say(f"MAIL FROM:<a@outside.test> AUTH={parameter}")
        if answer.code == 250:
            answer = client.say("RCPT TO:<c@world.test>")
        assert answer.status in {"530 5.7.0", "550 5.7.1", "555 5.5.4", "501 5.5.4"}


@pytest.mark.parametrize(
    "line",
    [
        b"XCLIENT ADDR=127.0.0.1 LOGIN=admin",
        b"XFORWARD ADDR=127.0.0.1",
        b"PROXY TCP4 127.0.0.1 127.0.0.1 1 25",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x19\0\x19",
    ],
    ids=["XCLIENT", "XFORWARD", "PROXY v1", "PROXY v2"],
)
@pytest.mark.parametrize("listener", ["mx", "submission"])
def test_no_client_says_who_it_is(
    service: Service, stranger: str, listener: str, line: bytes
) -> None:
    """AUTH-061: where no proxy is configured, there is none."""
    with service.dial(listener, source=stranger) as client:
        client.send(line + b"\r\n")
        replies: list[Reply] = []
        try:
            for said in (b"", b"EHLO x.test", b"MAIL FROM:<a@outside.test>"):
                if said:
                    client.send(said + b"\r\n")
                replies.append(client.reply())
            replies.append(client.say("RCPT TO:<c@world.test>"))
        except (ClosedError, ConnectionError):
            pass
        assert not [r for r in replies if r.code in {220, 235}]
        assert len(replies) < 4 or replies[-1].code in {500, 501, 503, 530, 550, 421}
    opened = service.wait_for_event("session.opened", client=stranger)
    assert opened["listener"] == listener


@pytest.mark.parametrize(
    "name",
    ["localhost", "[127.0.0.1]", "relay.test", OWN, "[IPv6:::1]", "mail.own.test"],
)
def test_a_greeting_name_opens_nothing(
    service: Service, stranger: str, name: str
) -> None:
    """AUTH-062."""
    for verb in ("EHLO", "HELO"):
        with service.dial("mx", source=stranger) as client:
            assert client.say(f"{verb} {name}").code == 250
            assert client.say("MAIL FROM:<a@outside.test>").code == 250
            assert client.say("RCPT TO:<c@world.test>").status == "550 5.7.1"


@pytest.mark.parametrize("recipient", ["c@world.test", f"known@{OWN}", "postmaster"])
def test_submission_without_auth_takes_nothing(
    client: Dialogue, recipient: str
) -> None:
    """AUTH-064: not even for our own domain."""
    assert client.say(f"MAIL FROM:<{USER}>").status == "530 5.7.0"
    assert client.say(f"RCPT TO:<{recipient}>").code in {503, 530}


def test_guessing_is_braked_and_locks_nobody_else_out(
    service: Service, stranger: str
) -> None:
    """AUTH-065."""
    statuses: list[str] = []
    with service.dial("submission", source=stranger) as client:
        client.starttls()
        with contextlib.suppress(ClosedError, ConnectionError):
            while len(statuses) < 12:
                statuses += [client.login(OTHER, f"guess {len(statuses)}").status]
    assert statuses[-1] == "421 4.7.0"
    assert set(statuses[:-1]) <= REFUSED | {"454 4.7.0"}
    assert len(statuses) <= 7
    assert _answer_to(service, OTHER, OTHER_PASSWORD).code == 235


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
def test_unknown_user_and_wrong_password_read_alike(
    service: Service, mechanism: str
) -> None:
    """AUTH-066: octet by octet, and as many questions."""
    attempts = {
        "PLAIN": _guess_plain,
        "LOGIN": _guess_login,
        "SCRAM-SHA-256": _guess_scram,
    }
    heard: list[list[bytes]] = []
    for name in (USER, NOBODY):
        with service.dial("submission", source=fresh_address()) as client:
            client.starttls()
            heard.append(attempts[mechanism](client, name))
    assert heard[0] == heard[1]


def _guess_plain(client: Dialogue, name: str) -> list[bytes]:
    return [client.login(name, "wrong")]


def _guess_login(client: Dialogue, name: str) -> list[bytes]:
    return [
        client.say("AUTH LOGIN"),
        client.say(encoded(name)),
        client.say(encoded("x")),
    ]


def _guess_scram(client: Dialogue, name: str) -> list[bytes]:
    first = base64.b64encode(f"n,,n={name},r=clientnonce".encode())
    asked = client.say(b"AUTH SCRAM-SHA-256 " + first)
    assert asked.code == 334
    challenge = base64.b64decode(asked[4:]).decode()
    nonce, salt, rounds = (part[2:] for part in challenge.split(","))
    proof = base64.b64encode(b"\0" * 32).decode()
    final = base64.b64encode(f"c=biws,r={nonce},p={proof}".encode())
    shape = f"{len(nonce)} {len(salt)} {rounds}".encode()
    return [shape, client.say(final)]


# -- what an identity may do ----------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "status"),
    [
        (OTHER, "553 5.7.1"),
        ("ceo@world.test", "553 5.7.1"),
        ("", "550 5.7.1"),
        (f"user%x@{OWN}", "553 5.7.1"),
        (f"user@sub.{OWN}", "553 5.7.1"),
        (f"user+tag@{OWN}", "553 5.7.1"),
        (f'"user x"@{OWN}', "553 5.7.1"),
        (f'"user@{OWN}"@world.test', "553 5.7.1"),
        (f"postmaster@{OWN}", "553 5.7.1"),
        (f"user@{OWN}.world.test", "553 5.7.1"),
        (f"xuser@{OWN}", "553 5.7.1"),
    ],
)
def test_an_identity_sends_as_itself(
    client: Dialogue, sender: str, status: str
) -> None:
    """AUTH-080."""
    assert client.login(USER, PASSWORD).code == 235
    answer = client.say(f"MAIL FROM:<{sender}>")
    if answer.code == 250:
        answer = client.say("RCPT TO:<c@world.test>")
    assert answer.status == status


HEADERS: dict[str, tuple[str, set[str]]] = {
    "own": (f"From: {USER}", {"250 2.0.0"}),
    "own, with a name": (f'From: "Us, er" <{USER}>', {"250 2.0.0"}),
    "own, with an encoded name": (f"From: =?utf-8?q?=C3=9C?= <{USER}>", {"250 2.0.0"}),
    "somebody else": (f"From: {OTHER}", {"550 5.7.1"}),
    "somebody outside": ("From: ceo@world.test", {"550 5.7.1"}),
    "two": (f"From: {USER}\r\nFrom: {OTHER}", {"550 5.7.1", "554 5.6.0"}),
    "two in one": (f"From: {USER}, {OTHER}", {"550 5.7.1"}),
    "own as a comment": (f"From: ({USER}) {OTHER}", {"550 5.7.1"}),
    "own as a name": (f'From: "{USER}" <{OTHER}>', {"550 5.7.1"}),
    "own as a bare name": (f"From: {USER} <{OTHER}>", {"550 5.7.1"}),
    "own, encoded, as a name": (f"From: =?utf-8?q?{USER}?= <{OTHER}>", {"550 5.7.1"}),
    "a group": (f"From: us: {USER};", {"550 5.7.1"}),
    "no author": ("Subject: x", {"550 5.7.1"}),
    "an empty one": ("From:", {"550 5.7.1"}),
    "another sender": (f"From: {USER}\r\nSender: {OTHER}", {"550 5.7.1"}),
    "folded": (f"From:\r\n {OTHER}", {"550 5.7.1"}),
    "upper case": (f"FROM: {OTHER}", {"550 5.7.1"}),
}


@pytest.mark.parametrize("name", HEADERS)
def test_an_identity_writes_as_itself(client: Dialogue, name: str) -> None:
    """AUTH-081."""
    header, safe = HEADERS[name]
    assert client.login(USER, PASSWORD).code == 235
    assert client.say(f"MAIL FROM:<{USER}>").code == 250
    assert client.say("RCPT TO:<c@world.test>").code == 250
    assert client.say("DATA").code == 354
    client.send(f"{header}\r\nX-Mark: allowed\r\n\r\nx\r\n.\r\n".encode())
    assert client.reply().status in safe


def test_a_stranger_does_not_send_as_one_of_us(service: Service, stranger: str) -> None:
    """AUTH-082."""
    with service.dial("mx", source=stranger) as client:
        client.ehlo()
        answer = client.say(f"MAIL FROM:<{USER}>")
        if answer.code == 250:
            answer = client.say(f"RCPT TO:<known@{OWN}>")
        assert answer.status == "550 5.7.1"


CHANGES = {
    "disabled": ("user", "disable", USER),
    "removed": ("user", "remove", USER),
    "new password": ("user", "passwd", USER, "--password-file", "-"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_account_ends_its_sessions_at_their_next_mail(
    serve: Callable[..., Service], sink: RecordingSink, change: str
) -> None:
    """An identity is not for ever, and a remembered success is none."""
    service = serve(plain_settings(sink.url))
    with service.signed_in(source=fresh_address()) as client:
        assert client.say(f"MAIL FROM:<{USER}>").code == 250
        assert client.say("RSET").code == 250
        service.run(*CHANGES[change], data=b"something new").well()
        assert client.say(f"MAIL FROM:<{USER}>").status == "421 4.7.0"
    assert _answer_to(service, USER, PASSWORD).status in REFUSED


def test_no_secret_is_in_the_log(service: Service, client: Dialogue) -> None:
    """Neither the password nor any form in which it came over the wire."""
    assert client.login(USER, PASSWORD).code == 235
    assert client.say(f"MAIL FROM:<{USER}>").code == 250
    assert client.say("RCPT TO:<c@world.test>").code == 250
    assert client.say("DATA").code == 354
    client.send(stuffed(a_message(token() + "allowed")))
    assert client.reply().code == 250
    service.wait_until_idle()
    log = service.log_file.read_text() + service.process.output()
    for secret in (PASSWORD, GOOD, encoded(PASSWORD).decode()):
        assert secret not in log
    assert re.search(r'"event":\s*"auth.succeeded"', log)
