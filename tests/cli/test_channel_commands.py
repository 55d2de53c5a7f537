"""guardtier channel: lists what the settings have, and tries one out; no tier is needed for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Done, Terminal
from llmserver import Reply, Server, serving

SECRET = "0123456789abcdef"


@pytest.fixture
def cli(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def settings(tmp_path: Path, url: str, **more: Any) -> str:
    file = tmp_path / "guardtier.toml"
    lines = ['kind = "webhook"', f'url = "{url}"', f'secret = "{SECRET}"']
    lines += [f"{name} = {value}" for name, value in more.items()]
    file.write_text("[channel.oncall]\n" + "\n".join(lines))
    return str(file)


async def tried(cli: Terminal, server: Server, file: str, *args: str) -> Done:
    return await asyncio.to_thread(cli.run, "channel", "test", "oncall", "--config", file, *args)


async def test_a_channel_is_tried_out(cli: Terminal, tmp_path: Path) -> None:
    async with serving() as server:
        server.says(Reply())

        done = await tried(cli, server, settings(tmp_path, server.url, allow_private="true"))

        assert (done.code, done.out) == (0, "channel oncall took the notice\n"), done.err
        assert server.requests[0].json["event"] == "test"


async def test_what_went_wrong_is_said_without_the_address_of_the_hook(
    cli: Terminal, tmp_path: Path
) -> None:
    async with serving() as server:
        server.says(Reply(404))

        url = f"{server.url}/key-4711"

        refused = await tried(cli, server, settings(tmp_path, url))
        answered = await tried(cli, server, settings(tmp_path, url, allow_private="true"))

    assert refused.code == answered.code == 1
    assert "allow_private = true" in refused.err
    assert "answered 404" in answered.err
    assert "key-4711" not in refused.err + answered.err


def test_channels_are_listed_by_name_and_kind(cli: Terminal, tmp_path: Path) -> None:
    file = settings(tmp_path, "https://hooks.example/key-4711")

    assert cli.run("channel", "list", "--config", file).out == "oncall: webhook\n"
    listed = cli.run("channel", "list", "--config", file, "--json")
    assert listed.json == {"channels": [{"name": "oncall", "kind": "webhook"}]}
    wrong = cli.run("channel", "test", "oncal", "--config", file)
    assert (wrong.code, "the settings have: oncall" in wrong.err) == (2, True)
