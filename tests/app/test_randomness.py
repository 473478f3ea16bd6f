"""Random bits in advance: never the same twice, in one process or in two."""

import os

from sekisho.app.randomness import ID_OCTETS, id_bits


def test_no_bits_are_given_twice_and_all_of_them_vary() -> None:
    given = [id_bits() for _ in range(1000)]
    assert len(set(given)) == len(given)
    ever = never = 0
    for bits in given:
        ever |= bits
        never |= ~bits
    every_bit = (1 << 8 * ID_OCTETS) - 1
    assert ever == every_bit
    assert never & every_bit == every_bit


def test_a_forked_child_shares_no_bits_with_its_parent() -> None:
    id_bits()  # So that some are held when the child is made.
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, ",".join(str(id_bits()) for _ in range(100)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = {int(bits) for bits in os.read(reading, 65536).decode().split(",")}
    os.close(reading)
    os.close(writing)
    assert len(theirs) == 100
    assert theirs.isdisjoint(id_bits() for _ in range(200))
