"""Bearer tokens on the running service, from clients that people have."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peers.dialogue import Dialogue, Reply, encoded
from peers.loopback import fresh_address
from peers.namespace import require_program
from peers.oidc import CLIENT_ID, CLIENT_SECRET, SCOPE, OidcProvider
from peers.process import Finished, run
from peers.service import OWN, Service, Settings, plain_settings
from peers.sink import RecordingSink
from real.messages import a_message, token

Serve = Callable[..., Service]

USER, PASSWORD = Service.USER, Service.PASSWORD
REFUSED = "535 5.7.8"
UNAVAILABLE = "454 4.7.0"
MECHANISMS = ["OAUTHBEARER", "XOAUTH2", "PLAIN"]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[OidcProvider]:
    with OidcProvider(tmp_path / "idp") as serving:
        yield serving


def settings_of(
    sink: RecordingSink, provider: OidcProvider, **changes: Any
) -> Settings:
    """Local accounts and tokens on one listener."""
    settings = plain_settings(sink.url)
    one: dict[str, Any] = {
        "kind": "oidc",
        "name": "idp",
        "issuer": provider.issuer,
        "audience": ["sekisho"],
        "scopes": [SCOPE],
        "groups": "groups",
        "ca": str(provider.ca),
        **changes,
    }
    if "introspection" not in changes:
        one["jwks"] = f"{provider.url}/keys"
    settings["authenticator"] = [{"kind": "local"}, one]
    settings["listener"][1]["mechanisms"] = MECHANISMS
    return settings


def introspecting(provider: OidcProvider, **changes: Any) -> dict[str, Any]:
    return {
        "introspection": f"{provider.url}/introspect",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        **changes,
    }


def curl(service: Service, shown: str, mail: Path, *options: str) -> Finished:
    """Send a message as curl does, which verifies our certificate."""
    host, port = service.address("submission")
    return run(
        [
            *(require_program("curl"), "--silent", "--show-error", "--ssl-reqd"),
            *("--url", f"smtp://{host}:{port}/client.test", "--max-time", "20"),
            *("--cacert", service.certificate.certificate),
            *("--mail-from", USER, "--mail-rcpt", "somebody@world.test"),
            *("--user", f"{USER}:", "--oauth2-bearer", shown),
            *("--upload-file", mail, *options),
        ]
    )


def bearer(shown: str, user: str = USER) -> bytes:
    return encoded(f"n,a={user},\x01auth=Bearer {shown}\x01\x01")


def vendor(shown: str, user: str = USER) -> bytes:
    return encoded(f"user={user}\x01auth=Bearer {shown}\x01\x01")


def sign_in(client: Dialogue, shown: str, user: str = USER) -> Reply:
    """Sign in by XOAUTH2, and hear it out."""
    answer = client.say(b"AUTH XOAUTH2 " + vendor(shown, user))
    return client.say("") if answer.code == 334 else answer


def assert_no_passage(client: Dialogue) -> None:
    assert client.say(f"MAIL FROM:<{USER}>").code in {530, 550}


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
@pytest.mark.parametrize("introspection", [False, True], ids=["jwt", "introspection"])
def test_curl_sends_with_a_token(
    serve: Serve,
    sink: RecordingSink,
    provider: OidcProvider,
    mechanism: str,
    introspection: bool,
) -> None:
    settings = settings_of(sink, provider)
    if introspection:
        settings = settings_of(sink, provider, **introspecting(provider))
    settings["listener"][1]["mechanisms"] = [mechanism, "PLAIN"]
    service = serve(settings)
    make = provider.handle if introspection else provider.token
    mail = service.folder / "mail"
    shown, late = make(), make(exp=1)
    for options in ((), ("--sasl-ir",)):
        mark = token()
        mail.write_bytes(a_message(mark))
        curl(service, shown, mail, *options).well()
        assert sink.wait_for_content(mark.encode())
        done = curl(service, late, mail, *options)
        assert done.status == 67, done  # "the remote server denied curl to login"
    for event in service.events("auth.succeeded"):
        assert event["mechanism"] == mechanism
        assert event["account"] == USER
        assert event["authenticator"] == "idp"
    assert service.wait_for_event("auth.failed")["reason"].endswith("has expired")
    log = service.log_file.read_text()
    for secret in (shown, late, CLIENT_SECRET):
        assert secret not in log


@pytest.fixture
def service(serve: Serve, sink: RecordingSink, provider: OidcProvider) -> Service:
    return serve(settings_of(sink, provider))


def test_both_kinds_of_papers_are_taken_at_one_door(
    service: Service, provider: OidcProvider
) -> None:
    def by_token(client: Dialogue) -> Reply:
        return sign_in(client, provider.token())

    def by_password(client: Dialogue) -> Reply:
        return client.login(USER, PASSWORD)

    for signed_in in (by_token, by_password):
        with service.dial("submission") as client:
            offered = client.starttls()
            assert f"AUTH {' '.join(MECHANISMS)}" in offered
            assert signed_in(client).status == "235 2.7.0"
            assert client.say(f"MAIL FROM:<{USER}>").code == 250
            assert client.say("RCPT TO:<c@world.test>").code == 250
    told = json.loads(service.run("check", "--json").output)["sign_in"]["submission"]
    assert told["mechanisms"] == MECHANISMS
    assert told["left_out"]["LOGIN"] == "mechanisms does not name it"


def test_no_token_is_looked_at_without_tls(
    service: Service, provider: OidcProvider
) -> None:
    with service.dial("submission") as client:
        assert not [line for line in client.ehlo() if line.startswith("AUTH")]
        for response in (bearer(provider.token()), vendor(provider.token())):
            answer = client.say(b"AUTH OAUTHBEARER " + response)
            assert answer.status in {"538 5.7.11", "530 5.7.0"}
        assert provider.asked == []
        assert_no_passage(client)


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_refusal_has_two_steps(
    service: Service, provider: OidcProvider, mechanism: str
) -> None:
    shown = bearer if mechanism == "OAUTHBEARER" else vendor
    last = encoded("\x01") if mechanism == "OAUTHBEARER" else b""
    for answer_to_it in (last, b"", encoded("235"), shown(provider.token())):
        with service.dial("submission", source=fresh_address()) as client:
            client.starttls()
            line = f"AUTH {mechanism} ".encode() + shown(provider.token(exp=1))
            answer = client.say(line)
            assert answer.code == 334
            error = json.loads(base64.b64decode(answer.lines[0]))
            assert error["scope"] == SCOPE
            assert error["status"] in ("invalid_token", "401")
            assert client.say(answer_to_it).status == REFUSED
            assert_no_passage(client)
    with service.dial("submission", source=fresh_address()) as client:
        client.starttls()
        assert client.say(line).code == 334
        assert client.say("*").status == "501 5.7.0"
        assert_no_passage(client)


def forged(provider: OidcProvider) -> dict[str, str]:
    """Tokens that somebody else made, or that are not for us."""
    with OidcProvider() as attacker:
        own = attacker.keys[-1]
    head, body, signature = provider.token().split(".")
    unsigned = encoded('{"alg":"none"}').decode().rstrip("=")
    return {
        "alg=none": f"{unsigned}.{body}.AA",
        "another's key": provider.token(key=own),
        "its own keys": provider.token(key=own, header={"jku": f"{attacker.url}/keys"}),
        "an unknown key": provider.token(header={"kid": "made-up"}),
        "expired": provider.token(exp=int(time.time()) - 3600),
        "of the future": provider.token(nbf=int(time.time()) + 3600),
        "another issuer": provider.token(iss="https://evil.test"),
        "another audience": provider.token(aud="another"),
        "no scope": provider.token(scope="openid"),
        "half": f"{head}.{body}.{signature[:20]}",
        "nothing": "x",
    }


def test_forged_tokens_are_refused_and_nothing_is_relayed(
    service: Service, provider: OidcProvider
) -> None:
    tokens = forged(provider)
    for mechanism, shown in (("OAUTHBEARER", bearer), ("XOAUTH2", vendor)):
        for name, one in tokens.items():
            with service.dial("submission", source=fresh_address()) as client:
                client.starttls()
                answer = client.say(f"AUTH {mechanism} ".encode() + shown(one))
                assert answer.code == 334, name
                assert client.say("").status == REFUSED, name
                assert_no_passage(client)
    assert service.events("auth.succeeded") == []
    with service.dial("submission", source=fresh_address()) as client:
        client.starttls()
        assert sign_in(client, provider.token(), f"ceo@{OWN}").status == REFUSED
        assert sign_in(client, provider.token()).status == "235 2.7.0"


@pytest.mark.timeout(90)
@pytest.mark.parametrize("introspection", [False, True], ids=["jwt", "introspection"])
def test_a_provider_that_fails_is_454_and_needs_no_restart(
    serve: Serve, sink: RecordingSink, provider: OidcProvider, introspection: bool
) -> None:
    changes = introspecting(provider) if introspection else {}
    service = serve(settings_of(sink, provider, **changes))
    for fault in ("time-out", "reset", "garbage", "huge body", "redirect", "500"):
        provider.fault = fault
        shown = (provider.handle if introspection else provider.token)()
        with service.dial("submission", source=fresh_address()) as client:
            client.starttls()
            assert sign_in(client, shown).status == UNAVAILABLE, fault
            assert_no_passage(client)
            assert client.login(USER, PASSWORD).code == 235  # the others go on
        time.sleep(1.1)
    assert service.events("auth.succeeded", authenticator="idp") == []
    provider.fault = ""
    with service.dial("submission", source=fresh_address()) as client:
        client.starttls()
        shown = (provider.handle if introspection else provider.token)()
        assert sign_in(client, shown).status == "235 2.7.0"


def test_a_session_ends_with_its_token(
    service: Service, provider: OidcProvider
) -> None:
    with service.dial("submission") as client:
        client.starttls()
        ends = int(time.time()) - 6  # and ten seconds are given to clocks
        assert sign_in(client, provider.token(exp=ends)).code == 235
        assert client.say(f"MAIL FROM:<{USER}>").code == 250
        client.say("RSET")
        time.sleep(5)
        assert client.say(f"MAIL FROM:<{USER}>").code == 421


def test_a_reload_with_a_broken_authority_changes_nothing(
    service: Service, provider: OidcProvider
) -> None:
    kept = service.configuration.read_text()
    broken = service.folder / "nothing.pem"
    service.configuration.write_text(kept.replace(str(provider.ca), str(broken)))
    service.reload()
    event = service.wait_for_event("alarm", about="configuration")
    assert "nothing.pem cannot be used" in event["detail"]
    told = service.run("check")
    assert told.status == 1
    assert "nothing.pem cannot be used" in told.output
    with service.dial("submission") as client:
        client.starttls()
        assert sign_in(client, provider.token()).status == "235 2.7.0"


def test_a_trial_of_a_token_says_where_it_stops(
    sink: RecordingSink, provider: OidcProvider, tmp_path: Path
) -> None:
    with OidcProvider() as attacker:
        foreign = attacker.keys[-1]
    tried: dict[str, tuple[str, str, str]] = {
        "": (provider.token(), USER, "verified by idp"),
        "token": (provider.token(header={"alg": "HS256"}), USER, "does not count"),
        "key": (provider.token(header={"kid": "made-up"}), USER, "no such key"),
        "signature": (provider.token(key=foreign), USER, "signature is wrong"),
        "time": (provider.token(exp=1), USER, "has expired"),
        "purpose": (provider.token(scope="openid"), USER, f"scope {SCOPE} is missing"),
        "account": (provider.token(), f"ceo@{OWN}", "another account's"),
    }
    service = Service(tmp_path / "service", settings_of(sink, provider))
    given = ("--token-file", "-")
    for stage, (shown, user, told) in tried.items():
        trial = service.run("auth", "test", user, *given, data=shown.encode())
        stopped = [line for line in trial.output.splitlines() if ": stop " in line]
        assert trial.status == (1 if stage else 0), trial
        assert "local: stop asked: it verifies no tokens" in stopped
        assert [line.split()[2] for line in stopped[1:]] == [f"{stage}:"][: len(stage)]
        assert told in trial.output, trial
        assert shown not in trial.output + trial.errors
    provider.fault = "500"
    trial = service.run("auth", "test", USER, *given, data=provider.token().encode())
    assert "stop key: the provider answers with status 500" in trial.output
    assert "unavailable by idp" in trial.output
    asked = service.run("auth", "test", USER)
    assert "idp: stop asked: it verifies no passwords: try --token-file" in asked.output


def test_a_trial_of_a_token_that_only_the_provider_can_read(
    sink: RecordingSink, provider: OidcProvider, tmp_path: Path
) -> None:
    settings = settings_of(sink, provider, **introspecting(provider))
    service = Service(tmp_path / "service", settings)
    given = ("auth", "test", USER, "--token-file", "-")
    good = service.run(*given, data=provider.handle().encode())
    assert "ok   asked: the provider vouches for the token" in good.output, good
    assert "grants: staff" in good.output
    made_up = service.run(*given, data=b"made-up")
    assert "stop asked: the provider does not vouch for the token" in made_up.output
    assert made_up.status == 1
    for told in (good, made_up):
        assert CLIENT_SECRET not in told.output + told.errors
