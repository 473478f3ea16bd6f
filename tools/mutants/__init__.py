"""Mutation test: no change of one operator or argument turns a refusal into a yes.

`making` copies the tree and puts every mutant of `auth` and `policy` into the copy (by
mutmut, which keeps all mutants of a function beside it, behind a switch). `trial` runs
for each mutant the tests that go through its function, in a process forked from one
that has them collected: a mutant costs some tens of milliseconds. `review` holds what
survives against `tests/mutants/reviewed.toml`, where each survivor has been read by
somebody who says why it refuses no less than the original.

The shared tree is never touched.
"""
