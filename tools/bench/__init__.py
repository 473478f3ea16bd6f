"""Sekisho beside Postfix, Exim, OpenSMTPD and aiosmtpd, in one run: ``make bench``.

Load generator and final sink are Postfix's own smtp-source and smtp-sink; what they
cannot do (submission, idle sessions, the wait of a lone client) is in `bench.clients`.
One measurement is a fresh queue, a fresh server and a fresh sink. Repetitions are
interleaved: every server once, then again, so that a slow minute hits all alike.
Each server is durable as in production, and Sekisho runs with its default settings:
supervisor, a worker a core, log, metrics and timeline on (but for the audit of itself,
which it does once, after its start).

`bench.works` says what is measured, `bench.loads` how, `bench.servers` how each server
is started, `bench.meter` how CPU and memory are counted, `bench.numbers` what is
demanded. Only figures of one run can be compared. See ``docs/bench/README.md``.
"""
