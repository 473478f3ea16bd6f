"""Passwords that everybody takes, and that are therefore guessed first.

A short list of stems and a rule beat a long list: what people put around a word to
please a rule (capitals, digits for letters, a year, an exclamation mark) is taken off
before it is looked up. What stays is a word of the list, or characters in a row.
"""

import re

_WORDS = """
    password passwort pass passwd passw kennwort motdepasse contrasena parola senha
    wachtwoord secret geheim admin administrator root user guest test testing demo
    welcome willkommen bienvenue hello letmein login logon changeme change default
    master monkey dragon football baseball basketball soccer hockey superman batman
    spiderman starwars trustno princess sunshine iloveyou shadow michael jennifer
    jordan michelle charlie daniel jessica thomas robert andrew joshua matthew
    ashley hunter ranger harley mustang corvette ferrari porsche mercedes summer
    winter spring autumn herbst sommer fruehling monday friday january february
    december november computer internet server mail mailer email smtp relay office
    company firma printer scanner support service backup system oracle mysql
    postgres database microsoft windows google facebook linkedin samsung apple
    qwerty qwertz azerty asdf asdfgh yxcvbn zxcvbn qazwsx wsxedc abc abcd abcdef
    access flower freedom whatever cheese pepper cookie banana orange purple silver
    golden diamond matrix merlin killer pokemon naruto arsenal chelsea liverpool
    barcelona realmadrid juventus bayern sakura nihon tokyo himitsu abcabc lovely
    loveme fuckyou biteme hottie tigger
"""
_STEMS = frozenset(_WORDS.split())
_AS_LETTERS = str.maketrans("0134578@$!", "oieastbasi")
_AROUND = re.compile(r"^[\d\W_]+|[\d\W_]+$")
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb",
    "!@#$%^&*()",
)
_MOST_DISTINCT = 3


def is_common(password: str) -> bool:
    """Whether it is among the first that are guessed."""
    plain = password.lower()
    if len(set(plain)) <= _MOST_DISTINCT or _is_in_a_row(plain):
        return True
    spellings = {plain, _AROUND.sub("", plain)}
    spellings |= {_AROUND.sub("", one.translate(_AS_LETTERS)) for one in set(spellings)}
    return any(
        one in _STEMS or _is_in_a_row(one) or _is_twice(one) for one in spellings
    )


def _is_in_a_row(text: str) -> bool:
    return bool(text) and any(text in row or text in row[::-1] for row in _ROWS)


def _is_twice(text: str) -> bool:
    half = text[: len(text) // 2]
    return bool(half) and text == half + half and (half in _STEMS or _is_in_a_row(half))
