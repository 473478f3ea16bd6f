"""`init`, `check`, `user`: what others' scripts rest on (design §9)."""

from pathlib import Path

import pytest

from cli.conftest import Command
from peers.process import run
from peers.service import COMMAND
from sekisho.app.certificates import self_signed


def test_init_writes_configuration_certificate_and_data(config: Path) -> None:
    assert (config.parent / "data").is_dir()
    assert b"BEGIN CERTIFICATE" in (config.parent / "certificate.pem").read_bytes()
    key = config.parent / "key.pem"
    assert key.stat().st_mode & 0o077 == 0


def test_init_asks_for_name_and_first_account(tmp_path: Path, sekisho: Command) -> None:
    answers = "relay.example.com\nann@example.com\n"
    made = sekisho("init", tmp_path, given=answers)
    assert made.code == 0, made.err
    listed = sekisho("user", "list", "-c", tmp_path / "sekisho.toml", "--json")
    assert [one["name"] for one in listed.json] == ["ann@example.com"]
    assert "password: " in made.out


def test_init_changes_nothing_that_is_there(config: Path, sekisho: Command) -> None:
    before = config.read_bytes()
    again = sekisho("init", config.parent, "--hostname", "other.example.com", "--yes")
    assert again.code == 1
    assert "is there already" in again.err
    assert config.read_bytes() == before


@pytest.mark.parametrize("name", ["relay", "a b", "-x.example", "1.2.3.4"])
def test_init_wants_a_full_host_name(
    tmp_path: Path, sekisho: Command, name: str
) -> None:
    made = sekisho("init", tmp_path / "n", "--hostname", name, "--yes")
    assert made.code == 2
    assert not (tmp_path / "n" / "sekisho.toml").exists()


def test_a_new_configuration_is_closed(config: Path, sekisho: Command) -> None:
    checked = sekisho("check", "-c", config)
    assert checked.code == 0, checked.err
    assert "closed: no stranger relays" in checked.out


def test_check_tells_every_mistake_and_exits_2(
    tmp_path: Path, sekisho: Command
) -> None:
    file = tmp_path / "sekisho.toml"
    file.write_text('hostnam = "x"\n[[grant]]\nname = "g"\nwho = "everybody"\n')
    checked = sekisho("check", "-c", file)
    assert checked.code == 2
    assert f"{file}:1: " in checked.err
    assert f"{file}:4: " in checked.err


def test_check_names_the_grant_that_opens_and_exits_1(
    config: Path, sekisho: Command
) -> None:
    config.write_text(
        config.read_text() + '\n[[grant]]\nname = "everybody"\nwho = ["0.0.0.0/0"]\n'
        'listeners = ["mx"]\nsenders = ["*"]\naccept_risk = "none"\n'
    )
    checked = sekisho("check", "-c", config, "--json")
    assert checked.code == 1
    assert not checked.json["closed"]
    assert any("everybody" in finding for finding in checked.json["findings"])
    assert "everybody" in sekisho("check", "-c", config).out


def test_serve_refuses_a_configuration_that_is_not_closed(config: Path) -> None:
    config.write_text(
        config.read_text() + '\n[[grant]]\nname = "everybody"\nwho = ["0.0.0.0/0"]\n'
        'listeners = ["mx"]\nsenders = ["*"]\n'
    )
    # A process of its own: it gives up what it need not have before it looks.
    served = run([COMMAND, "serve", "-c", config])
    assert served.status == 1
    assert "not closed" in served.errors


def test_check_says_that_the_key_does_not_fit(config: Path, sekisho: Command) -> None:
    (config.parent / "key.pem").write_text("no key\n")
    checked = sekisho("check", "-c", config)
    assert checked.code == 1
    assert "broken: " in checked.out


