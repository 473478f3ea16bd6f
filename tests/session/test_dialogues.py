"""Every golden dialogue, whole, octet by octet and cut at random."""

import random
from collections.abc import Iterator

import pytest

from session.dialogues import Dialogue, Player, octets, read_dialogues, whole

DIALOGUES = read_dialogues()
CUTTABLE = [d for d in DIALOGUES if not d.is_whole_only]


def name(dialogue: Dialogue) -> str:
    return dialogue.name


def test_there_are_enough_dialogues_and_no_two_of_one_name():
    assert len(DIALOGUES) >= 40
    assert len({d.name for d in DIALOGUES}) == len(DIALOGUES)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=name)
def test_dialogue_in_whole_writes(dialogue: Dialogue):
    Player(dialogue, whole).play()


@pytest.mark.parametrize("dialogue", CUTTABLE, ids=name)
def test_dialogue_octet_by_octet_gives_the_same_replies(dialogue: Dialogue):
    Player(dialogue, octets).play()


@pytest.mark.parametrize("dialogue", CUTTABLE, ids=name)
def test_dialogue_cut_at_random_gives_the_same_replies(dialogue: Dialogue):
    for seed in range(10):
        chance = random.Random(seed)

        def cut(data: bytes, chance: random.Random = chance) -> Iterator[bytes]:
            while data:
                size = chance.randint(1, 1 + len(data) // chance.choice((1, 4, 16)))
                yield data[:size]
                data = data[size:]

        Player(dialogue, cut).play()
