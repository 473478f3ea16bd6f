"""Loading is whole, quick and discreet."""

import time
from pathlib import Path

import pytest

from config.loader import Loader
from sekisho.config.authenticators import Local
from sekisho.config.fields import text
from sekisho.config.load import load_config
from sekisho.config.outside import MAX_FILE_BYTES, Secret
from sekisho.config.problems import ConfigErrors, did_you_mean
from sekisho.config.tables import Tls

SECRET = "open sesame"
SMARTHOST = """
[smarthost.p]
servers = ["smtp://a.example"]
username = "relay"
password = "open sesame"
"""


def test_a_secret_is_never_shown(load: Loader):
    config = load(SMARTHOST)
    for shown in (repr(config), str(config), repr(config.smarthosts)):
        assert SECRET not in shown
    assert str(Secret(SECRET)) == repr(Secret(SECRET)) == "Secret(…)"
    assert f"{Secret(SECRET)}" == "Secret(…)"


@pytest.mark.parametrize(
    "broken",
    [
        SMARTHOST + "tls = 'of'\nzebra = 1\n",
        SMARTHOST.replace('"open sesame"', '["open sesame"]'),
        SMARTHOST.replace('"open sesame"', '"open sesame\\u0000"'),
        SMARTHOST.replace("password", "passwort"),
        '[[route]]\nvia = "smtp://relay:open sesame@host"\n',
        '[smarthost.p]\nservers = ["smtp://relay:open sesame@host"]\n',
    ],
)
def test_an_error_shows_no_secret(load: Loader, broken: str):
    problems = load.problems(broken)
    assert problems
    assert SECRET not in "".join(map(repr, problems))


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(ConfigErrors) as caught:
        load_config(tmp_path / "none.toml", {})
    assert str(caught.value) == (
        f"{tmp_path}/none.toml: cannot be read: No such file or directory\n"
        "  hint: sekisho init DIR writes one"
    )


def test_a_file_without_end_is_refused():
    with pytest.raises(ConfigErrors, match=f"larger than {MAX_FILE_BYTES} octets"):
        load_config(Path("/dev/zero"), {})


def test_a_secret_without_end_is_refused(load: Loader):
    password = 'password = { file = "/dev/zero" }'
    text = SMARTHOST.replace('password = "open sesame"', password)
    (problem,) = load.problems(text)
    assert "is larger than 65536 octets" in problem.message


def test_nesting_without_end_is_refused(load: Loader):
    (problem,) = load.problems("x = " + "[" * 100_000 + "]" * 100_000)
    assert problem.message == "is nested too deeply"


def test_a_normal_file_loads_in_time(load: Loader):
    grants = "".join(
        f'[[grant]]\nname = "g{n}"\nwho = "user:u{n}"\n'
        f'senders = ["u{n}@example.com"]\nexpires = 2027-01-01\n'
        for n in range(200)
    )
    load(grants)
    started = time.process_time()
    assert len(load(grants).grants) == 200
    assert time.process_time() - started < 0.15


def test_problems_come_in_the_order_of_the_file(load: Loader):
    problems = load.problems(
        '[[grant]]\nname = "g"\nwho = ["x"]\n[[route]]\nvia = "smarthost:x"\n'
        "[observe]\nlog = 1\n",
        {"SEKISHO_TRACE": "1"},
    )
    assert [p.line for p in problems] == [4, 6, 8, 0]
    assert [p.key for p in problems] == [
        "grant[0].who[0]",
        "route[0].via",
        "observe.log",
        "trace",
    ]


def test_tables_are_read_by_load_config_alone():
    with pytest.raises(TypeError, match="load_config"):
        Tls.model_validate({"certificate": "a", "key": "b"})


def test_an_authenticator_of_another_type_is_refused():
    with pytest.raises(ValueError, match="Input should be a valid dict"):
        Local.model_validate(5)


def test_a_proposal_is_made_only_from_what_is_known():
    assert did_you_mean("grnt", ["grant", "route"]) == 'did you mean "grant"?'
    assert did_you_mean("x", ["grant", "route"]) == "known here: grant, route"
    assert did_you_mean("x", []) == ""
    assert text("x") == "x"
