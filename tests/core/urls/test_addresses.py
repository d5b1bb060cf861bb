"""Tests of which addresses may be reached, each range with the addresses one step outside."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.urls.addresses import AddressKind, address_allowed, classify, is_cloud_metadata, operator_allows

K = AddressKind

# First and last address of what is not public; then the neighbours outside that are.
RANGES: list[tuple[str, str, AddressKind, Sequence[str]]] = [
    ("0.0.0.0", "0.255.255.255", K.UNSPECIFIED, ["1.0.0.0"]),
    ("10.0.0.0", "10.255.255.255", K.PRIVATE, ["9.255.255.255", "11.0.0.0"]),
    ("100.64.0.0", "100.127.255.255", K.SHARED, ["100.63.255.255", "100.128.0.0"]),
    ("127.0.0.0", "127.255.255.255", K.LOOPBACK, ["126.255.255.255", "128.0.0.0"]),
    ("168.63.129.16", "168.63.129.16", K.CLOUD_HOST, ["168.63.129.15", "168.63.129.17"]),
    ("169.254.0.0", "169.254.255.255", K.LINK_LOCAL, ["169.253.255.255", "169.255.0.0"]),
    ("172.16.0.0", "172.31.255.255", K.PRIVATE, ["172.15.255.255", "172.32.0.0"]),
    ("192.0.0.0", "192.0.0.255", K.SPECIAL, ["191.255.255.255", "192.0.1.0"]),
    ("192.0.2.0", "192.0.2.255", K.DOCUMENTATION, ["192.0.1.255", "192.0.3.0"]),
    ("192.31.196.0", "192.31.196.255", K.SPECIAL, ["192.31.195.255", "192.31.197.0"]),
    ("192.52.193.0", "192.52.193.255", K.SPECIAL, ["192.52.192.255", "192.52.194.0"]),
    ("192.88.99.0", "192.88.99.255", K.SPECIAL, ["192.88.98.255", "192.88.100.0"]),
    ("192.168.0.0", "192.168.255.255", K.PRIVATE, ["192.167.255.255", "192.169.0.0"]),
    ("192.175.48.0", "192.175.48.255", K.SPECIAL, ["192.175.47.255", "192.175.49.0"]),
    ("198.18.0.0", "198.19.255.255", K.BENCHMARK, ["198.17.255.255", "198.20.0.0"]),
    ("198.51.100.0", "198.51.100.255", K.DOCUMENTATION, ["198.51.99.255", "198.51.101.0"]),
    ("203.0.113.0", "203.0.113.255", K.DOCUMENTATION, ["203.0.112.255", "203.0.114.0"]),
    ("224.0.0.0", "239.255.255.255", K.MULTICAST, ["223.255.255.255"]),
    ("240.0.0.0", "255.255.255.255", K.RESERVED, []),
    ("::", "::", K.UNSPECIFIED, []),
    ("::1", "::1", K.LOOPBACK, []),
    ("::2", "::ffff:ffff", K.EMBEDDED_IPV4, []),
    ("::1:0:0", "::fffe:ffff:ffff", K.RESERVED, []),
    ("::ffff:0.0.0.0", "::ffff:255.255.255.255", K.EMBEDDED_IPV4, []),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", K.PRIVATE, []),
    ("64:ff9b::1:0:0", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", K.RESERVED, []),
    ("100::", "100::ffff:ffff:ffff:ffff", K.SPECIAL, []),
    ("1000::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", K.RESERVED, ["2000::"]),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", K.SPECIAL, ["2000:ffff:ffff::", "2001:200::"]),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", K.DOCUMENTATION, ["2001:db7:ffff::", "2001:db9::"]),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", K.EMBEDDED_IPV4, ["2001:ffff:ffff::", "2003::"]),
    ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", K.SPECIAL, ["2620:4f:7fff:ffff::", "2620:4f:8001::"]),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", K.DOCUMENTATION, ["3ffe:ffff:ffff::", "3fff:1000::"]),
    ("4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", K.RESERVED, ["3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", K.SPECIAL, []),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", K.PRIVATE, []),
    ("fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", K.RESERVED, []),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", K.LINK_LOCAL, []),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", K.SITE_LOCAL, []),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", K.MULTICAST, []),
]


@pytest.mark.parametrize(("first", "last", "kind", "outside"), RANGES, ids=[row[0] for row in RANGES])
def test_both_ends_of_a_range_and_what_lies_outside(
    first: str, last: str, kind: AddressKind, outside: Sequence[str]
) -> None:
    """A range ends where its registry entry says, neither before nor after."""
    assert [kind, kind] == [classify(first), classify(last)]
    assert not address_allowed(first, [])
    assert not address_allowed(last, [])
    assert [K.PUBLIC] * len(outside) == [classify(address) for address in outside]
    assert all(address_allowed(address, []) for address in outside)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        pytest.param("1.1.1.1", K.PUBLIC, id="IPv4"),
        pytest.param("2606:4700:4700::1111", K.PUBLIC, id="IPv6"),
        pytest.param("64:ff9b::8.8.8.8", K.PUBLIC, id="NAT64 of a public address"),
        pytest.param("64:ff9b::808:808", K.PUBLIC, id="the same in hex"),
        pytest.param("64:ff9b::9.255.255.255", K.PUBLIC, id="NAT64 of an address just below a private range"),
        pytest.param("64:ff9b::10.0.0.0", K.EMBEDDED_IPV4, id="NAT64 of a private address"),
        pytest.param("64:ff9b::168.63.129.16", K.EMBEDDED_IPV4, id="NAT64 of a cloud host"),
        pytest.param("::ffff:8.8.8.8", K.EMBEDDED_IPV4, id="mapped public address"),
        pytest.param("::8.8.8.8", K.EMBEDDED_IPV4, id="compatible public address"),
        pytest.param("2002:808:808::1", K.EMBEDDED_IPV4, id="6to4 of a public address"),
        pytest.param("2606:4700::1%eth0", K.ZONED, id="zone id on a public address"),
        pytest.param("64:ff9b::8.8.8.8%1", K.ZONED, id="zone id on NAT64"),
        pytest.param("fe80::1%eth0", K.ZONED, id="zone id on a link-local address"),
        pytest.param("", K.UNREADABLE, id="nothing"),
        pytest.param("api.example.com", K.UNREADABLE, id="name"),
        pytest.param("8.8.8", K.UNREADABLE, id="short form"),
        pytest.param("08.8.8.8", K.UNREADABLE, id="leading zero"),
        pytest.param("134744072", K.UNREADABLE, id="decimal form"),
        pytest.param(" 8.8.8.8", K.UNREADABLE, id="space"),
        pytest.param("8.8.8.8\n", K.UNREADABLE, id="newline"),
        pytest.param("８.8.8.8", K.UNREADABLE, id="full-width digit"),
        pytest.param("8.8.8.8/32", K.UNREADABLE, id="network"),
        pytest.param("8.8.8.8:443", K.UNREADABLE, id="port"),
        pytest.param("[2606:4700::1]", K.UNREADABLE, id="brackets"),
        pytest.param("8.8.8.8%eth0", K.UNREADABLE, id="zone id on IPv4"),
        pytest.param("\ud800", K.UNREADABLE, id="lone surrogate"),
    ],
)
def test_classify(address: str, kind: AddressKind) -> None:
    """Each address has one kind, and only the public kind needs nobody's leave."""
    assert kind is classify(address)
    assert (kind is K.PUBLIC) == address_allowed(address, [])


