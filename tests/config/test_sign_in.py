"""What a listener announces, and why it leaves things out."""

import pytest

from sekisho.auth.mechanisms import MECHANISMS
from sekisho.config.authenticators import KINDS, MECHANISM_NAMES, VERIFIES
from sekisho.config.sign_in import announcement


def test_the_configuration_knows_the_mechanisms_that_there_are() -> None:
    assert tuple(one.name for one in MECHANISMS) == MECHANISM_NAMES
    assert set(VERIFIES) == set(KINDS)
    for names in VERIFIES.values():
        assert set(names) <= set(MECHANISM_NAMES)


@pytest.mark.parametrize(
    ("kinds", "wanted", "announced", "left_out"),
    [
        (["oidc"], [], ["OAUTHBEARER", "XOAUTH2"], {}),
        (["oidc"], ["XOAUTH2"], ["XOAUTH2"], {"OAUTHBEARER": "mechanisms does"}),
        (["certificate"], [], ["EXTERNAL"], {}),
        (
            ["local"],
            [],
            ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"],
            {"SCRAM-SHA-1": "old programs", "SCRAM-SHA-1-PLUS": "old programs"},
        ),
        (["local"], ["SCRAM-SHA-1"], ["SCRAM-SHA-1"], {"PLAIN": "mechanisms does"}),
        (
            ["local", "oidc"],
            ["PLAIN", "XOAUTH2"],
            ["XOAUTH2", "PLAIN"],
            {"SCRAM-SHA-256": "mechanisms does", "LOGIN": "mechanisms does"},
        ),
        (["local", "oidc"], [], [], {"PLAIN": '"oidc" cannot', "XOAUTH2": '"local"'}),
        (["oidc"], ["PLAIN"], [], {"XOAUTH2": "mechanisms does"}),
    ],
)
def test_announced_is_what_all_can_verify_or_what_is_named(
    kinds: list[str], wanted: list[str], announced: list[str], left_out: dict[str, str]
) -> None:
    found = announcement("submission", {kind: kind for kind in kinds}, wanted)
    assert list(found.mechanisms) == announced
    for mechanism, why in left_out.items():
        assert why in found.left_out[mechanism]
