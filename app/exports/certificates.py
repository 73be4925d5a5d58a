"""Signing certificates: this server's own certificate authority, made on first use, or the team's own certificate.

    data/certificates/authority.pem      its certificate: give it to people who verify our pictures
    data/certificates/authority.key      never leaves
    data/certificates/signing.pem        the signing certificate, then the authority's
    data/certificates/signing.key

C2PA refuses self-signed certificates, so there are two: the authority signs the signing certificate, which signs
pictures. Its extensions follow C2PA 2.x, "Certificate Profiles": version 3, not an authority, key usage
digitalSignature, extended key usage for documents (here emailProtection, which every reader accepts by default).
"""

import fcntl
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import c2pa
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from app import atomic, slow
from app.errors import Conflict
from app.languages import gettext as _
from app.models import now
from app.settings import Settings

AUTHORITY_DAYS, SIGNING_DAYS = 3650, 398
RENEW_DAYS = 30  # days before expiry at which our own signing certificate is renewed, or others' expiry is announced
CLOCKS = timedelta(hours=1)  # other clocks may be behind ours
FORBIDDEN_USES = {ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
RSA_BITS = 2048
TRIAL = {  # the smallest picture that C2PA signs
    "claim_generator_info": [{"name": "Soroe"}],
    "assertions": [
        {
            "label": "c2pa.actions.v2",
            "data": {
                "actions": [
                    {
                        "action": "c2pa.created",
                        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation",
                    }
                ]
            },
        }
    ],
}

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


class CertificateError(Conflict):
    """The available certificate cannot sign; the sentence says why."""


@dataclass(frozen=True)
class SigningIdentity:
    """Everything needed to sign."""

    chain: str  # PEM: the signing certificate first
    key: str  # PEM
    algorithm: str  # as C2PA names it
    subject: str
    ends: datetime
    authority: str  # PEM: what a reader must trust
    own: bool  # the team's, from the settings

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the signing certificate, in hex."""
        return x509.load_pem_x509_certificate(self.chain.encode()).fingerprint(hashes.SHA256()).hex()

    @property
    def authority_fingerprint(self) -> str:
        return x509.load_pem_x509_certificate(self.authority.encode()).fingerprint(hashes.SHA256()).hex()

    @property
    def alone(self) -> bool:
        """Whether the certificate came without its issuers."""
        return self.chain == self.authority

    @property
    def ends_soon(self) -> bool:
        return self.ends - now() < timedelta(days=RENEW_DAYS)


@slow.outside
def identity(settings: Settings) -> SigningIdentity:
    """The signing identity of this server, created if missing. Raises CertificateError."""
    if settings.signing_certificate and settings.signing_key:
        found = _own(Path(settings.signing_certificate), Path(settings.signing_key))
        if refusal := _refusal(found):
            raise CertificateError(
                _(
                    "C2PA cannot sign with the certificate in %(file)s (%(refusal)s). It needs an extended key"
                    " usage for documents, such as emailProtection.",
                    file=settings.signing_certificate,
                    refusal=refusal,
                )
            )
        return found
    folder = folder_of(settings)
    with alone(folder):
        _make_missing(folder)
        leaf = _chain(folder / "signing.pem")[0]
        if leaf.not_valid_after_utc - now() < timedelta(days=RENEW_DAYS):
            _renew(folder)
        return _read(folder / "signing.pem", folder / "signing.key", own=False)


def folder_of(settings: Settings) -> Path:
    return settings.data / "certificates"


@slow.outside
def renew(settings: Settings) -> None:
    """Issue a new signing certificate from this server's authority. Earlier signatures stay valid."""
    folder = folder_of(settings)
    with alone(folder):
        _make_missing(folder)
        _renew(folder)


def told(identity: SigningIdentity, settings: Settings) -> list[str]:
    """Describe who signs, in a few lines for a terminal."""
    place = settings.signing_certificate if identity.own else str(folder_of(settings) / "authority.pem")
    lines = [
        _(
            "Delivered pictures are signed by %(name)s (%(algorithm)s), valid until %(day)s.",
            name=identity.subject,
            algorithm=identity.algorithm,
            day=f"{identity.ends:%Y-%m-%d}",
        ),
        _("To verify them, trust the authority whose certificate is in %(file)s", file=place),
        f"  SHA-256 {identity.authority_fingerprint}",
    ]
    if identity.alone:
        lines.append(
            _(
                "The file holds only this certificate, without its issuers: readers find the pictures valid, but not"
                " trusted. Append the issuers' certificates."
            )
        )
    if identity.ends_soon:
        lines.append(_("The certificate expires soon. Renew it before then: exports need one."))
    return lines


# Our own


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock among all threads and the command line, so that two never make two authorities."""
    atomic.make_folder(folder, mode=0o700)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _renew(folder: Path) -> None:
    authority = x509.load_pem_x509_certificate(_text(folder / "authority.pem").encode())
    authority_key = _key(_text(folder / "authority.key"))
    if authority.not_valid_after_utc - now() < timedelta(days=SIGNING_DAYS):
        raise CertificateError(
            _(
                "The authority in %(folder)s expires on %(day)s. Move the folder away to create a new one, and give its"
                " certificate to everyone who verifies.",
                folder=folder,
                day=f"{authority.not_valid_after_utc:%Y-%m-%d}",
            )
        )
    _make_signing(folder, authority, authority_key)


def _make_missing(folder: Path) -> None:
    if (folder / "signing.pem").exists() and (folder / "signing.key").exists():
        return
    if not ((folder / "authority.pem").exists() and (folder / "authority.key").exists()):
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Soroe certificate authority")  # English
        usage = _usage(key_cert_sign=True, crl_sign=True)
        certificate = (
            _builder(name, name, key, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(folder / "authority.key", _key_pem(key))
        _write(folder / "authority.pem", _pem(certificate))
    authority = x509.load_pem_x509_certificate(_text(folder / "authority.pem").encode())
    _make_signing(folder, authority, _key(_text(folder / "authority.key")))


def _make_signing(folder: Path, authority: x509.Certificate, authority_key: Key) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name("Soroe"), authority.subject, key, SIGNING_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        # The key is elliptic, as we made it; cryptography's type allows kinds that cannot sign.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)  # type: ignore[arg-type]
        .sign(authority_key, hashes.SHA256())
    )
    # The key last: until it exists, the pair counts as missing and is made again.
    (folder / "signing.key").unlink(missing_ok=True)
    _write(folder / "signing.pem", _pem(certificate) + _pem(authority))
    _write(folder / "signing.key", _key_pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - CLOCKS)
        .not_valid_after(now() + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common: str) -> x509.Name:
    # C2PA readers show the organisation as the issuer.
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Soroe"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _usage(digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


# The team's own


def _own(certificate: Path, key: Path) -> SigningIdentity:
    try:
        return _read(certificate, key, own=True)
    except OSError as error:
        raise CertificateError(
            _("%(file)s cannot be read: %(reason)s.", file=error.filename, reason=error.strerror)
        ) from error


@lru_cache(maxsize=8)
def _refusal(identity: SigningIdentity) -> str | None:
    """Why C2PA refuses to sign with it, found by signing a tiny picture once; None if it signs.

    It refuses more than can be checked in advance, such as a certificate for web servers.
    """
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    picture.seek(0)
    try:
        with signer(identity) as signs, c2pa.Builder(json.dumps(TRIAL)) as builder:
            builder.sign(signs, "image/png", picture, io.BytesIO())
    except c2pa.C2paError as error:
        return str(error).partition("\n")[0].rstrip(".:")
    return None


def signer(identity: SigningIdentity) -> c2pa.Signer:
    """A signer; close it after use."""
    return c2pa.Signer.from_info(
        c2pa.C2paSignerInfo(identity.algorithm.encode(), identity.chain.encode(), identity.key.encode(), None)
    )


def _read(certificate_file: Path, key_file: Path, *, own: bool) -> SigningIdentity:
    """Read a certificate with its chain and key. Raises CertificateError for what C2PA would refuse."""
    chain, key = _chain(certificate_file), _key(_text(key_file))
    if problem := _problem(chain, key):
        raise CertificateError(
            _("The certificate in %(file)s cannot sign: %(problem)s", file=certificate_file, problem=problem)
        )
    leaf = chain[0]
    common = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    subject = str(common[0].value) if common else leaf.subject.rfc4514_string()
    pem = "".join(map(_pem, chain))
    return SigningIdentity(pem, _key_pem(key), _algorithm(key), subject, leaf.not_valid_after_utc, _pem(chain[-1]), own)


def _problem(chain: Sequence[x509.Certificate], key: Key) -> str | None:
    """What is wrong with it, as the end of a sentence."""
    leaf = chain[0]
    if leaf.public_key() != key.public_key():
        return _("the key is another certificate’s.")
    if leaf.subject == leaf.issuer:
        return _("it is self-signed, which C2PA refuses; an authority must sign it.")
    if leaf.not_valid_after_utc <= now():
        return _("it expired on %(day)s. Renew it.", day=f"{leaf.not_valid_after_utc:%Y-%m-%d}")
    if leaf.not_valid_before_utc > now():
        return _("it is valid only from %(day)s.", day=f"{leaf.not_valid_before_utc:%Y-%m-%d}")
    for signed, signer in pairwise(chain):
        try:
            signed.verify_directly_issued_by(signer)
        except (ValueError, TypeError, InvalidSignature):
            return _("its chain is broken; the file must hold it first, then each issuer in order.")
    return _wrong_use(leaf)


def _wrong_use(leaf: x509.Certificate) -> str | None:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        uses = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return _("it does not say what its key is for; C2PA needs a key usage and an extended key usage.")
    if not usage.digital_signature or usage.key_cert_sign:
        return _("its key usage must be digitalSignature, and not keyCertSign.")
    if not uses or uses & FORBIDDEN_USES:
        return _("its extended key usage must be one that C2PA accepts, such as emailProtection.")
    return None


def _algorithm(key: Key) -> str:
    match key:
        case ec.EllipticCurvePrivateKey() if key.curve.name in CURVES:
            return CURVES[key.curve.name]
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case rsa.RSAPrivateKey() if key.key_size >= RSA_BITS:
            return "ps256"
    raise CertificateError(
        _("C2PA signs with keys on P-256, P-384 or P-521, with Ed25519, or with RSA of 2048 bits or more.")
    )


# Files


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace")


def _chain(file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_text(file).encode())
    except ValueError as error:
        raise CertificateError(_("%(file)s holds no certificate in PEM.", file=file)) from error


def _key(pem: str) -> Key:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise CertificateError(_("The signing key is not a private key in PEM without a password.")) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise CertificateError(_("The signing key is of a type that C2PA does not support."))
    return key


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: Key) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _write(path: Path, text: str) -> None:
    """Write a file that only this user reads, whole or not at all."""
    atomic.write(path, text.encode("ascii"), mode=0o600)
