"""The token is shown by nothing and to nobody: not in errors, progress, repr or other requests."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Iterator

import pytest

from chartgen.errors import ChartgenError, RefusedError
from chartgen.market.deploy.account import (
    ACCOUNT_VARIABLE,
    API_VARIABLE,
    DEFAULT_API,
    PERMISSION_VARIABLE,
    account_from,
)
from chartgen.market.deploy.secret import Secret
from tests.cloudflare_stub import (
    ACCOUNT,
    TOKEN,
    Act,
    Handler,
    Reply,
    challenges,
    cut_off,
    drops,
    echoes_token,
    leads_away,
    result,
    says,
    says_html,
    says_nothing,
    status,
)
from tests.deploying import Publisher, publishing

MARKERS = (TOKEN, "marker-session", "marker-complete", "eyJ")
NUMBER_OF_CALLS = 12
UNREAD = {(fault, number) for fault in ("null", "list") for number in (10, 11)}
ENVIRONMENT = {PERMISSION_VARIABLE: TOKEN, ACCOUNT_VARIABLE: ACCOUNT}


def repeats_everything(handler: Handler, reply: Reply) -> None:
    """Answer with all that was sent, as a proxy for finding mistakes does."""
    handler.say(Reply(500, f"{handler.headers}".encode() + handler.cloudflare.calls[-1].body))


FAULTS: dict[str, Act] = {
    "echo": echoes_token,
    "echo of everything": repeats_everything,
    "forbidden": status(403, 10000, "Authentication error"),
    "drop": drops,
    "cut off": cut_off,
    "html": says_html,
    "nothing": says_nothing,
    "challenge": challenges,
    "redirect": leads_away,
    "null": says(result(None)),
    "list": says(result([{"jwt": 7}])),
}


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing() as found:
        yield found


@pytest.mark.loopback
@pytest.mark.parametrize("number", range(NUMBER_OF_CALLS))
@pytest.mark.parametrize("fault", FAULTS)
def test_no_failure_shows_a_token(
    publisher: Publisher,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    fault: str,
    number: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    for call in range(number, number + 100):
        publisher.cloudflare.fail_call(call, FAULTS[fault], after=True)

    shown = [repr(publisher.steps)]
    try:
        publisher.publish("1.0.0")
    except ChartgenError as error:
        shown.append(report(error))
    else:
        # Of the calls that open the market only the success is read.
        assert (fault, number) in UNREAD

    captured = capfd.readouterr()
    for text in (*shown, captured.out, captured.err, caplog.text):
        for marker in MARKERS:
            assert marker not in text


def report(error: ChartgenError) -> str:
    """Show an error with the values of all variables of chartgen, as some reporters do."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    for part in (found, found.__cause__, found.__context__):
        if part is not None:
            part.stack[:] = [frame for frame in part.stack if "/tests/" not in frame.filename]
    return "".join(found.format(chain=True)) + repr(error)


@pytest.mark.loopback
def test_no_address_but_that_of_the_api_gets_a_token(publisher: Publisher) -> None:
    publisher.publish("1.0.0")
    publisher.publish("1.0.1")

    sites = [call for call in publisher.cloudflare.calls if call.host.endswith(".workers.dev")]
    assert len(sites) == 16
    for call in sites:
        assert "authorization" not in call.headers
        assert not any(marker in f"{call}" for marker in MARKERS)


@pytest.mark.loopback
def test_nobody_is_followed_elsewhere(publisher: Publisher) -> None:
    publisher.cloudflare.fail("GET", "/subdomain$", leads_away, 99)

    with pytest.raises(ChartgenError, match="which is not followed"):
        publisher.publish("1.0.0")

    assert len(publisher.cloudflare.calls) == 1


def test_a_secret_shows_nothing() -> None:
    secret = Secret(f"  {TOKEN}\n")

    assert secret.reveal() == TOKEN
    assert {str(secret), repr(secret), f"{secret}", f"{[secret]}"} == {"[secret]", "[[secret]]"}
    assert secret.redact(f"a {TOKEN} b") == "a [secret] b"
    assert not hasattr(secret, "__dict__")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(secret, protocol)


@pytest.mark.parametrize("text", ["", " ", "a b", "a\nb", "a\x00b", "tokén", "\u200btoken"])
def test_what_is_no_token_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        Secret(text, PERMISSION_VARIABLE)

    assert PERMISSION_VARIABLE in str(caught.value)
    assert not text.strip() or text not in str(caught.value)


# The environment -----------------------------------------------------------------------------


def test_account_and_token_come_from_the_environment() -> None:
    account = account_from({**ENVIRONMENT, ACCOUNT_VARIABLE: f" {ACCOUNT.upper()} "})

    assert (account.id, account.token.reveal(), account.api) == (ACCOUNT, TOKEN, DEFAULT_API)
    assert account.stand_in is None
    assert TOKEN not in repr(account)


@pytest.mark.parametrize("name", ENVIRONMENT)
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_missing_is_named(name: str, value: str | None) -> None:
    environment = {key: text for key, text in ENVIRONMENT.items() if key != name}

    with pytest.raises(RefusedError) as caught:
        account_from(environment | ({} if value is None else {name: value}))

    assert f"needs {name} in the environment" in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("account", ["me", "0" * 31, "0" * 33, f"{'0' * 30}/.", "g" * 32])
def test_an_account_id_that_is_none_is_refused(account: str) -> None:
    with pytest.raises(RefusedError, match="32 hexadecimal digits"):
        account_from({**ENVIRONMENT, ACCOUNT_VARIABLE: account})


@pytest.mark.parametrize(
    ("api", "stand_in"),
    [
        ("https://api.example.com/client/v4", None),
        ("https://api.example.com/client/v4/", None),
        ("http://127.0.0.1:8787/client/v4", "http://127.0.0.1:8787"),
        ("http://localhost/client/v4", "http://localhost"),
        ("http://[::1]:1/client/v4", "http://[::1]:1"),
    ],
)
def test_another_api_needs_tls_or_is_on_this_machine(api: str, stand_in: str | None) -> None:
    account = account_from({**ENVIRONMENT, API_VARIABLE: api})

    assert (account.api, account.stand_in) == (api.rstrip("/"), stand_in)


@pytest.mark.parametrize(
    "api",
    [
        "http://api.example.com/client/v4",
        "http://127.0.0.1.example.com/client/v4",
        "http://127.0.0.2/client/v4",
        "http://localhost@example.com/",
        "ftp://localhost/",
        "https://",
        "https://user@example.com/",
        "https://example.com/?a=b",
        "https://[::1/",
        "api.cloudflare.com",
    ],
)
def test_a_token_never_travels_in_the_open(api: str) -> None:
    with pytest.raises(RefusedError, match=API_VARIABLE):
        account_from({**ENVIRONMENT, API_VARIABLE: api})
