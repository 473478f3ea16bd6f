"""Settings that may be served: read, and checked as far as can be without serving."""

import os
from contextlib import ExitStack
from pathlib import Path

from sekisho.app.authenticators import read_authorities_asked, read_listed_accounts
from sekisho.app.certificate import read_pair
from sekisho.app.clock import unix_seconds
from sekisho.app.control import Refusal
from sekisho.app.hostfacts import look_at_host
from sekisho.app.keytabs import read_keytabs_asked
from sekisho.app.orders import Settings
from sekisho.app.proof import policy_of, prove_policy, refuse_unless_closed
from sekisho.app.storage import open_accounts
from sekisho.auth.account import AccountError
from sekisho.config.load import load_config
from sekisho.config.schema import Config
from sekisho.net.tls import TlsFilesError


def read_config(path: Path) -> Config:
    """Read the configuration.

    Raises:
        ConfigErrors: It is wrong.

    """
    return load_config(path, os.environ)


def check(config: Config) -> Settings:
    """Prove that it is closed, and read the files that it names.

    Raises:
        Refusal: It cannot be served.

    """
    seen = look_at_host()
    try:
        with ExitStack() as closing:
            accounts = open_accounts(config, unix_seconds, closing).list()
        read_listed_accounts(config)
        read_authorities_asked(config)
        read_keytabs_asked(config)
        pair = None
        if config.tls is not None:
            pair = read_pair(config.tls, config.listeners)
    except (AccountError, TlsFilesError) as error:
        raise Refusal(str(error), error.hint) from error
    proof = prove_policy(policy_of(config, seen), accounts, seen, unix_seconds())
    refuse_unless_closed(proof)
    return Settings(config, pair)
