"""The authority of a server, and a team's own certificate."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import ValidationError

from app.exports import certificates
from app.exports.certificates import CertificateError
from app.settings import Settings


def own(
    folder: Path,
    *,
    key: Any = None,
    authority: bool = True,
    days: int = 90,
    begins: int = -1,
    uses: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.EMAIL_PROTECTION,),
    other_key: bool = False,
) -> Settings:
    """Settings with a certificate of a team's own authority, or self-signed."""
    key = key or ec.generate_private_key(ec.SECP384R1())
    issuer_key = ec.generate_private_key(ec.SECP384R1()) if authority else key
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Studio")])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example CA")]) if authority else name
    now = datetime.now(UTC)

    def builder(subject: x509.Name, public_key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=begins))
            .not_valid_after(now + timedelta(days=days))
        )

    made = builder(name, key.public_key()).add_extension(certificates._usage(digital_signature=True), critical=True)
    if uses:
        made = made.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    chain = [made.add_extension(identifier, critical=False).sign(issuer_key, hashes.SHA256())]
    if authority:
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        root = builder(issuer, issuer_key.public_key()).add_extension(constraints, critical=True)
        usage = certificates._usage(key_cert_sign=True)
        chain.append(root.add_extension(usage, critical=True).sign(issuer_key, hashes.SHA256()))
    folder.mkdir(exist_ok=True)
    pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)
    (folder / "own.pem").write_bytes(pem)
    kept = ec.generate_private_key(ec.SECP384R1()) if other_key else key
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "own.key").write_bytes(kept.private_bytes(*form))
    return Settings(
        data=folder / "data", signing_certificate=str(folder / "own.pem"), signing_key=str(folder / "own.key")
    )


def test_the_first_use_makes_an_authority_that_only_we_can_read(settings: Settings) -> None:
    made = certificates.identity(settings)
    folder = settings.data / "certificates"
    assert {path.name for path in folder.iterdir()} == {
        "authority.pem",
        "authority.key",
        "signing.pem",
        "signing.key",
        "lock",
    }
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*.*")} == {0o600}
    assert (made.algorithm, made.subject, made.own) == ("es256", "Soroe", False)
    assert certificates.identity(settings) == made, "the second use takes what is there"


def test_two_at_once_make_one_authority(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: certificates.identity(settings), range(16)))
    assert len({each.fingerprint for each in made}) == 1


def test_the_certificates_are_what_c2pa_asks_for(settings: Settings) -> None:
    leaf, authority = x509.load_pem_x509_certificates(certificates.identity(settings).chain.encode())
    leaf.verify_directly_issued_by(authority)
    assert leaf.subject != leaf.issuer
    extensions = leaf.extensions
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_renewing_keeps_the_authority(settings: Settings) -> None:
    before = certificates.identity(settings)
    certificates.renew(settings)
    after = certificates.identity(settings)
    assert after.authority == before.authority
    assert after.fingerprint != before.fingerprint


def test_a_certificate_that_ends_soon_is_renewed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "SIGNING_DAYS", 20)
    old = certificates.identity(settings)
    assert old.ends_soon
    monkeypatch.undo()
    new = certificates.identity(settings)
    assert new.fingerprint != old.fingerprint
    assert not new.ends_soon
    assert new.authority == old.authority


def test_a_certificate_that_expired_between_exports_is_renewed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "SIGNING_DAYS", 0)
    with pytest.raises(CertificateError, match="it expired on"):
        certificates.identity(settings)
    monkeypatch.undo()
    assert not certificates.identity(settings).ends_soon


def test_a_crash_between_the_files_is_repaired(settings: Settings) -> None:
    before = certificates.identity(settings)
    (settings.data / "certificates" / "signing.key").unlink()
    after = certificates.identity(settings)
    assert after.authority == before.authority
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "es256"),
        (ec.generate_private_key(ec.SECP384R1()), "es384"),
        (ed25519.Ed25519PrivateKey.generate(), "ed25519"),
        (rsa.generate_private_key(65537, 2048), "ps256"),
    ],
)
def test_the_teams_own_certificate(tmp_path: Path, key: Any, algorithm: str) -> None:
    settings = own(tmp_path, key=key)
    found = certificates.identity(settings)
    assert (found.algorithm, found.subject, found.own) == (algorithm, "Example Studio", True)
    assert not (settings.data / "certificates").exists()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"authority": False}, "self-signed"),
        ({"days": 0, "begins": -9}, "it expired on"),
        ({"begins": 3}, "it is valid only from"),
        ({"uses": ()}, "what its key is for"),
        ({"uses": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)}, "extended key usage"),
        ({"uses": (ExtendedKeyUsageOID.SERVER_AUTH,)}, "C2PA cannot sign with the certificate"),
        ({"other_key": True}, "the key is another certificate’s"),
        ({"key": ec.generate_private_key(ec.SECP256K1())}, "P-256, P-384 or P-521"),
    ],
)
def test_what_c2pa_would_refuse_is_explained_in_a_sentence(
    tmp_path: Path, wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CertificateError, match=sentence):
        certificates.identity(own(tmp_path, **wrong))


def test_an_own_certificate_that_ends_soon_is_noticed(tmp_path: Path) -> None:
    assert certificates.identity(own(tmp_path, days=10)).ends_soon
    assert not certificates.identity(own(tmp_path, days=60)).ends_soon


def test_a_certificate_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, tried = own(tmp_path), []
    signer = certificates.signer
    monkeypatch.setattr(certificates, "signer", lambda identity: tried.append(identity) or signer(identity))
    for _ in range(3):
        certificates.identity(settings)
    assert len(tried) == 1


def test_a_certificate_without_its_issuers_is_noticed(tmp_path: Path) -> None:
    settings = own(tmp_path)
    assert not any("alone" in line for line in certificates.told(certificates.identity(settings), settings))
    path = Path(settings.signing_certificate)
    path.write_bytes(path.read_bytes().partition(b"-----END CERTIFICATE-----\n")[0] + b"-----END CERTIFICATE-----\n")
    assert any(
        "valid, but not trusted" in line for line in certificates.told(certificates.identity(settings), settings)
    )


def test_files_other_than_certificates_are_refused(tmp_path: Path) -> None:
    settings = own(tmp_path)
    Path(settings.signing_certificate).write_text("hello")
    with pytest.raises(CertificateError, match="no certificate in PEM"):
        certificates.identity(settings)
    Path(settings.signing_certificate).unlink()
    with pytest.raises(CertificateError, match="cannot be read"):
        certificates.identity(settings)
    settings = own(tmp_path)
    Path(settings.signing_key).write_text("hello")
    with pytest.raises(CertificateError, match="not a private key"):
        certificates.identity(settings)


def test_certificate_and_key_belong_together() -> None:
    with pytest.raises(ValidationError, match="belong together"):
        Settings(signing_certificate="a.pem")
    with pytest.raises(ValidationError, match="belong together"):
        Settings(signing_key="a.key")
