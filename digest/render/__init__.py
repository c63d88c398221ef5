"""From an edition to its HTML and text.

A tour: `presentation` is what the configuration says about appearance; `view` decides what is shown of an
edition (with `figures` in words, and `excerpt` from the stories' bodies); `templates` finds and runs the
Jinja templates and knows which of their lines a place in the output came from; `components` and `checks`
judge the MJML that they give; `repair` guards against the compiler's traps; `wrapping` sets the plain text;
`renderer` is the whole way from an `Edition` to a `Variant`; `page` shows the result to an editor.
"""

from digest.render.presentation import Presentation
from digest.render.renderer import CLIPPED, Rendered, Renderer, Sizes

__all__ = ["CLIPPED", "Presentation", "Rendered", "Renderer", "Sizes"]
