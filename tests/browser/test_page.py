"""The whole page: no text runs as code, nothing leaves the machine, and it is accessible, on a phone too."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.browser.conftest import PHONE, Server, Visit

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<math><mtext></mtext><script>alert(1)</script></math>",
    "<a href=javascript:alert(1)>click</a>",
    "[click](javascript:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    "![x](https://example.com/leak.png)",
    '![x](x" onerror="alert(1))',
    "<img src=https://example.com/leak.png>",
    "<link rel=stylesheet href=https://example.com/a.css>",
    "<style>@import 'https://example.com/a.css';</style>",
    "<style>body{background:url(https://example.com/b.png)}</style>",
    "<meta http-equiv=refresh content='0;url=https://example.com'>",
    "<base href=https://example.com/>",
    "<object data=https://example.com/x></object>",
    "<embed src=https://example.com/x>",
    "<form action=https://example.com><button>go</button></form>",
    "`<script>alert(1)</script>`",
    "```\n<script>alert(1)</script>\n```",
    "```html\n<img src=x onerror=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<SCRIPT SRC=https://example.com/x.js></SCRIPT>",
    "<img/src/onerror=alert(1)>",
    "<x onclick=alert(1)>x</x>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<template><script>alert(1)</script></template>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '<textarea><img title="</textarea><img src=x onerror=alert(1)>">',
    "$$\\href{javascript:alert(1)}{x}$$",
    "<think><script>alert(1)</script></think>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    '<a href="&#106;avascript:alert(1)">x</a>',
    "<https://example.com/auto>",
    "\u202e<script>alert(1)</script>",
    "<img src=x\u0000onerror=alert(1)>",
    "<button formaction=javascript:alert(1)>x</button>",
    "{{constructor.constructor('alert(1)')()}}",
    '<div style="background:url(https://example.com/c.png)">x</div>',
]
"""Fifty ways in which a text may try to be more than text."""

WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}


def test_fifty_payloads_are_seen_and_do_nothing(visit: Visit) -> None:
    assert len(PAYLOADS) == 50
    address = visit.page.url.split("?")[0]
    visit.page.evaluate("() => { window.alert = () => { window.ran = true } }")
    for at in range(0, 50, 10):
        visit.say("\n\n".join(PAYLOADS[at : at + 10]))
    # alone too: the first words of a conversation are its title
    for payload in PAYLOADS[:3]:
        visit.page.click("#new-chat")
        visit.page.wait_for_function("() => document.querySelectorAll('#chatbot .message').length == 0")
        visit.say(payload)
    visit.page.locator("#chats .pick").nth(3).click()
    # the conversation with all of them is open, as typed, for the user and for the chat model that echoes it
    text = "document.querySelector('#chatbot').innerText.replaceAll('\u2060', '')"
    shown = f"() => {text}.split('<img src=x onerror=alert(1)>').length > 4"
    visit.page.wait_for_function(shown)
    assert visit.page.evaluate("window.ran === undefined")
    assert visit.page.url.split("?")[0] == address
    tags = (
        "script, iframe, object, embed, form, style, link, base, meta, svg[onload], img, input, video, audio"
    )
    tags += ", template, marquee"
    assert visit.page.locator("#chatbot .message-content").locator(tags).count() == 0
    assert visit.page.locator("#chatbot .message-content a[href^=javascript]").count() == 0
    # titles, the list and the panel
    assert (
        visit.page.locator(
            "#chats img, #chats script, #mood img, #mood script, #context img, #context script"
        ).count()
        == 0
    )


@pytest.mark.parametrize(("width", "height"), [(1280, 860), (390, 844)])
def test_axe_finds_nothing(browser: Any, server: Server, width: int, height: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark")
    visit = Visit(context.new_page(), server).open()
    page = visit.page
    visit.say("what a lovely day, and an awful night")
    found = []
    for tab in ("Chat", "Score", "Reports"):
        page.get_by_role("tab", name=tab).click()
        if tab == "Score":
            page.fill("#score-text textarea", "a lovely film")
            page.click("#score-button")
            page.wait_for_selector("#text-answer .answer")
            page.wait_for_selector("#text-answer .pending", state="detached")  # an old answer is dimmed
        for scheme in ("dark", "light"):
            page.evaluate("dark => document.body.classList.toggle('dark', dark)", scheme == "dark")
            page.wait_for_timeout(400)  # colors change slowly
            for violation in Axe().run(page, options=WCAG).response["violations"]:
                nodes = [node["html"][:160] for node in violation["nodes"][:3]]
                found.append((tab, scheme, violation["id"], violation["impact"], nodes))
    context.close()
    assert found == []


def test_a_phone_need_not_be_pushed_sideways(browser: Any, server: Server) -> None:
    context = browser.new_context(**PHONE)
    phone = Visit(context.new_page(), server).open()
    phone.say("averyveryveryverylongword" * 12)
    for tab in ("Chat", "Score", "Reports"):
        phone.page.get_by_role("tab", name=tab).click()
        phone.page.wait_for_timeout(300)
        widths = phone.page.evaluate(
            "[document.documentElement.scrollWidth, window.innerWidth, document.body.scrollWidth]"
        )
        assert max(widths) <= 390, tab
    context.close()


def test_the_server_says_what_a_page_may_load(server: Server) -> None:
    answer = httpx2.get(server.address)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"


def test_a_name_that_is_not_the_servers_is_refused(server: Server) -> None:
    assert httpx2.get(server.address, headers={"Host": "evil.example:80"}).status_code == 403


def test_a_large_body_is_refused(server: Server) -> None:
    assert (
        httpx2.post(f"{server.address}/gradio_api/call/chat", json={"data": ["x" * 3_000_000]}).status_code
        == 413
    )


@pytest.mark.parametrize(
    "path",
    [
        "file=/etc/passwd",
        "file=../../../../etc/passwd",
        "file=%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "file=file:///etc/passwd",
        "file=https://example.com/",
        "proxy=https://example.com/",
        "file=/proc/self/environ",
        "file=pyproject.toml",
    ],
)
def test_no_file_and_no_other_server_is_reached(server: Server, path: str) -> None:
    assert httpx2.get(f"{server.address}/gradio_api/{path}", timeout=20).status_code in (400, 403, 404)
