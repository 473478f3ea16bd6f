"""The proof from outside: probes over the wire, what they find, and the lab.

A probe is a row (`probe`); it talks by a `visit` to one port of one server, and gives a
`verdicts.Judgement`. Nothing here decides what *our* service lets through, and nothing
here is needed by it: the service calls the audit of itself, never the reverse.
"""
