"""Where a line may be broken, in English and in Japanese.

English breaks at blanks. Japanese has none: it breaks between any two characters, but
neither before a closing mark nor behind an opening one (the core of JIS X 4051's line
breaking). Widths are those of a terminal, where such a character takes two columns.
"""

from rich.cells import get_character_cell_size

_WIDE = 2
# The last ones are the full-width forms of ASCII's.
_NOT_FIRST = frozenset(
    ",.:;?!)]}%、。・」』】\u3015〉》ー々…"
    "\uff0c\uff0e\uff1a\uff1b\uff1f\uff01\uff09\uff3d\uff5d\uff05"
)
_NOT_LAST = frozenset("([{「『【\u3014〈《\uff08\uff3b\uff5b")


def breaks(text: str, width: int) -> list[int]:
    """Give the offsets at which to break, so that no line is wider than `width`.

    A blank at a line's end may stand beyond it; what offers no place is cut anywhere.
    """
    offsets: list[int] = []
    start = place = used = 0
    for at, character in enumerate(text):
        size = get_character_cell_size(character)
        if at > start and _may_break(text[at - 1], character):
            place = at
        while used + size > width and character != " " and at > start:
            cut = place if place > start else at
            offsets.append(cut)
            start = cut
            used = sum(map(get_character_cell_size, text[cut:at]))
        used += size
    return offsets


def _may_break(before: str, after: str) -> bool:
    if before == " ":
        return after != " "
    if after in _NOT_FIRST or before in _NOT_LAST or after == " ":
        return False
    return _WIDE in (get_character_cell_size(before), get_character_cell_size(after))
