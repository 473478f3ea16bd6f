"""Exports of the registry are read as the editor writes them, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisory.exporting import CONTROL, UPDATE, Value, branch, export, windows_2000
from sekisho.advisory.export_file import Bounds, read_export
from sekisho.advisory.registry import Key, RegistryError

PLACE = "HKLM\\SOFTWARE\\検査"
_text = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=["Cs"])
)
_name = _text.filter(lambda one: one == one.strip())
_value: st.SearchStrategy[Value] = st.one_of(
    _text,
    st.integers(0, 2**32 - 1),
    st.binary(max_size=200),
    st.lists(_text.filter(bool), max_size=5),
    st.tuples(st.just("expand"), _text),
)


def key(octets: bytes, path: str = PLACE) -> Key:
    found = read_export(octets).find(path)
    assert found is not None
    return found


def refused(octets: bytes, bounds: Bounds | None = None) -> str:
    with pytest.raises(RegistryError) as error:
        read_export(octets, bounds)
    assert error.value.hint
    return error.value.sentence


def sentence(octets: bytes) -> str:
    """What is said of octets, which may be read as well."""
    try:
        read_export(octets)
    except RegistryError as error:
        return error.sentence
    return ""


def v5(*lines: str) -> bytes:
    text = "\r\n".join(["Windows Registry Editor Version 5.00", "", *lines, ""])
    return b"\xff\xfe" + text.encode("utf-16-le")


@given(st.dictionaries(_name, _value, max_size=6))
def test_every_value_comes_back_from_an_export_as_it_was(
    values: dict[str, Value],
) -> None:
    folded = {name.casefold(): value for name, value in values.items()}
    expected = {
        name: value[1] if isinstance(value, tuple) else value
        for name, value in folded.items()
    }
    expected = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in expected.items()
    }
    assert key(export({PLACE: values})).values == expected


@pytest.mark.parametrize("code_page", [None, "cp932"])
def test_japanese_keys_and_wrapped_lists_are_read_in_both_versions(
    code_page: str | None,
) -> None:
    many = [f"表示ソフト{number}" for number in range(40)]
    values: dict[str, Value] = {"一覧": many, "": "既定", "展開": ("expand", "%表%")}
    octets = export({PLACE: values}, code_page)
    assert b"\\" in octets
    found = key(octets)
    assert found.texts("一覧") == tuple(many)
    assert found.text("") == "既定"
    assert found.text("展開") == "%表%"


def test_a_backslash_inside_a_cp932_character_ends_no_path() -> None:
    # "ソ" and "表" have 0x5C as their second octet.
    keys: dict[str, dict[str, Value]] = {"HKLM\\SOFTWARE\\ソ表\\能": {"十": "ソ"}}
    octets = export(keys, "cp932")
    assert key(octets, "HKLM\\SOFTWARE\\ソ表\\能").text("十") == "ソ"


def test_other_code_pages_do_not_stop_the_reader() -> None:
    octets = b'REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\X]\r\n"na\xefve\xff"="\x81"\r\n'
    assert len(key(octets, "HKLM\\X").values) == 1


def test_a_file_saved_anew_as_utf8_is_read() -> None:
    text = v5(f"[{PLACE}]", '"名"="値"').decode("utf-16")
    assert key(text.encode()).text("名") == "値"
    assert key(text.encode("utf-8-sig")).text("名") == "値"


def test_comments_blank_lines_and_line_breaks_in_strings_are_read() -> None:
    octets = v5("; a comment", f"[{PLACE}]", ' "a"="one', "", 'two\\"" ', "@=dword:1f")
    assert key(octets).text("a") == 'one\n\ntwo"'
    assert key(octets).number("") == 31


def test_names_and_paths_are_alike_in_any_case() -> None:
    found = read_export(v5("[HKEY_LOCAL_MACHINE\\Software\\ABC]", '"Name"="x"'))
    there = found.find("hklm\\SOFTWARE\\abc")
    assert there is not None
    assert there.text("NAME") == "x"


def test_what_an_export_lacks_is_absent_only_below_a_key_it_holds() -> None:
    found = read_export(export({UPDATE: {}}))
    assert found.find(UPDATE) is not None
    assert found.tells_of(UPDATE + "\\Filelist")
    assert not found.tells_of(UPDATE.rpartition("\\")[0] + "\\Q313450")
    assert not found.tells_of(CONTROL)


def test_a_file_that_deletes_is_no_export_and_proves_no_absence() -> None:
    lines = [f"[{PLACE}]", '"a"="1"', '"b"=-', f"[{PLACE}\\sub]", f"[-{PLACE}\\sub]"]
    found = read_export(v5(*lines))
    assert found.find(PLACE + "\\sub") is None
    assert not found.tells_of(PLACE + "\\sub")
    assert key(v5(*lines)).values == {"a": "1"}
    assert key(v5(*lines)).subkeys == ()


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["[HKEY_LOCAL_MACHINE\\X"], "line 3: a key has no closing bracket"),
        (["[]"], "line 3: a key's path is empty or too long"),
        (['"a"="1"'], "line 3: a value stands before the first key"),
        (["[X]", "a=1"], "line 4: it is neither a key, a value nor a comment"),
        (["[X]", '"a"=1'], "line 4: the data is of no known form"),
        (["[X]", '"a"="1'], "line 4: the file ends in the middle of a value"),
        (["[X]", '"a"="1" 2'], "line 4: a string is not closed, or something"),
        (["[X]", '"a"="1\\'], "the file ends in the middle of a value"),
        (["[X]", '"a"=hex:0'], "line 4: hexadecimal data is damaged"),
        (["[X]", '"a"=hex:0g'], "line 4: hexadecimal data is damaged"),
        (["[X]", '"a"=hex(7):00,\\'], "line 4: the file ends in the middle of a value"),
        (["[X]", '"a"=hex(7):00,\\', "[Y]"], "line 5: hexadecimal data is damaged"),
        (["[X]", '"a"=dword:123456789'], "line 4: the data is of no known form"),
        (["[X" + "\\y" * 513 + "]"], "line 3: a key lies deeper than 512 levels"),
    ],
)
def test_a_mistake_is_told_with_its_line(lines: list[str], says: str) -> None:
    assert says in refused(v5(*lines))


def test_what_is_no_export_is_refused() -> None:
    assert "does not begin as a registry export" in refused(b"MZ\x90\0")
    assert "does not begin as a registry export" in refused(b"")
    assert "not whole utf-16-le" in refused(b"\xff\xfea")


def test_a_file_one_past_each_bound_is_refused() -> None:
    octets = v5(f"[{PLACE}]", '"a"=hex:' + "00," * 99 + "00")
    lines = octets.decode("utf-16").count("\n")
    long = len('"a"=hex:') + 299 + len("\r")
    read_export(octets, Bounds(len(octets), lines, long))
    assert "larger than" in refused(octets, Bounds(file_bytes=len(octets) - 1))
    assert "more than" in refused(octets, Bounds(lines=lines - 1))
    assert "longer than" in refused(octets, Bounds(value_chars=long - 1))
    wrapped = v5("[X]", '"a"=hex:00,\\', *["  00,\\"] * 50, "  00")
    assert "value has over" in refused(wrapped, Bounds(value_chars=100))
    text = v5("[X]", '"a"="', *["x" * 9] * 50, '"')
    assert "value has over" in refused(text, Bounds(value_chars=100))
    assert "too long" in refused(v5("[abc]"), Bounds(path_chars=2))
    read_export(v5("[a\\b\\c]", "[A\\B]"), Bounds(keys=3))
    assert "more than 3 keys" in refused(v5("[a\\b\\c\\d]"), Bounds(keys=3))


_fragment = st.sampled_from(
    ["[", "]", "[-", "\\", '"', "=", "@", "hex:", "hex(7):", "00", ",", "dword:", ";",
     "\r\n", "\n", "-", " ", "a", "表", "\0", "hex(ffffffff):", "HKEY_LOCAL_MACHINE"]
)  # fmt: skip


@given(st.lists(_fragment, max_size=60).map("".join), st.sampled_from(["cp932", None]))
def test_no_text_whatever_leads_to_anything_but_a_sentence(
    text: str, code_page: str | None
) -> None:
    octets = f"REGEDIT4\n{text}".encode("cp932") if code_page else v5(text)
    assert "\n" not in sentence(octets)


@given(st.data())
def test_no_damage_of_a_real_export_leads_to_anything_but_a_sentence(
    data: st.DataObject,
) -> None:
    octets = bytearray(export(branch(windows_2000())))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(octets)))
    assert "\n" not in sentence(bytes(octets[:cut]))
