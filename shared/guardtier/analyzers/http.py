"""HttpSecurityAnalyzer: where a tool for the web goes, and what it takes along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from guardtier.action import ActionEvent
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.fields import Field
from guardtier.analyzers.files import judged
from guardtier.analyzers.parts import MAX_PARTS, too_many
from guardtier.analyzers.tools import tools
from guardtier.analyzers.urls import Url, hosts, url_of
from guardtier.analyzers.view import WEB, Call, View, view_of
from guardtier.assessment import Assessment, Finding
from guardtier.risk import SecurityRisk

_OTHERS = frozenset({"mcp", "unknown", "http", "browser", "web-search", "search", "note", "file-read"})
_WRITING = frozenset({"post", "put", "patch", "delete"})
_SAVED = frozenset(
    {"output_path", "save_path", "destination", "dest", "dst", "output", "path", "file_path", "target"}
)
_SENT = frozenset(
    {"files", "file", "paths", "upload", "attachment", "attachments", "file_path", "filepath"}
)


class HttpSecurityAnalyzer(SecurityAnalyzer):
    """Votes on tools that fetch, browse or call an API; MEDIUM where nothing speaks against it."""

    name: ClassVar[str] = "http"
    cheap: ClassVar[bool] = True

    def concerns(self, call: Call) -> bool:
        return call.tool.kind in _OTHERS

    def assess(self, action: ActionEvent) -> Assessment:
        view = view_of(action)
        if view.kind not in _OTHERS:
            return view.vote()
        findings = tuple(_findings(view))
        own = view.kind in WEB
        return view.vote(findings, tools().risk_of(view.kind) if own else SecurityRisk.UNKNOWN)


def _findings(view: View) -> Iterator[Finding]:
    urls = view.addresses
    sends = sends_data(view) if urls or view.kind in WEB else False
    if len(urls) > MAX_PARTS:
        yield too_many("http", "addresses")
    for field, url in urls[:MAX_PARTS]:
        yield from _of_url(field, url, sends)
        if "\\" in field.text[:512] and (other := url_of(field.text.replace("\\", "%5c"))):
            yield from _of_url(field, other, sends)  # clients differ in what a backslash ends
    if view.kind in ("http", "browser"):
        yield from _of_files(view, sends)


def sends_data(view: View) -> bool:
    """Whether the request carries something that the server gets to know."""
    roles = tools().roles
    for field in view.texts:
        if field.key in roles["method"] and field.text.lower() in _WRITING:
            return True
    return any(field.key in roles["body"] and field.text for field in view.texts)


def _of_url(field: Field, url: Url, sends: bool) -> Iterator[Finding]:
    found = hosts().host_rule(url)
    if found is not None and not (found.with_data and not (sends or url.query)):
        yield _finding(found.id, found.risk, found.message, field)
        near = found.id in ("http.local", "http.private")
        if near and (port := hosts().port_rule(url, sends)):
            yield _finding(port.id, port.risk, port.message, field)
    if scheme := hosts().scheme_rule(url.scheme):
        yield _finding(scheme.id, scheme.risk, scheme.message, field)
    if url.scheme == "file":
        yield from _of_local_file(field, url)
    if url.userinfo:
        message = "Puts a user name or password into the URL, where logs keep it (ATT&CK T1552)."
        yield _finding("http.userinfo", SecurityRisk.MEDIUM, message, field)


def _of_local_file(field: Field, url: Url) -> Iterator[Finding]:
    """``file:`` reads this machine's files: the path decides."""
    judgement = judged("read", url.path)
    risk = SecurityRisk.HIGH if judgement.risk is SecurityRisk.HIGH else SecurityRisk.MEDIUM
    yield _finding("http.file", risk, f"Opens a local file by a URL: {judgement.message}"[:480], field)


def _of_files(view: View, sends: bool) -> Iterator[Finding]:
    """Files that the tool sends off, and those that it saves to."""
    for field in view.texts:
        if field.key in _SENT and (sends or view.kind == "browser" or field.key != "file_path"):
            if judged("read", field.text).risk is SecurityRisk.HIGH:
                message = "Uploads a file that holds credentials (ATT&CK T1567)."
                yield _finding("http.upload.credentials", SecurityRisk.HIGH, message, field)
        elif field.key in _SAVED and judged("write", field.text).risk is SecurityRisk.HIGH:
            message = "Saves a download where it changes the system or runs by itself (ATT&CK T1105)."
            yield _finding("http.download", SecurityRisk.HIGH, message, field)
    if sends:
        message = "Sends data to a server."
        yield Finding(id="http.upload", risk=SecurityRisk.MEDIUM, message=message)


def _finding(rule: str, risk: SecurityRisk, message: str, field: Field) -> Finding:
    return Finding(
        id=rule, risk=risk, message=message, field=field.path, span=field.place(0, len(field.text))
    )
