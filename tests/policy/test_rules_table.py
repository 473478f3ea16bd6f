"""Every decision names a rule that the table explains."""

import ast
from pathlib import Path

from sekisho.policy import rules as names

ROOM = Path(names.__file__).parent
CONSTANTS = {
    name: value
    for name, value in vars(names).items()
    if name.isupper() and isinstance(value, str)
}


def test_every_name_has_one_sentence_and_every_sentence_a_name() -> None:
    assert set(CONSTANTS.values()) == set(names.RULES)
    assert len(set(CONSTANTS.values())) == len(CONSTANTS)
    for sentence in names.RULES.values():
        assert sentence.endswith(".")
        assert "\n" not in sentence


def test_every_name_is_used() -> None:
    used = {
        node.attr
        for path in ROOM.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert set(CONSTANTS) <= used
