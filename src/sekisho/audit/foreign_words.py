"""What other protocols say, as a browser or a scanner would send it to a mail port."""

from sekisho.audit.visit import Visit

SSH = b"SSH-2.0-audit\r\n"


def http_request(visit: Visit) -> bytes:
    """Write a form's POST as browsers do, with commands in its body.

    The header has all the lines of a real one: servers that close after a few unknown
    commands are sound, and a browser cannot leave them out.
    """
    body = visit.text(
        "HELO audit.invalid\r\nMAIL FROM:<{C}@{X}>\r\nRSET\r\nNOOP\r\n"
    ).encode()
    host = visit.text("{H}")
    lines = (
        "POST / HTTP/1.1",
        f"Host: {host}:{visit.target.port}",
        "User-Agent: Mozilla/5.0",
        "Accept: text/html,application/xhtml+xml",
        "Accept-Language: en",
        "Accept-Encoding: gzip, deflate",
        "Content-Type: text/plain",
        f"Content-Length: {len(body)}",
        "Origin: http://audit.invalid",
        "Connection: keep-alive",
        "Referer: http://audit.invalid/",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + body
