"""What a client of a realm is told: where its KDC is, and to ask no name server."""

_TEXT = """\
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
    kdc_timeout = 2
    max_retries = 1
[realms]
    {realm} = {{
        kdc = {kdc}
    }}
"""


def krb5_conf(realm: str, kdc: str) -> str:
    """A ``krb5.conf``.

    Args:
        realm: Its name.
        kdc: ``address:port``.

    """
    return _TEXT.format(realm=realm, kdc=kdc)
