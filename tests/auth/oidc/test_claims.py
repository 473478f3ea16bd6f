"""Claims that are not right in every point are nobody's."""

import pytest

from sekisho.auth.oidc.claims import (
    LEEWAY_SECONDS,
    MAX_VALUES,
    ClaimsError,
    Wanted,
    check_purpose,
    check_times,
    holder,
)
from sekisho.auth.oidc.document import Object
from sekisho.model.address import AddressPattern

NOW = 1_800_000_000.0
LATEST = NOW + LEEWAY_SECONDS
NO_TIMES: tuple[object, ...] = (
    None,
    True,
    "2099-01-01",
    [NOW],
    {},
    10**400,
    float("nan"),
    float("inf"),
    -float("inf"),
)

# -- times ----------------------------------------------------------------------------


def test_a_token_ends_a_leeway_after_its_time() -> None:
    assert check_times({"exp": NOW}, NOW) == LATEST
    assert check_times({"exp": int(NOW)}, LATEST - 1) == LATEST
    assert check_times({}, NOW) == float("inf")
    for late in (LATEST, LATEST + 1, LATEST + 10**9):
        with pytest.raises(ClaimsError, match="expired"):
            check_times({"exp": NOW}, late)


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_of_the_future_is_none_yet(name: str) -> None:
    for begin in (0, -1.5, NOW, LATEST):
        check_times({name: begin}, NOW)
    for begin in (LATEST + 1, LATEST + 10**9):
        with pytest.raises(ClaimsError, match=f"future \\({name}\\)"):
            check_times({name: begin}, NOW)


@pytest.mark.parametrize("value", NO_TIMES, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_what_is_no_time_makes_it_no_token(name: str, value: object) -> None:
    with pytest.raises(ClaimsError, match=f"{name} is no time"):
        check_times({name: value}, NOW)


# -- purpose --------------------------------------------------------------------------

REQUIRE = {"azp": ("one", "two"), "realm.level": ("high",)}
ALL = Wanted(
    "https://idp.test",
    audience=("us", "us-too"),
    scopes=("send", "mail"),
    require=REQUIRE,
)
GOOD: Object = {
    "aud": "us",
    "scope": "mail other send",
    "azp": "two",
    "realm": {"level": "high"},
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["them", "us-too"]},
        {"scope": "send", "scp": ["mail", "x"]},
        {"scope": ["send", "mail"]},
        {"scope": "", "scp": "send mail"},
        {"azp": ["x", "one"]},
        {"realm": {"level": ["low", "high"]}},
        {"realm": {}, "realm.level": "high"},
    ],
    ids=repr,
)
def test_claims_that_say_all_that_is_wanted(changes: Object) -> None:
    check_purpose({**GOOD, **changes}, ALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ...},
        {"aud": "them"},
        {"aud": ["them"]},
        {"aud": []},
        {"aud": ["us", 7]},
        {"aud": {"us": True}},
        {"aud": None},
        {"aud": "us us-too"},
        {"aud": "US"},
        {"cnf": {"jkt": "x"}},
        {"cnf": None},
        {"at_hash": "x"},
        {"c_hash": "x"},
        {"events": {}},
        {"scope": ...},
        {"scope": "send"},
        {"scope": "mail"},
        {"scope": "send\tmail"},
        {"scope": "send\nmail"},
        {"scope": "sendmail"},
        {"scope": "xsend mail"},
        {"scope": "Send mail"},
        {"scope": ["send", "mail", 1]},
        {"scope": {"send": 1, "mail": 1}},
        {"scope": ..., "scopes": "send mail"},
        {"azp": ...},
        {"azp": "three"},
        {"azp": ""},
        {"azp": ["three"]},
        {"azp": ["one", None]},
        {"azp": {"one": 1}},
        {"azp": ..., "realm": {"level": "high", "azp": "one"}},
        {"realm": ...},
        {"realm": "high"},
        {"realm": {"level": "low"}},
        {"realm": {"level": {"high": 1}}},
        {"realm": ["level", "high"]},
        {"realm": ..., "level": "high"},
        {"realm.level": "low"},
    ],
    ids=repr,
)
def test_claims_that_lack_one_thing_are_for_others(changes: Object) -> None:
    claims = {**GOOD, **changes}
    with pytest.raises(ClaimsError):
        check_purpose({k: v for k, v in claims.items() if v is not ...}, ALL)


def test_what_is_not_wanted_may_say_what_it_likes() -> None:
    check_purpose({}, Wanted("https://idp.test"))
    check_purpose({"aud": 7, "scope": 7}, Wanted("https://idp.test"))


def test_each_thing_is_wanted_by_itself() -> None:
    for wanted in (
        Wanted("i", audience=("us",)),
        Wanted("i", scopes=("send",)),
        Wanted("i", require={"azp": ("one",)}),
        Wanted("i", require={"azp": ()}),
    ):
        with pytest.raises(ClaimsError):
            check_purpose({}, wanted)