def test_the_table_names_people_and_lanes(
    config: Path, sekisho: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    config.write_text(
        config.read_text() + '\n[[listener]]\nname = "printers"\nrole = "legacy"\n'
        'bind = ["127.0.0.1:2526"]\nwho = ["10.0.8.21"]\n'
        'senders = ["scan@example.com"]\n'
        'recipients = ["*@example.com"]\nmax_messages_per_hour = 60\n'
        "expires = 2099-06-30\n"
        '\n[[grant]]\nname = "it"\nwho = ["group:it", "user:root"]\n'
        'senders = ["it@example.com"]\nnull_sender = true\n'
        '\n[domains."example.com"]\nroute = "maildir:m"\nrecipients = "any"\n'
    )
    shown = sekisho("check", "-c", config).out.replace("\n", " ")
    for words in (
        "10.0.8.21",
        "60 messages an hour",
        "group it",
        "user root",
        "anyone",
    ):
        assert words in shown
    assert "all recipients of a domain are taken" in shown


def test_user_commands(config: Path, sekisho: Command) -> None:
    options = ("-c", config)
    added = sekisho(
        *("user", "add", "Ann@Example.com", "--address", "*@example.org"),
        *("--group", "it", *options),
    )
    assert added.code == 0, added.err
    assert "(shown this once" in added.out
    one = sekisho("user", "list", "--json", *options).json[0]
    assert one["name"] == "ann@example.com"
    assert one["addresses"] == ["ann@example.com", "*@example.org"]
    assert one["groups"] == ["it"]
    assert one["enabled"]

    assert sekisho("user", "disable", "ann@example.com", *options).code == 0
    assert not sekisho("user", "list", "--json", *options).json[0]["enabled"]
    assert "disabled" in sekisho("user", "list", *options).out
    assert sekisho("user", "enable", "ann@example.com", *options).code == 0
    changed = sekisho("user", "addresses", "ann@example.com", "a@example.com", *options)
    assert "a@example.com" in changed.out
    given = ("--password-file", "-")
    assert (
        sekisho(
            "user",
            "passwd",
            "ann@example.com",
            *given,
            *options,
            given="a new secret\n",
        ).code
        == 0
    )
    assert sekisho("user", "unlock", "--name", "ann@example.com", *options).code == 0
    assert sekisho("user", "unlock", "--service", *options).code == 0
    assert sekisho("user", "unlock", *options).code == 2
    assert sekisho("user", "unlock", "--client", "no address", *options).code == 1
    assert sekisho("user", "remove", "ann@example.com", *options).code == 0
    assert "there are no accounts" in sekisho("user", "list", *options).out


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (("user", "add", "ann", "--password-file", "-"), "short\n"),
        (("user", "add", "a b", "--password-file", "-"), "a fine password\n"),
        (("user", "add", "ann", "--address", "a*@b.example"), ""),
        (("user", "passwd", "nobody", "--password-file", "-"), "a fine password\n"),
        (("user", "disable", "nobody"), ""),
        (("user", "remove", "nobody"), ""),
    ],
)
def test_a_mistake_is_one_sentence(
    config: Path, sekisho: Command, arguments: tuple[str, ...], given: str
) -> None:
    ended = sekisho(*arguments, "-c", config, given=given)
    assert ended.code == 1
    assert ended.err.startswith("sekisho: ")
    assert "Traceback" not in ended.err


def test_no_password_is_ever_shown_again(config: Path, sekisho: Command) -> None:
    given = "correct horse battery"
    sekisho("user", "add", "ann", "--password-file", "-", "-c", config, given=given)
    told = [
        sekisho("user", "list", "--json", "-c", config),
        sekisho("check", "--json", "-c", config),
    ]
    assert all(given not in one.out + one.err for one in told)
    assert given.encode() not in (config.parent / "data/accounts.db").read_bytes()


def test_a_missing_password_file_is_one_sentence(
    config: Path, sekisho: Command, tmp_path: Path
) -> None:
    file = tmp_path / "none"
    ended = sekisho("user", "add", "ann", "--password-file", file, "-c", config)
    assert ended.code == 1
    assert str(file) in ended.err
    file.write_bytes(b"\xff\xfe\n")
    ended = sekisho("user", "add", "ann", "--password-file", file, "-c", config)
    assert ended.code == 2


def test_which_configuration(
    config: Path, sekisho: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    none = sekisho("check")
    assert none.code == 2
    assert "sekisho init" in none.err
    monkeypatch.setenv("SEKISHO_CONFIG", str(config))
    assert sekisho("check").code == 0
    monkeypatch.delenv("SEKISHO_CONFIG")
    monkeypatch.chdir(config.parent)
    assert sekisho("check").code == 0


def test_help_lists_every_command(sekisho: Command) -> None:
    shown = sekisho("--help")
    assert shown.code == 0
    names = "init serve check explain user queue trace send sendmail mailq ping"
    for name in names.split():
        assert f"  {name} " in shown.out
        assert sekisho(name, "--help").code == 0


def test_wrong_use_is_2(sekisho: Command) -> None:
    assert sekisho("nonsense").code == 2
    assert sekisho("check", "--nonsense").code == 2


def test_the_demo_tells_its_command(
    tmp_path: Path, sekisho: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sekisho("init", "demo", "--demo", "--yes").code == 0
    told = (tmp_path / "demo" / "NEXT.txt").read_text()
    assert "sekisho send -c demo/sekisho.toml --server 127.0.0.1:2587" in told
    assert (tmp_path / "demo" / "alice.password").stat().st_mode & 0o077 == 0
    assert sekisho("check", "-c", "demo/sekisho.toml").code == 0


def test_check_says_that_the_certificate_has_expired(
    config: Path, sekisho: Command
) -> None:
    long_ago = self_signed("relay.example.com", 1_000_000_000.0)
    (config.parent / "certificate.pem").write_bytes(long_ago.certificate)
    (config.parent / "key.pem").write_bytes(long_ago.key)
    checked = sekisho("check", "-c", config)
    assert checked.code == 1
    assert "expired on 2003-" in checked.out


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_check_tells_of_authorities_that_cannot_be_read(
    config: Path, sekisho: Command, content: str | None
) -> None:
    if content is not None:
        (config.parent / "directory.pem").write_text(content)
    directory = (
        '\n[[authenticator]]\nkind = "ldap"\nprofile = "openldap"\n'
        'servers = ["ldaps://localhost"]\nbase = "dc=x"\nca = "directory.pem"\n'
    )
    config.write_text(config.read_text() + directory)
    checked = sekisho("check", "-c", config)
    assert checked.code == 1
    assert "broken: " in checked.out
    assert "directory.pem cannot be used" in checked.out
