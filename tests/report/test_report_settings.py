"""What the configuration says of reports and patience reaches them."""

from pathlib import Path

import pytest

from queued_mail import message
from sekisho.app.wiring import report_maker, schedule
from sekisho.config.schema import Config
from sekisho.model.outcome import Cause, Failed
from sekisho.model.reply import Reply
from sekisho.queue.bodies import BodyFiles
from sekisho.report.case import Affected
from sekisho.report.texts import Kind

NEVER = Failed(Cause.REMOTE_REPLY, Reply(550, "5.1.1", ("No such user",)), "mx.example")


def _config(**tables: object) -> Config:
    return Config.model_validate({"hostname": "relay.example.com", **tables})


@pytest.fixture
def bodies(tmp_path: Path) -> BodyFiles:
    return BodyFiles(tmp_path, has_room=lambda: True, on_fatal=pytest.fail)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_language_is_as_configured(bodies: BodyFiles, language: str) -> None:
    maker = report_maker(_config(report={"language": language}), bodies)
    mail = message("a@b.example")
    made = maker.report(
        Kind.FAILED, mail, [Affected(mail.envelope.recipients[0], NEVER)]
    )
    assert made is not None
    assert f"Content-Language: {language}\r\n".encode() in made[0].content.prefix


@pytest.mark.parametrize("wanted", [False, True])
def test_postmaster_gets_a_copy(bodies: BodyFiles, *, wanted: bool) -> None:
    maker = report_maker(_config(report={"copy_to_postmaster": wanted}), bodies)
    mail = message("a@b.example")
    made = maker.report(
        Kind.FAILED, mail, [Affected(mail.envelope.recipients[0], NEVER)]
    )
    assert made is not None
    copied = maker.copy(made[0])
    assert (copied is not None) is wanted
    if copied is not None:
        (to,) = copied[0].envelope.recipients
        assert str(to.address) == "postmaster@relay.example.com"
        assert copied[0].content == made[0].content
        assert copied[0].id != made[0].id
        assert maker.copy(copied[0]) is None  # Never a copy of the postmaster's own.


def test_domains_are_as_configured() -> None:
    domains = {
        "Example.org": {"expire_hours": 1, "retry_minutes": [1, 2]},
        "*.example.org": {"delay_notice_hours": 0},
    }
    options = schedule(_config(queue={"domains": domains}), 1)
    own, below = options.patience("example.org"), options.patience("a.b.example.org")
    assert (own.expire_seconds, own.delay_notice_seconds) == (3600.0, 4 * 3600.0)
    assert own.retry_seconds == (60.0, 120.0)
    assert (below.expire_seconds, below.delay_notice_seconds) == (48 * 3600.0, 0.0)
    assert options.patience("other.example").name == "[queue]"
