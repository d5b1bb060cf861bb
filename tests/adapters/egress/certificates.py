"""A certificate authority of the tests' own, and TLS contexts made with it.

It keeps RFC 5280 in full, so that a strict client can trust it; `lacks` names what an old authority leaves out.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import warnings
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_TO = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)


_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


class Lack(StrEnum):
    """What RFC 5280 requires of certificates and old authorities leave out."""

    AUTHORITY_KEY = "authority key identifier"
    SUBJECT_KEY = "subject key identifier"
    CONSTRAINTS = "basic constraints"
    CRITICAL_CONSTRAINTS = "critical basic constraints"
    KEY_USAGE = "key usage"
    SUBJECT = "subject"


class Authority:
    """Signs server certificates. Its files live in a folder that the test gives."""

    def __init__(self, folder: Path, *lacks: Lack) -> None:
        self._folder = folder
        self._lacks = frozenset(lacks)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests' own authority")])
        own = self._builder(self._name, self._key)
        if Lack.CONSTRAINTS not in self._lacks:
            critical = Lack.CRITICAL_CONSTRAINTS not in self._lacks
            own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=critical)
        if Lack.SUBJECT_KEY not in self._lacks:
            own = own.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        if Lack.KEY_USAGE not in self._lacks:
            own = own.add_extension(_SIGNS_CERTIFICATES, critical=True)
        self._certificate = own.sign(self._key, hashes.SHA256())

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        begins: datetime.datetime = _FROM,
        ends: datetime.datetime = _TO,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )

    def _issued(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        if Lack.AUTHORITY_KEY not in self._lacks:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
            builder = builder.add_extension(identifier, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> str:
        """The authority's own certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def client_pem(self, name: str) -> str:
        """A key and the certificate of a client of this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
        encoded = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return encoded.decode() + self._issued(certificate).public_bytes(serialization.Encoding.PEM).decode()

    def server_context(
        self,
        *names: str,
        maximum: ssl.TLSVersion | None = None,
        asks_client: bool = False,
        begins: int = 2020,
        ends: int = 2090,
        called: str = "a server",
    ) -> ssl.SSLContext:
        """A server that shows a certificate for these names and addresses; `begins` and `ends` are years."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([] if Lack.SUBJECT in self._lacks else [x509.NameAttribute(NameOID.COMMON_NAME, called)])
        valid = [datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (begins, ends)]
        others = x509.SubjectAlternativeName([_general_name(name) for name in names])
        certificate = self._issued(self._builder(subject, key, *valid).add_extension(others, critical=False))
        path = self._folder / f"{certificate.serial_number}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if asks_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self.pem)
        if maximum is not None:
            with warnings.catch_warnings():  # that a version is deprecated is the point
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
                context.maximum_version = maximum
            context.set_ciphers("ALL:@SECLEVEL=0")
        return context

    def trusted_by(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Make a client's context trust this authority as well."""
        context.load_verify_locations(cadata=self._certificate.public_bytes(serialization.Encoding.PEM).decode())
        return context


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