@pytest.mark.parametrize(
    ("address", "networks", "expected"),
    [
        pytest.param("10.1.2.3", ["10.0.0.0/8"], True, id="inside"),
        pytest.param("10.1.2.3", ["192.168.0.0/16", "10.1.2.3/32"], True, id="second of two, one address"),
        pytest.param("10.1.2.4", ["10.1.2.3/32"], False, id="neighbour of one address"),
        pytest.param("10.2.0.0", ["10.1.0.0/16"], False, id="just outside"),
        pytest.param("8.8.8.8", ["10.0.0.0/8"], True, id="public all the same"),
        pytest.param("::ffff:10.1.2.3", ["10.0.0.0/8"], False, id="never through a mapped address"),
        pytest.param("64:ff9b::10.1.2.3", ["10.0.0.0/8"], False, id="never through NAT64"),
        pytest.param("2002:a01:203::1", ["10.0.0.0/8"], False, id="never through 6to4"),
        pytest.param("::ffff:10.1.2.3", ["::ffff:0:0/96"], True, id="the mapped address as it is"),
        pytest.param("::1", ["0.0.0.0/0"], False, id="an IPv4 network says nothing of IPv6"),
        pytest.param("127.0.0.1", ["::/0"], False, id="an IPv6 network says nothing of IPv4"),
        pytest.param("fd00::1", ["fd00::/8"], True, id="IPv6 inside"),
        pytest.param("fc00::1", ["fd00::/8"], False, id="IPv6 outside"),
        pytest.param("fe80::1%eth0", ["fe80::/10"], True, id="zone id, in a network all the same"),
        pytest.param("nonsense", ["0.0.0.0/0", "::/0"], False, id="unreadable"),
        pytest.param("169.254.169.254", ["169.254.0.0/16"], True, id="metadata in a range: the plain rule knows none"),
    ],
)
def test_networks_that_are_allowed_though_private(address: str, networks: list[str], expected: bool) -> None:
    """An address that is not public needs a network of its own family that holds it as it is."""
    assert expected == address_allowed(address, [ip_network(network) for network in networks])


