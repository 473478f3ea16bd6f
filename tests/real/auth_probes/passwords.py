"""AUTH-010 to AUTH-022: passwords and names that are none, or another's."""

import bcrypt

from peers.dialogue import encoded
from peers.service import OWN
from real.auth_probes.doors import (
    BARRED,
    BARRED_PASSWORD,
    LONG,
    NOBODY,
    TAKEN_OVER,
    Door,
    handshake,
    plain,
    say,
    shown,
    source_of,
)
from real.auth_probes.exchanges import Tries, asked, attempt


def _plain(*fields: str | bytes) -> bytes:
    return b"AUTH PLAIN " + encoded(*fields)


def empty_password(door: Door) -> Tries:
    """RFC 4513 §5.1.2: a directory takes it for nobody, and says yes."""
    name = door.user.name
    yield from attempt(door, _plain("", name, ""))
    yield from attempt(door, *asked("PLAIN", encoded("", name, "")))
    for nothing in (b"", b"="):
        yield from attempt(door, *asked("LOGIN", encoded(name), nothing))


def empty_name(door: Door) -> Tries:
    """No name, with a password or without."""
    password = door.user.password
    for line in (_plain("", "", ""), _plain("", "", password), b"AUTH PLAIN AAA="):
        yield from attempt(door, line)
    yield from attempt(door, b"AUTH PLAIN =")
    yield from attempt(door, *asked("PLAIN", b"AAA="))
    for name in (b"", b"="):
        yield from attempt(door, *asked("LOGIN", name, encoded(password)))
        yield from attempt(door, *asked("LOGIN", name, b""))


def acting_as_another(door: Door) -> Tries:
    """Good papers, and another's name for what is done with them."""
    user, other = door.user, door.other
    if "PLAIN" in door.offered:
        for acts_as in (other.name, "postmaster", NOBODY):
            yield from attempt(door, _plain(acts_as, user.name, user.password))
    elif "XOAUTH2" in door.offered:
        token = door.right()[0].split()[2]
        with door.private() as client:  # a control: the token is right
            assert client.say(b"AUTH XOAUTH2 " + token).code == 235
        provider = door.peers.provider
        make = provider.token if door.family == "oidc" else provider.handle
        yield from attempt(door, *shown(make(), other.name))
        gs2 = encoded(f"n,a={other.name},\x01auth=Bearer {make()}\x01\x01")
        yield from attempt(door, b"AUTH OAUTHBEARER " + gs2, encoded("\x01"))
    else:
        for name in (other.name, "postmaster", NOBODY, "a\0b"):
            yield from attempt(door, b"AUTH EXTERNAL " + encoded(name))


def name_in_the_wrong_field(door: Door) -> Tries:
    """An empty authcid is not filled from the authzid."""
    user = door.user
    yield from attempt(door, b"AUTH PLAIN YWRtaW4AAHBhc3N3b3Jk")
    yield from attempt(door, _plain(user.name, "", user.password))


def fields(door: Door) -> Tries:
    """Fields that are too few or too many, and NULs inside."""
    name, password = door.user.name, door.user.password
    for parts in (
        (name, password),
        ("", name, password, "x"),
        ("", name, password, ""),
        ("", "", name, password),
        ("", b"\xff\xfe", b"\xc1\x80"),
    ):
        yield from attempt(door, _plain(*parts))
        yield from attempt(door, *asked("PLAIN", encoded(*parts)))
    for given, secret in (
        (encoded(name, "x"), encoded(password)),
        (encoded(name), encoded(password, "x")),
        (encoded(name), encoded(password, "")),
    ):
        yield from attempt(door, *asked("LOGIN", given, secret))


ODD_NAMES = (
    *("nouser\r\n235 2.7.0 x", "a\nb", "a\rb", "a\tb", "a\x7fb", "a\x1b[2Jb"),
    *("a\u2028b", "a\u202eb", "a\u0085b"),
)


def control_characters(door: Door) -> Tries:
    """One reply of one line, the next in step, and a log that can be read."""
    secret = "secret-in-no-log"
    by_plain = [plain(name, secret) for name in ODD_NAMES]
    by_login = [asked("LOGIN", encoded(n), encoded(secret)) for n in ODD_NAMES[:2]]
    for lines in (*by_plain, *by_login):
        with door.private() as client:
            reply = say(client, lines)
            assert reply.count(b"\r\n") == 1
            assert client.say("NOOP").code == 250
            yield client, reply
    assert door.service.events("session.opened")  # every line parses
    log = door.service.log_file.read_text()
    assert secret not in log
    assert encoded("", ODD_NAMES[0], secret).decode() not in log


