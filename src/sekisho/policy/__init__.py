"""Facts to decision, and the proof over it.

`decide` compiles the rules once and decides; `admission` lets in what we write
ourselves and what an operator releases; `proof` walks `decide` over everything that
the configuration can tell apart, `closed` judges whom it trusts, and `explain` walks
one case. Every other room reads decisions and makes none: see ``verdicts``.
"""
