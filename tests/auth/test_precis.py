"""Names and passwords have one normal form (RFC 8264, RFC 8265; AUTH-015, -017)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.auth.precis import PreparationError, prepare_name, prepare_password


@pytest.mark.parametrize(
    ("spelled", "prepared"),
    [
        ("Alice", "alice"),
        ("ALICE@Example.COM", "alice@example.com"),
        (
            "\uff4a\uff55liet\uff20example.com",
            "juliet@example.com",
        ),  # RFC 8265 §3.5, widths
        ("fußball", "fußball"),
        ("π", "π"),
        ("\u03a3", "\u03c3"),
        ("ς", "ς"),
        ("JOSE\u0301", "josé"),  # decomposed
        ("ﾔﾏﾀﾞ", "ヤマダ"),  # half-width, with its voiced mark composed
        ("山田・太郎", "山田・太郎"),  # U+30FB among Han
        ("l·l", "l·l"),
        ("שלום", "שלום"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),  # a joiner after a virama
        ("\u0131", "\u0131"),  # dotless i is a letter of its own
        ("\u1200", "\u1200"),  # right after the jamo
        ("*", "*"),
        ("a)(uid=*", "a)(uid=*"),
    ],
)
def test_names_become_one_form(spelled: str, prepared: str) -> None:
    assert prepare_name(spelled) == prepared
    assert prepare_name(prepared) == prepared


@pytest.mark.parametrize(
    "spelled",
    [
        "",
        " alice",
        "alice ",
        "al ice",
        "alice\u3000",  # its width form is a space
        "al\u200bice",
        "\ufeffalice",
        "al\u00adice",
        "\u212aevin",  # KELVIN SIGN, which lower-cases to k
        "henry\u2163",  # RFC 8265 §3.5: a Roman numeral
        "♚",
        "alice\0",
        "alice\r\n235 2.7.0 x",
        "alice\t",
        "alice\x7f",
        "alice\x1b[0m",
        "alice\u2028",
        "alice\x85",
        "\ud800",
        "\ue000",
        "\uffff",
        "\u1100\u1161",  # conjoining jamo
        *"\u1100\u11ff\ua960\ua97c\ud7b0\ud7c6\ud7cb\ud7fb",  # and their ends
        *"\u3031\u3035",  # vertical kana repeat marks
        "a·b",
        "a\u200db",
        "\u0660\u06f0",  # two kinds of Arabic digits
        "\u0669\u06f9",
        "aא",  # left to right and right to left in one
        "א1a",
        "\u0640",
        "x" * 255,
        "é" * 128,
        "\u0130" * 127,  # 254 octets, but more in lower case
    ],
)
def test_what_is_no_name_is_refused(spelled: str) -> None:
    with pytest.raises(PreparationError) as error:
        prepare_name(spelled)
    assert not spelled or spelled not in str(error.value)


@pytest.mark.parametrize(
    ("spelled", "prepared"),
    [
        ("correct horse", "correct horse"),
        ("Correct Horse ", "Correct Horse "),
        ("πßå", "πßå"),  # RFC 8265 §4.4
        ("Jack of \u2666s", "Jack of \u2666s"),
        ("foo\u1680bar", "foo bar"),  # OGHAM SPACE MARK
        ("foo\u3000bar", "foo bar"),
        ("e\u0301", "é"),
        ("\u212b", "Å"),
        ("ﬁ", "ﬁ"),
        ("x" * 1024, "x" * 1024),
    ],
)
def test_passwords_change_as_little_as_can_be(spelled: str, prepared: str) -> None:
    assert prepare_password(spelled) == prepared


@pytest.mark.parametrize(
    "spelled",
    [
        "",
        "my cat is a \tby",
        "a\0b",
        "a\r\nb",
        "a\x7f",
        "a\u2028b",
        "\u200b",
        "x" * 1025,
        "é" * 513,
        "\ud800",
        "a\ue000",
    ],
)
def test_what_is_no_password_is_refused_and_not_shown(spelled: str) -> None:
    with pytest.raises(PreparationError) as error:
        prepare_password(spelled)
    assert not spelled or spelled not in str(error.value)


@given(st.text(max_size=40))
def test_preparing_twice_changes_nothing(text: str) -> None:
    for prepare in (prepare_name, prepare_password):
        try:
            prepared = prepare(text)
        except PreparationError:
            continue
        assert prepare(prepared) == prepared
        assert prepared.isprintable()


@pytest.mark.parametrize("name", ["é!", "é~", "éz_", "é[", "é^{|}"])
def test_all_signs_of_ascii_stand_beside_others(name: str) -> None:
    assert prepare_name(name) == name
