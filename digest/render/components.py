"""The MJML language as mrml 6 compiles it: which component may stand where, with which attributes.

After the MJML 4 component reference. What mrml cannot do (mj-include, mj-html-attributes) is left out, so
that the checks refuse it instead of losing it. `HTML` content is ordinary markup inside a component.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Component:
    """`children` are the components allowed inside; `content` is what else may stand there."""

    attributes: frozenset[str]
    children: frozenset[str] = frozenset()
    content: str = ""
    """"" for nothing, "text" for plain words, "html" for markup, "css" for a style sheet."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EVERYWHERE = "css-class mj-class"
_PADDING = "padding padding-top padding-right padding-bottom padding-left"
_BORDER = "border border-top border-right border-bottom border-left border-radius"
_FONT = (
    "color font-family font-size font-style font-weight letter-spacing line-height text-decoration "
    "text-transform"
)
_BACKGROUND = (
    "background-color background-url background-repeat background-size background-position "
    "background-position-x background-position-y"
)
_LINK = "href rel target title name"


def _component(attributes: str, children: str = "", content: str = "") -> Component:
    return Component(_words(f"{_EVERYWHERE} {attributes}"), _words(children), content)


_IN_COLUMN = (
    "mj-accordion mj-button mj-carousel mj-divider mj-image mj-navbar mj-raw mj-social mj-spacer mj-table "
    "mj-text"
)
_SECTION = f"{_PADDING} {_BORDER} {_BACKGROUND} direction full-width text-align text-padding"
_COLUMN = (
    f"{_PADDING} {_BORDER} background-color direction vertical-align width inner-background-color "
    "inner-border "
    "inner-border-top inner-border-right inner-border-bottom inner-border-left inner-border-radius"
)

COMPONENTS: dict[str, Component] = {
    "mjml": _component("lang dir owa", "mj-head mj-body"),
    "mj-head": _component(
        "", "mj-attributes mj-breakpoint mj-font mj-preview mj-raw mj-style mj-title", content=""
    ),
    "mj-attributes": _component("", "*"),
    "mj-class": _component("name *"),
    "mj-all": _component("*"),
    "mj-breakpoint": _component("width"),
    "mj-font": _component("name href"),
    "mj-preview": _component("", content="text"),
    "mj-title": _component("", content="text"),
    "mj-style": _component("inline", content="css"),
    "mj-raw": _component("", content="html"),
    "mj-body": _component("background-color width lang dir", "mj-wrapper mj-section mj-hero mj-raw"),
    "mj-wrapper": _component(f"{_SECTION} gap", "mj-section mj-hero mj-raw"),
    "mj-section": _component(_SECTION, "mj-column mj-group mj-raw"),
    "mj-group": _component("background-color direction vertical-align width", "mj-column mj-raw"),
    "mj-column": _component(_COLUMN, _IN_COLUMN),
    "mj-hero": _component(
        f"{_PADDING} {_BACKGROUND} background-width background-height border-radius mode height width "
        "vertical-align inner-background-color inner-padding inner-padding-top inner-padding-right "
        "inner-padding-bottom inner-padding-left container-background-color",
        _IN_COLUMN,
    ),
    "mj-text": _component(
        f"{_PADDING} {_FONT} align height container-background-color vertical-align", content="html"
    ),
    "mj-button": _component(
        f"{_PADDING} {_BORDER} {_FONT} {_LINK} align background-color container-background-color height "
        "inner-padding text-align vertical-align width",
        content="html",
    ),
    "mj-image": _component(
        f"{_PADDING} {_BORDER} {_LINK} align alt container-background-color fluid-on-mobile height "
        "max-height sizes src srcset usemap width"
    ),
    "mj-divider": _component(
        f"{_PADDING} align border-color border-style border-width container-background-color width"
    ),
    "mj-spacer": _component(f"{_PADDING} container-background-color height vertical-align width"),
    "mj-table": _component(
        f"{_PADDING} {_FONT} align border cellpadding cellspacing container-background-color role "
        "table-layout vertical-align width",
        content="html",
    ),
    "mj-social": _component(
        f"{_PADDING} {_FONT} align border-radius container-background-color icon-height icon-size "
        "icon-padding inner-padding mode table-layout text-padding vertical-align",
        "mj-social-element mj-raw",
    ),
    "mj-social-element": _component(
        f"{_PADDING} {_FONT} {_LINK} align alt background-color border-radius icon-height icon-padding "
        "icon-position icon-size sizes src srcset text-padding vertical-align",
        content="html",
    ),
    "mj-navbar": _component(
        f"{_PADDING} align base-url hamburger ico-align ico-close ico-color ico-font-family ico-font-size "
        "ico-line-height ico-open ico-padding ico-padding-top ico-padding-right ico-padding-bottom "
        "ico-padding-left ico-text-decoration ico-text-transform",
        "mj-navbar-link mj-raw",
    ),
    "mj-navbar-link": _component(f"{_PADDING} {_FONT} {_LINK}", content="html"),
    "mj-accordion": _component(
        f"{_PADDING} border container-background-color font-family icon-align icon-height icon-position "
        "icon-unwrapped-alt icon-unwrapped-url icon-width icon-wrapped-alt icon-wrapped-url",
        "mj-accordion-element mj-raw",
    ),
    "mj-accordion-element": _component(
        "background-color border font-family icon-align icon-height icon-position icon-unwrapped-alt "
        "icon-unwrapped-url icon-width icon-wrapped-alt icon-wrapped-url",
        "mj-accordion-title mj-accordion-text mj-raw",
    ),
    "mj-accordion-title": _component(f"{_PADDING} {_FONT} background-color", content="html"),
    "mj-accordion-text": _component(f"{_PADDING} {_FONT} background-color", content="html"),
    "mj-carousel": _component(
        f"{_PADDING} align background-color border-radius container-background-color icon-width "
        "left-icon right-icon tb-border tb-border-radius tb-hover-border-color tb-selected-border-color "
        "tb-width thumbnails",
        "mj-carousel-image mj-raw",
    ),
    "mj-carousel-image": _component(
        f"{_LINK} alt border-radius src tb-border tb-border-radius thumbnails-src"
    ),
}

VOID = _words("area base br col embed hr img input link meta source track wbr")
"""HTML elements without content and closing tag (HTML Living Standard 13.1.2)."""

HTML = VOID | _words(
    "a abbr address article aside b bdi bdo big blockquote body caption center cite code colgroup dd del "
    "details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 head header hgroup html i "
    "ins kbd label li main mark menu meter nav noscript ol p picture pre progress q rp rt ruby s samp "
    "section small span strike strong style sub summary sup table tbody td template tfoot th thead time "
    "title tr tt u ul var video audio xml "
)

REFUSED = {
    "script": "mail programs remove scripts, and some refuse the message",
    "iframe": "mail programs remove frames",
    "object": "mail programs remove objects",
    "applet": "mail programs remove objects",
    "embed": "mail programs remove objects",
    "form": "mail programs warn of forms; link to a page instead",
    "input": "mail programs warn of forms; link to a page instead",
    "button": "mail programs warn of forms; use a link",
    "select": "mail programs warn of forms; link to a page instead",
    "textarea": "mail programs warn of forms; link to a page instead",
    "base": "it would change where every link leads",
    "mj-include": "use {% include 'email/...' %}, which reports lines and is frozen with the edition",
    "mj-html-attributes": "the MJML compiler ignores it; write the attribute on the element",
}
