"""Real programs on loopback, one file each: what tests/real talks to.

Every program is started with its output in a file of the test's folder, is waited for
with a bound, and is ended by its process id when its `with` block ends, whatever
happened inside. The mail servers run in process and mount namespaces of their own
(`peers.namespace`), so that several workers can run the same one at the same time.
"""
