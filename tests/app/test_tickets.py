"""What a realm's users may send from is what the configuration says, and no more."""

from sekisho.app.tickets import addresses_of_users
from sekisho.model.address import parse_pattern


def test_a_user_sends_from_the_addresses_of_his_name() -> None:
    of = addresses_of_users(("{user}@own.test", "team@own.test"))
    assert of("anna@REALM.TEST") == (
        parse_pattern("anna@own.test"),
        parse_pattern("team@own.test"),
    )


def test_a_user_who_is_called_by_a_star_owns_no_domain() -> None:
    of = addresses_of_users(("{user}@own.test", "team@own.test"))
    for name in ("*", "*@REALM.TEST", "a*"):
        assert of(name) == (parse_pattern("team@own.test"),)