def test_a_claim_has_so_many_values_and_no_more() -> None:
    others = [f"x{number}" for number in range(MAX_VALUES - 1)]
    wanted = Wanted("https://idp.test", audience=("us",))
    check_purpose({"aud": [*others, "us"]}, wanted)
    with pytest.raises(ClaimsError, match="more than"):
        check_purpose({"aud": [*others, "us", "more"]}, wanted)


# -- the holder -----------------------------------------------------------------------


def who(claims: Object, **wanted: object) -> str:
    return holder(claims, Wanted("https://idp.test", **wanted)).account  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", [..., None, 7, True, "", "a b", "a\0b", "x" * 300, ["u"], {"u": 1}]
)
def test_an_account_that_is_no_name_is_nobody(value: object) -> None:
    claims: Object = {} if value is ... else {"preferred_username": value}
    with pytest.raises(ClaimsError):
        who(claims)
    with pytest.raises(ClaimsError):
        who({"upn": value, "preferred_username": "ceo"}, account="upn")


def test_the_account_is_the_claims_that_is_configured() -> None:
    claims: Object = {
        "preferred_username": "One",
        "sub": "two",
        "x": {"y": "three", "z": {"w": "five"}},
        "x.q": "four",
    }
    assert who(claims) == "one"
    assert who(claims, account="sub") == "two"
    assert who(claims, account="x.y") == "three"
    assert who(claims, account="x.q") == "four"
    assert who(claims, account="x.z.w") == "five"
    for name in ("y", "x", "x.", ".y", "x.y.z", "x y", "sub.two", ""):
        with pytest.raises(ClaimsError):
            who(claims, account=name)


@pytest.mark.parametrize("doubt", [..., None, False, 1, "true", "yes", [True], {}])
def test_an_address_that_is_not_verified_is_nobodys(doubt: object) -> None:
    claims: dict[str, object] = {"email": "user@own.test", "preferred_username": "u"}
    if doubt is not ...:
        claims["email_verified"] = doubt
    with pytest.raises(ClaimsError, match="not verified"):
        who(claims, account="email")
    # Under its own name alone: what another claim says is the provider's.
    assert who(claims) == "u"
    found = holder(claims, Wanted("https://idp.test"))
    assert found.addresses == ()
    claims["email_verified"] = True
    assert who(claims, account="email") == "user@own.test"
    found = holder(claims, Wanted("https://idp.test"))
    assert found.addresses == (AddressPattern("user", "own.test"),)


def test_only_accounts_of_the_domains_sign_in() -> None:
    domains = ("own.test", "also.test")
    for name in ("user@own.test", "USER@ALSO.TEST"):
        assert who({"preferred_username": name}, domains=domains) == name.lower()
    for name in (
        "user",
        "own.test",
        "user@other.test",
        "user@own.test.evil.test",
        "user@evil-own.test",
        "user@sub.own.test",
        "own.test@evil.test",
        "@own.test",
        "user@",
    ):
        with pytest.raises(ClaimsError):
            who({"preferred_username": name}, domains=domains)
    # What is no address is of no domain, whatever a domain is called.
    for called in ("", "XXXX", "user"):
        if called:
            with pytest.raises(ClaimsError):
                who({"preferred_username": "user"}, domains=(called,))


def test_the_addresses_are_those_of_the_claims_that_are_configured() -> None:
    claims: Object = {
        "preferred_username": "u",
        "email": "not-verified@own.test",
        "mail": ["One@Own.Test", "no address", "two@own.test", "one@own.test"],
        "upn": "three@own.test",
        "other": "ceo@own.test",
    }
    found = holder(claims, Wanted("i", addresses=("email", "none", "mail", "upn")))
    assert found.addresses == (
        AddressPattern("one", "own.test"),
        AddressPattern("two", "own.test"),
        AddressPattern("three", "own.test"),
    )
    assert holder(claims, Wanted("i", addresses=())).addresses == ()
    odd: Object = {"preferred_username": "u", "mail": ["one@own.test", 7]}
    assert holder(odd, Wanted("i", addresses=("mail",))).addresses == ()


@pytest.mark.parametrize("star", ["*@own.test", '"*"@own.test', "*@*", "*", "*@*.a"])
def test_a_star_in_a_claim_is_no_pattern(star: str) -> None:
    """A user who calls himself ``*@own.test`` does not own the domain."""
    claims: Object = {
        "preferred_username": "u",
        "email": star,
        "email_verified": True,
        "mail": [star, "u@own.test"],
    }
    found = holder(claims, Wanted("i", addresses=("email", "mail")))
    assert found.addresses == (AddressPattern("u", "own.test"),)


def test_the_groups_are_those_of_the_claim_that_is_configured() -> None:
    claims: Object = {
        "preferred_username": "u",
        "": "admins",
        "groups": ["staff", "a\nb"],
        "realm": {"roles": "sender"},
        "odd": ["admins", 7],
    }
    for name, groups in {
        "": set[str](),
        "groups": {"staff"},
        "realm.roles": {"sender"},
        "odd": set[str](),
        "none": set[str](),
        "realm": set[str](),
    }.items():
        assert holder(claims, Wanted("i", groups=name)).groups == groups