def queries(door: Door) -> Tries:
    """A name is never a query: answered as any name that is not there."""
    user = door.user.name
    with door.private() as client:
        for_nobody = client.login(NOBODY, "wrong")
    for name in (
        *("*", f"{user})(uid=*", f"{user}' OR '1'='1", f'{user}"--', "admin'/*"),
        *("%u%{x}${run{id}}", f"../{user}", f"{user};", f"{user}\\", "{0}", "$(id)"),
        *(f"uid={user},ou=people,dc=own,dc=test", f"{user}*", f"{user}@OWN.TEST@x"),
    ):
        with door.private() as client:
            reply = client.login(name, door.user.password)
            assert reply == for_nobody, (name, reply)
            yield client, reply


def spellings(door: Door) -> Tries:
    """A spelling is the account itself, with its own rights, or nobody (RFC 8265)."""
    user = door.user
    name = user.name
    itself = {name.upper(), name.title(), name.translate(_FULL_WIDTH)}
    for spelling in (
        *itself,
        *(name.replace("e", "\u0435"), name[:2] + "\u200b" + name[2:]),
        *("\ufeff" + name, name + ".", name + " ", " " + name, name + "\u0301"),
        *(name[:2] + "\u00ad" + name[2:], name + "\u212a", "\u0131" + name),
    ):
        with door.private() as client:
            reply = client.login(spelling, user.password)
            if reply.code != 235:
                yield client, reply
                continue
            assert spelling in itself
            assert client.say(f"MAIL FROM:<{door.other.address}>").code == 553
            assert client.say(f"MAIL FROM:<{user.address}>").code == 250
            (event,) = door.service.events("auth.succeeded", client=source_of(client))
            assert event["account"] == name


_FULL_WIDTH = {ord(c): ord(c) - 0x21 + 0xFF01 for c in "abcdefghijklmnopqrstuvwxyz"}


def long_passwords(door: Door) -> Tries:
    """None is cut where bcrypt cuts, be the hash ours or bcrypt's."""
    hashed = bcrypt.hashpw(TAKEN_OVER.password.encode(), bcrypt.gensalt(4))
    line = f"{TAKEN_OVER.name}:{hashed.decode()}".encode()
    door.service.run("user", "import", "-", data=line).well()
    for one in (LONG, TAKEN_OVER):
        begins = one.password[:72]
        for guess in (begins + "X" * 8, one.password + "x", begins[:71]):
            yield from attempt(door, *plain(one.name, guess))
        if one is LONG:
            yield from attempt(door, *plain(one.name, begins))
        # A control, and the end of bcrypt's hash, which keeps SCRAM from the list.
        with door.private() as client:
            assert client.login(one.name, one.password).code == 235


def near_passwords(door: Door) -> Tries:
    """Nothing is cut, trimmed or folded."""
    name, password = door.user.name, door.user.password
    for guess in (
        *(password[:8], password.upper(), password.title(), password + " "),
        *(" " + password, password.replace(" ", ""), password[:-1], password * 50),
        *(password + "\0", password + "\n", "x" * 1025),
    ):
        yield from attempt(door, *plain(name, guess))


def lax_base64(door: Door) -> Tries:
    """A secret has one encoding (RFC 4648 §3.3), and only it is read."""
    command, mechanism, good = door.right()[0].decode().split(" ")
    if good == "=":
        good = encoded(door.user.name).decode()
    for spelling in (
        *(good[:8] + " " + good[8:], good[:8] + "\t" + good[8:], good + "\x0b"),
        *(good.rstrip("=") + "====", good + ("AAAA" if good[-1] == "=" else "=")),
        *(good[:-1], "-_" + good[2:], good + "\\r\\n", "=" + good, "*" + good),
    ):
        with door.private() as client:
            line = f"{command} {mechanism} {spelling}"
            reply = client.say(line)
            assert reply.code != 334, line
            yield client, reply
    # "AB==" and "AA==" must not both be one octet.
    yield from attempt(door, f"AUTH {mechanism} AB==".encode())


def barred_accounts(door: Door) -> Tries:
    """Disabled and expired accounts, by the right password and by what marks them."""
    suffix = f"@{OWN}" if door.family in ("local", "certificate") else ""
    if door.certificate is not None:
        for name in BARRED:
            certificate = door.peers.authority.issue(name, emails=[name + suffix])
            with door.dial() as client:
                client.ehlo()
                assert client.say("STARTTLS").code == 220
                handshake(client, certificate)
                client.ehlo()
                yield client, client.say("AUTH EXTERNAL =")
        return
    for name in BARRED:
        for password in (BARRED_PASSWORD, "", "!", "*", "x"):
            yield from attempt(door, *plain(name + suffix, password))


def default_accounts(door: Door) -> Tries:
    """Names and passwords that come with other products."""
    for name, password in (
        *(("guest", "guest"), ("test", "test"), ("admin", "admin"), ("demo", "demo")),
        *(("postmaster", "postmaster"), ("smtp", "smtp"), ("root", "root")),
        *((door.user.name, door.user.name), (door.user.name, "password")),
    ):
        yield from attempt(door, *plain(name, password))
