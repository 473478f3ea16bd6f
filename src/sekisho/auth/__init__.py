"""SASL exchanges, authenticators, lockout.

The way of a credential::

    base64-decoded octets → sasl (PLAIN, LOGIN, SCRAM: sans-IO, one row a mechanism)
        → gatekeeper (lockout, memory of successes, time bound)
            → chain (authenticators in order) → local (accounts.db, argon2id)
        ← Verified | Rejected | Unavailable

Only `Verified` is a yes; whatever goes wrong on the way is one of the other two.
"""
