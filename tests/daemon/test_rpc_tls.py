"""HTTPS to a proxy in front of supervisord: who is trusted, and what a failure says."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from supervisor_easy.errors import HostUnreachable
from supervisor_easy.model import Host
from tests.certificates import Certificates, make_certificates
from tests.daemon.conftest import ask, failure
from tests.hostile import OK_REPLY, HostileHost, answers


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def proxy(certificates: Certificates) -> Iterator[HostileHost]:
    with HostileHost(answers(), tls=certificates.server_context()) as proxy:
        yield proxy


@pytest.fixture
def strict_proxy(certificates: Certificates) -> Iterator[HostileHost]:
    context = certificates.server_context(needs_client=True)
    with HostileHost(answers(), tls=context) as proxy:
        yield proxy


def fetch(host: Host) -> object:
    return ask(host, lambda s: s.fetch())


def test_a_custom_ca_is_trusted(proxy: HostileHost, certificates: Certificates) -> None:
    host = replace(proxy.host, ca_file=str(certificates.ca))

    assert fetch(host) == OK_REPLY


def test_an_unknown_ca_is_not_trusted_and_nothing_is_sent(proxy: HostileHost) -> None:
    error = failure(proxy.host)

    assert isinstance(error, HostUnreachable)
    assert (error.reason, error.maybe_executed) == ("tls", False)
    assert "certificate is not trusted" in str(error)
    assert not proxy.exchanges


def test_a_certificate_for_another_name_is_not_trusted(
    proxy: HostileHost, certificates: Certificates
) -> None:
    url = proxy.host.url.replace("127.0.0.1", "localhost")
    error = failure(replace(proxy.host, url=url, ca_file=str(certificates.ca)))

    assert isinstance(error, HostUnreachable)
    assert error.reason == "tls"


def test_verification_can_be_switched_off(proxy: HostileHost) -> None:
    assert fetch(replace(proxy.host, verify_tls=False)) == OK_REPLY


def test_a_client_certificate_is_shown(
    strict_proxy: HostileHost, certificates: Certificates
) -> None:
    host = replace(
        strict_proxy.host,
        ca_file=str(certificates.ca),
        client_cert=str(certificates.client_cert),
        client_key=str(certificates.client_key),
    )

    assert fetch(host) == OK_REPLY


def test_a_host_that_wants_a_client_certificate_is_asked_about_it(
    strict_proxy: HostileHost, certificates: Certificates
) -> None:
    error = failure(replace(strict_proxy.host, ca_file=str(certificates.ca)))

    assert isinstance(error, HostUnreachable)
    assert "client certificate" in str(error)


def test_a_host_that_speaks_no_tls_is_asked_about_it() -> None:
    with HostileHost(answers()) as plain:
        url = plain.host.url.replace("http:", "https:")
        short = timedelta(seconds=0.3)
        error = failure(replace(plain.host, url=url, connect_timeout=short))

    assert "does it speak TLS?" in str(error)


def test_a_missing_certificate_file_is_named(
    proxy: HostileHost, tmp_path: Path
) -> None:
    missing = tmp_path / "no-such-ca.pem"

    error = failure(replace(proxy.host, ca_file=str(missing)))

    assert isinstance(error, HostUnreachable)
    assert error.reason == "tls"
    assert str(missing) in str(error)


def test_a_broken_certificate_file_is_named(proxy: HostileHost, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")

    error = failure(replace(proxy.host, ca_file=str(broken)))

    assert isinstance(error, HostUnreachable)
    assert error.reason == "tls"
    assert str(broken) in str(error)


def test_a_renewed_ca_file_is_read_again(
    proxy: HostileHost, certificates: Certificates, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    other = make_certificates(tmp_path / "other")
    ca_file.write_bytes(other.ca.read_bytes())
    host = replace(proxy.host, ca_file=str(ca_file))

    async def renew(_: object) -> None:
        ca_file.write_bytes(certificates.ca.read_bytes())

    async def fail(supervisor: object) -> None:
        with pytest.raises(HostUnreachable):
            await supervisor.fetch()  # type: ignore[attr-defined]

    assert ask(host, fail, renew, lambda s: s.fetch()) == OK_REPLY
