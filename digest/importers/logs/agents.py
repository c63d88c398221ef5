"""Whether a user agent is a person's browser.

The rules are about what browsers have in common, so that they hold for machines that nobody has listed yet:

1. A browser's agent begins with Mozilla/ or Opera/ (RFC 9110 10.1.5 wants products; browsers have kept this
   one since 1994). Libraries, feed readers, messengers and monitors mostly name themselves instead.
2. It names its engine: Gecko, AppleWebKit, KHTML, Trident, MSIE, Presto, Goanna.
3. It has no address in it. Who runs a machine politely writes where to complain: a link or a mail address.
4. "compatible;" is only followed by MSIE, Konqueror or a browser that poses as one of them.
5. None of the words that machines call themselves by.
"""

from __future__ import annotations

import re

_ENGINE = re.compile(r"Gecko/|AppleWebKit|KHTML|Trident/|MSIE |Presto/|Goanna/|^Opera/", re.ASCII)
_ADDRESS = re.compile(
    r"https?[:;/]|www\.|\S@\S|\[at\]| at \S+ dot |\w\.(?:com|net|org|io)\b",
    re.IGNORECASE | re.ASCII,
)
_COMPATIBLE = re.compile(r"\bcompatible[;)](?!\s*(?:MSIE|Konqueror|Windows NT))", re.ASCII)
_WORDS = re.compile(
    # Cubot makes telephones. Words that are part of others are bounded.
    r"(?<!cu)bot(?!tle)|crawl|spider|spyder|slurp|scrap|fetch|archiv|index(?:er|ing)|search(?!bar|toolbar)"
    r"|monitor|synthetic|watch(?:er|t)|uptime|pingdom|\bping|statuscake|check|valid|verif|audit|scan|probe|\btest|analy[sz]|insight"
    r"|speed|lighthouse|gtmetrix|\bptst|headless|phantom|puppeteer|playwright|selenium|webdriver|electron"
    r"|jsdom|rendertron|prerender|preview|snapshot|screenshot|thumb|proxy|favicon|inspect"
    r"|feed|\brss|rss\b|\batom\b|aggregat|podcast|reader\b|newsblur|inoreader|liferea|akregator|netnewswire"
    r"|vienna|thunderbird|read-aloud"
    r"|facebookexternal|meta-external|externalhit|whatsapp|skype|slack|embedly|iframely|vkshare|bitlybot"
    r"|gptbot|chatgpt|openai|claude|anthropic|perplexity|cohere|\bai2|python|\bcurl|wget|java/|okhttp|libwww"
    r"|httpclient|\bhttp\b|axios|node\.js|go-http|\bruby|\bperl\b|\bphp|guzzle"
    r"|wordpress|google-|google web|mediapartners|nutch|heritrix|webcopy|httrack|offline|download|leech"
    r"|agent\b",
    re.IGNORECASE | re.ASCII,
)


def is_machine(agent: str) -> bool:
    """Whether an agent belongs to no person. One that was sent empty belongs to none either."""
    return bool(
        not agent.startswith(("Mozilla/", "Opera/"))
        or not _ENGINE.search(agent)
        or _ADDRESS.search(agent)
        or _COMPATIBLE.search(agent)
        or _WORDS.search(agent)
    )
