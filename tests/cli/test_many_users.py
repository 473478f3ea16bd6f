"""App passwords and imports, as an operator types them."""

from pathlib import Path

import pytest

from cli.conftest import Command

HASH = "{SSHA256}UKpfIHXnD6zDCMHVCAiJYvb9sOe8ZPaqve12HSkeU2SHkDJGiNGaEw=="


def test_an_app_password_is_made_listed_and_revoked(
    config: Path, sekisho: Command
) -> None:
    options = ("-c", config)
    assert sekisho("user", "add", "ann@example.com", *options).code == 0
    made = sekisho(
        *("user", "app-password", "add", "ann@example.com", "printer-2"),
        *("--network", "10.0.8.0/28", "--max-messages-per-day", "50"),
        *("--expires", "2099-06-30", *options),
    )
    assert made.code == 0, made.err
    assert "(shown this once" in made.out
    password = made.out.split("password: ")[1].split()[0]
    of_ann = ("user", "app-password", "list", "ann@example.com")
    (one,) = sekisho(*of_ann, "--json", *options).json
    assert one["networks"] == ["10.0.8.0/28"]
    assert one["max_messages_per_day"] == 50
    assert one["expires_at"] == "2099-07-01T00:00:00Z"
    listed = sekisho(*of_ann, *options).out
    assert "printer-2" in listed
    assert password not in listed
    gone = sekisho(
        "user", "app-password", "revoke", "ann@example.com", "printer-2", *options
    )
    assert gone.code == 0, gone.err
    assert "has no app passwords" in sekisho(*of_ann, *options).out
    refused = sekisho(
        "user", "app-password", "revoke", "ann@example.com", "printer-2", *options
    )
    assert refused.code == 1
    assert "no app password" in refused.err


def test_an_account_ends_and_goes_on(config: Path, sekisho: Command) -> None:
    options = ("-c", config)
    added = sekisho(
        "user", "add", "ann@example.com", "--expires", "2099-01-01", *options
    )
    assert added.code == 0, added.err
    assert "until 2099-01-02" in sekisho("user", "list", *options).out
    assert (
        "never" in sekisho("user", "expire", "ann@example.com", "never", *options).out
    )
    wrong = sekisho("user", "expire", "ann@example.com", "tomorrow", *options)
    assert wrong.code == 1
    assert "no date" in wrong.err


def test_thousands_of_accounts_are_imported_with_their_hashes(
    config: Path, sekisho: Command, tmp_path: Path
) -> None:
    file = tmp_path / "users.csv"
    rows = [f"u{n}@example.com,,{HASH},list{n}@example.com,it;ops" for n in range(2000)]
    file.write_text("name,password,hash,addresses,groups\n" + "\n".join(rows))
    done = sekisho("user", "import", file, "-c", config)
    assert done.code == 0, done.err
    assert "added 2000 accounts" in done.out
    listed = sekisho("user", "list", "--json", "-c", config).json
    assert len(listed) == 2000
    assert listed[0]["groups"] == ["it", "ops"]


def test_a_passwd_file_is_imported_from_standard_input(
    config: Path, sekisho: Command
) -> None:
    given = f"# a comment\nann:{HASH}\nbob:{HASH}:1000:100::/home/bob:/bin/sh\n"
    done = sekisho("user", "import", "-", "-c", config, given=given)
    assert done.code == 0, done.err
    listed = sekisho("user", "list", "--json", "-c", config).json
    assert [one["name"] for one in listed] == ["ann", "bob"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "no accounts"),
        ("ann\n", "line 1 is not name:hash"),
        ("ann:plain\n", "no kind that is taken"),
        ("name,password\nann,a fine secret,more\n", "heading's fields"),
        ("name,password\nann,Password1!\n", "first that are guessed"),
        ("name,password\n,x\n", "heading's fields"),
    ],
)
def test_a_wrong_file_adds_nobody_and_shows_no_secret(
    config: Path, sekisho: Command, given: str, words: str
) -> None:
    failed = sekisho("user", "import", "-", "-c", config, given=given)
    assert failed.code == 1
    assert words in failed.err
    assert "Password1!" not in failed.err
    assert sekisho("user", "list", "--json", "-c", config).json == []


def test_an_operator_may_insist_on_a_weak_password(
    config: Path, sekisho: Command
) -> None:
    add = ("user", "add", "ann@example.com", "--password-file", "-", "-c", config)
    refused = sekisho(*add, given="Password1!\n")
    assert refused.code == 1
    assert "--allow-weak" in refused.err
    assert sekisho(*add, "--allow-weak", given="Password1!\n").code == 0
