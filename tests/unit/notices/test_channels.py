"""Channels: where notices may go, and how the settings name them."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

import pytest

from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier_workers.notices.addresses import Forbidden, addresses_of, check, why_forbidden

SECRET = "0123456789abcdef"


# -- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "192.0.0.192",
        "168.63.129.16",
        "fd20:ce::254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b:1:a9fe:a9:fe00::",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
    ],
)
def test_there_are_addresses_that_no_notice_goes_to_whatever_is_allowed(address: str):
    assert why_forbidden(ip_address(address), allow_private=True)
    assert why_forbidden(ip_address(address), allow_private=False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "::1",
        "fd12::1",
        "fec0::1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:0a00:0001::1",
    ],
)
def test_a_private_address_must_be_allowed(address: str):
    assert "allow_private" in why_forbidden(ip_address(address), allow_private=False)
    assert not why_forbidden(ip_address(address), allow_private=True)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_a_public_address_may_be_spoken_to(address: str):
    assert not why_forbidden(ip_address(address), allow_private=False)


def test_one_bad_address_of_a_name_is_enough():
    with pytest.raises(Forbidden, match=r"10\.0\.0\.1"):
        check(["1.1.1.1", "10.0.0.1"], allow_private=False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "0177.0.0.1"]
)
async def test_this_machine_by_any_name_is_refused(host: str):
    with pytest.raises(Forbidden):
        await addresses_of(host, 80, allow_private=False)


def load(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "guardtier.toml"
    file.write_text(text)
    return Settings.load(file)


HOOK = f'[channel.oncall]\nkind = "webhook"\nurl = "https://hooks.example/key-4711"\nsecret = "{SECRET}"\n'


# -- settings ----------------------------------------------------------------------------------


def test_channels_are_tables_of_the_settings_and_their_secrets_are_never_shown(tmp_path: Path):
    settings = load(tmp_path, HOOK)

    assert settings.channel["oncall"].kind == "webhook"
    listed = settings.shown(tmp_path / "guardtier.toml", {})
    for text in (repr(settings), repr(listed)):
        assert "key-4711" not in text
        assert SECRET not in text


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        (HOOK.replace("https:", "file:"), "url", "http:// or https://"),
        (HOOK.replace("hooks.", "me:pw@hooks."), "url", "without a user"),
        (HOOK.replace(SECRET, "short"), "secret", "16"),
        (HOOK + "timeuot = 3", "timeuot", "did you mean 'timeout'"),
        (HOOK.replace('"webhook"', '"wobhook"'), "oncall", "'webhook', 'slack', 'email'"),
        (
            '[channel.m]\nkind = "email"\nhost = "h"\nsender = "a\\nb@c.d"\nto = ["a@b.c"]',
            "sender",
            "pattern",
        ),
        ('[channel.m]\nkind = "email"\nhost = "h"\nsender = "a@c.d"\nto = []', "to", "at least 1"),
        (
            '[channel.m]\nkind = "email"\nhost = "h"\nsender = "a@c.d"\nto = ["a@b.c"]\ntls = "none"\n'
            'user = "u"\npassword = "p"',
            "channel.m",
            "without TLS",
        ),
        ('console_url = "javascript:alert(1)"', "console_url", "http://"),
    ],
)
def test_a_channel_that_can_not_be_is_an_error_that_names_it(
    tmp_path: Path, text: str, field: str, message: str
):
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        load(tmp_path, text)
    assert field in (error.value.field or "")
