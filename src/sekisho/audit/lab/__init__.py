"""The lab: small servers that are flawed on purpose, each in one way, and their twins.

A lab server (`server`) talks by `session` and behaves as its `manners` say. `SOUND` are
the manners of a server that the audit finds safe in everything; a flaw (`flaw`, joined
in `flaws`) is one changed field, and its patched twin is `SOUND` with the same offers.

It listens on loopback addresses alone, and never sends anything on: what it took is
kept in memory, with the mailbox that a server with the flaw would have sent it to.
"""
