"""Variables override single keys, and a misspelled one is never passed over."""

import pytest

from config.loader import Loader
from sekisho.model.rules import Role

MX = '[[listener]]\nname = "mx"\nrole = "mx"\nbind = ["127.0.0.1:25"]\n'


@pytest.mark.parametrize(
    ("name", "value", "path", "expected"),
    [
        ("SEKISHO_HOSTNAME", "other.example", "hostname", "other.example"),
        ("SEKISHO_HOSTNAME", '"other.example"', "hostname", "other.example"),
        ("SEKISHO_OBSERVE__LOG", "text", "observe.log", "text"),
        ("SEKISHO_OBSERVE__TIMELINE_DAYS", "7", "observe.timeline_days", 7),
        ("SEKISHO_TRACE__RECEIVED_SHOWS_USER", "true", "trace.received_shows_user", 1),
        ("SEKISHO_QUEUE__RETRY_MINUTES", "[1, 2]", "queue.retry_minutes", (1, 2)),
    ],
)
def test_a_variable_overrides_its_key(
    load: Loader, name: str, value: str, path: str, expected: object
):
    found: object = load("[queue]\nretry_minutes = [9]\n", {name: value})
    for step in path.split("."):
        found = getattr(found, step)
    assert found == expected


def test_entries_of_a_list_are_named_by_number(load: Loader):
    config = load(MX, {"SEKISHO_LISTENER__0__BIND": '["127.0.0.1:2525"]'})
    assert [str(bind) for bind in config.listeners[0].bind] == ["127.0.0.1:2525"]


def test_names_of_the_file_are_found_in_capitals(load: Loader):
    config = load(
        '[smarthost.Provider]\nservers = ["smtp://a.example"]\nusername = "u"\n',
        {"SEKISHO_SMARTHOST__PROVIDER__PASSWORD": "sesame"},
    )
    password = config.smarthosts["Provider"].password
    assert password is not None
    assert password.reveal() == "sesame"


def test_a_whole_table_can_be_given(load: Loader):
    config = load("", {"SEKISHO_DOMAINS": '{ "example.com" = {} }'})
    assert list(config.domains) == ["example.com"]


def test_a_whole_list_of_tables_can_be_given(load: Loader):
    listener = '[{ name = "in", role = "mx", bind = ["127.0.0.1:0"] }]'
    (only,) = load(MX, {"SEKISHO_LISTENER": listener}).listeners
    assert (only.name, only.role) == ("in", Role.MX)


def test_a_line_break_in_a_value_brings_no_key_of_its_own(load: Loader):
    env = {"SEKISHO_DATA_DIR": '"/a"\nhostname = "evil.example"'}
    config = load("", env)
    assert config.hostname == "relay.example.com"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SEKISHO_HOSTNAM", 'unknown key "hostnam"'),
        ("SEKISHO_OBSERVE__LOGS", '[observe]: unknown key "logs"'),
        ("SEKISHO_HOSTNAME__X", "leads to no key that can be set"),
        ("SEKISHO_HOSTNAME__X__Y", "leads to no key that can be set"),
        ("SEKISHO_LISTENER__1__BIND", "leads to no key that can be set"),
        ("SEKISHO_LISTENER__0", "[[listener]]: must be a table"),
        ("SEKISHO_", "leads to no key that can be set"),
        ("SEKISHO_SERVICE_HOST", "no such key"),
        ("SEKISHO_PORT_25_TCP", "no such key"),
    ],
)
def test_a_variable_that_fits_no_key_is_an_error(load: Loader, name: str, message: str):
    (problem,) = load.problems(MX, {name: "x"})
    assert (problem.file, problem.line, problem.message) == (name, 0, message)
    assert str(problem).startswith(f"{name}: {message}")


def test_a_wrong_value_names_its_variable(load: Loader):
    (problem,) = load.problems("", {"SEKISHO_LIMITS__MAX_RECIPIENTS": "5"})
    assert str(problem) == (
        "SEKISHO_LIMITS__MAX_RECIPIENTS: [limits] max_recipients: must be at least 100"
    )


def test_what_belongs_to_others_is_left_alone(load: Loader):
    load("", {"SEKISHO_CONFIG": "/x", "PATH": "/bin", "SEKISHOX": "1"})


def test_a_variable_that_a_secret_names_is_no_override(load: Loader):
    config = load(
        '[smarthost.p]\nservers = ["smtp://a.example"]\nusername = "u"\n'
        'password = { env = "SEKISHO_RELAY_PASSWORD" }\n'
        "[queue]\nretry_minutes = [1, 2]\n",
        {"SEKISHO_RELAY_PASSWORD": "sesame"},
    )
    assert config.smarthosts["p"].password is not None
