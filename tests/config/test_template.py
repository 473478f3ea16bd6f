"""What we write ourselves can be read, is closed, and is the same after a release."""

from collections.abc import Callable

import pytest

from config.loader import Loader
from sekisho.config import values
from sekisho.config.load import load_config
from sekisho.config.template import Blanks, demo_config, init_config
from sekisho.model.route import DropRoute
from sekisho.model.rules import AnyIdentity, RecipientCheck

BLANKS = Blanks(
    hostname="relay.example.com",
    data_dir='d"a\\t a\n',
    mx_port=2525,
    submission_port=2587,
)


@pytest.mark.parametrize("write", [init_config, demo_config])
def test_only_users_who_signed_in_may_relay(
    load: Loader, write: Callable[[Blanks], str]
):
    file = load.folder / "sekisho.toml"
    file.write_text(write(BLANKS), encoding="utf-8")
    config = load_config(file, {})
    rules = values.rules(config)
    assert [grant.who for grant in rules.grants] == [(AnyIdentity(),)]
    assert all(one.lane is None for one in rules.listeners.values())
    assert [one.bind[0].port for one in config.listeners] == [2525, 2587]
    assert config.hostname == "relay.example.com"
    assert config.data_dir == load.folder / 'd"a\\t a\n'


def test_what_stands_in_the_comments_can_be_used(load: Loader):
    commented = init_config(BLANKS)
    (load.folder / "provider.secret").write_text("sesame\n", encoding="utf-8")
    text = "\n".join(
        line.removeprefix("# ") if "=" in line or "[" in line else line
        for line in commented.splitlines()
    )
    file = load.folder / "sekisho.toml"
    file.write_text(text, encoding="utf-8")
    config = load_config(file, {})
    assert [one.name for one in config.listeners] == ["mx", "submission", "printers"]
    assert config.observe.metrics is not None
    assert config.smarthosts["provider"].password is not None


def test_the_demo_stays_on_this_machine(load: Loader):
    file = load.folder / "sekisho.toml"
    file.write_text(demo_config(BLANKS), encoding="utf-8")
    config = load_config(file, {})
    assert all(bind.host.is_loopback for one in config.listeners for bind in one.bind)
    (rule,) = values.routes(config).rules
    assert rule.route == DropRoute(str(load.folder / "drop"))
    domain = values.rules(config).domains["example.com"]
    assert domain.check is RecipientCheck.LISTED
