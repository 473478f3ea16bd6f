"""What this machine shows of its network, read from a folder made for it."""

from ipaddress import ip_address, ip_network
from pathlib import Path

from sekisho.app.hostfacts import look_at_host, own_addresses

ROUTE = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU
eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
"""
ZERO = "0" * 32
GATEWAY = "fe800000000000000000000000000001"
IPV6 = f"""{ZERO} 00 {ZERO} 00 {GATEWAY} 00000400 00000001 00000000 00000003 eth0
{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200 lo
20010db8{"0" * 24} 40 {ZERO} 00 {ZERO} 00000100 00000001 00000000 00000001 eth0
"""
IF_INET6 = f"20010db8{'0' * 23}1 02 40 00 80 br-x\n{'0' * 31}1 01 80 10 80 lo\n"
TRIE = """Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.0.0.7
        /32 host LOCAL
     |-- 10.0.0.255
        /32 link BROADCAST
"""


def fake(root: Path) -> Path:
    (root / "proc/net").mkdir(parents=True)
    for name in ("lo", "br-x", "eth0"):
        (root / "sys/class/net" / name).mkdir(parents=True)
    (root / "proc/net/route").write_text(ROUTE)
    (root / "proc/net/ipv6_route").write_text(IPV6)
    (root / "proc/net/if_inet6").write_text(IF_INET6)
    (root / "proc/net/fib_trie").write_text(TRIE)
    return root


def test_gateways_and_bridges_are_seen(tmp_path: Path) -> None:
    seen = look_at_host(fake(tmp_path))
    assert seen.unseen == ()
    assert seen.facts.gateways == {
        ip_address("10.0.0.1"),
        ip_address("fe80::1"),
        ip_address("2001:db8::1"),
    }
    assert seen.facts.bridges == (ip_network("2001:db8::/64"),)


def test_a_machine_without_ipv6_has_no_ipv6_gateway(tmp_path: Path) -> None:
    root = fake(tmp_path)
    (root / "proc/net/ipv6_route").unlink()
    (root / "proc/net/if_inet6").unlink()
    seen = look_at_host(root)
    assert (seen.unseen, seen.facts.bridges) == ((), ())
    assert seen.facts.gateways == {ip_address("10.0.0.1")}


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    unseen = look_at_host(tmp_path).unseen
    assert any("proc/net/route" in one for one in unseen)
    assert any("sys/class/net" in one for one in unseen)
    assert own_addresses(tmp_path) == set()


def test_own_addresses(tmp_path: Path) -> None:
    assert own_addresses(fake(tmp_path)) == {
        ip_address("10.0.0.7"),
        ip_address("2001:db8::1"),
        ip_address("::1"),
    }
