"""The keys of our Kerberos service, looked at before a configuration is taken."""

from sekisho.app.control import Refusal
from sekisho.auth.kerberos.keytab import KeytabError, principals
from sekisho.config.kerberos import Kerberos
from sekisho.config.schema import Config

_SERVICE = "smtp/"
_MAX_OCTETS = 1024 * 1024
"""More would be no keytab, but somebody's disk."""


def read_keytabs_asked(config: Config) -> None:
    """See that there are keys of our service where the configuration says.

    Raises:
        Refusal: A file cannot be used.

    """
    for one in config.authenticators:
        if isinstance(one, Kerberos):
            _read(one)


def _read(table: Kerberos) -> None:
    where = f"{table.name}: keytab: {table.keytab}"
    try:
        with table.keytab.open("rb") as file:
            found = principals(file.read(_MAX_OCTETS))
    except OSError as error:
        hint = "it belongs to the service's user, who alone may read it"
        raise Refusal(f"{where} cannot be read: {error.strerror}", hint) from error
    except KeytabError as error:
        hint = "write it anew, with kadmin's ktadd or the controller's export"
        raise Refusal(f"{where} is no keytab", hint) from error
    if not any(one.startswith(_SERVICE) for one in found):
        hint = f"tickets are for {_SERVICE}HOST: add its key, with kadmin's ktadd"
        raise Refusal(f"{where} has no key of {_SERVICE}…", hint)