METADATA = [
    "169.254.169.254",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "169.254.170.2",
    "169.254.170.23",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:ec2:0:0::254",
    "fd00:ec2::254%eth0",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::169.254.169.254",
    "2002:a9fe:a9fe::1",
]


@pytest.mark.parametrize("address", METADATA)
def test_cloud_metadata_is_known_in_every_dress(address: str) -> None:
    """A metadata endpoint is recognised, whatever IPv6 form carries it, and no range reaches it."""
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0"), ip_network("fd00:ec2::/32"), ip_network("2002::/127")]

    assert is_cloud_metadata(address)
    assert address_allowed(address, everything)
    assert not operator_allows(address, everything)
    assert operator_allows(address, [ip_network(address.partition("%")[0])])


NEIGHBOURS = (
    "169.254.169.251 169.254.169.255 168.63.129.17 100.100.100.201 fd00:ec2::255 fd00:ec3::254 8.8.8.8 "
    "::ffff:169.254.169.251 2606:4700::a9fe:a9fe fd00::a9fe:a9fe 2003:a9fe:a9fe::1 nonsense"
)


@pytest.mark.parametrize("address", NEIGHBOURS.split())
def test_neighbours_of_cloud_metadata_are_none(address: str) -> None:
    """Only the endpoints themselves are metadata: elsewhere ranges count as they do in `address_allowed`."""
    networks = [ip_network("0.0.0.0/0"), ip_network("::/0")]

    assert not is_cloud_metadata(address)
    assert address_allowed(address, networks) == operator_allows(address, networks)


@given(st.ip_addresses(v=4))
def test_nat64_is_as_public_as_what_it_carries(embedded: IPv4Address) -> None:
    """NAT64 reaches the embedded address, so that both are public or neither is."""
    carrier = str(IPv6Address(int(IPv6Network("64:ff9b::/96").network_address) + int(embedded)))

    assert address_allowed(str(embedded), []) == address_allowed(carrier, [])


@given(st.one_of(st.text(), st.ip_addresses().map(str)))
def test_judging_an_address_never_raises(address: str) -> None:
    """Whatever a resolver hands over, the answer is a kind; what the operator's rule allows, the plain one does."""
    networks = [ip_network("0.0.0.0/1"), ip_network("::/1")]

    assert classify(address) in AddressKind
    assert not operator_allows(address, networks) or address_allowed(address, networks)
