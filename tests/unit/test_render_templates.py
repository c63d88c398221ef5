"""Templates: which file wins, what they may do, and where a mistake is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import TemplateError
from digest.render import Renderer, templates
from digest.render.templates import Place, Templates, folders
from tests.sample_edition import NONCE, edition, presentation


def write(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / "email" / f"{name.replace('__', '/').replace('_', '-')}.mjml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def in_text(content: str) -> str:
    return f"<mj-section><mj-column><mj-text>{content}</mj-text></mj-column></mj-section>"


def failure(folder: Path) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        Renderer(folders(folder), presentation()).render(edition(), nonce=NONCE)
    return caught.value


# --- folders ----------------------------------------------------------------------------------------


def test_a_checkout_uses_the_repositorys_templates() -> None:
    (own,) = folders()
    assert (own / "email" / "front-page.mjml").is_file()


def test_an_installed_package_uses_the_templates_inside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "digest" / "_templates"
    inside.mkdir(parents=True)
    monkeypatch.setattr(templates, "_HERE", tmp_path / "digest" / "render" / "templates.py")
    assert folders() == (inside,)
    assert folders(tmp_path) == (tmp_path, inside)


def test_a_users_file_takes_the_place_of_ours_and_the_others_stay(tmp_path: Path) -> None:
    write(tmp_path, partials__footer=in_text("OURS {{ slot('leave_url') }}"))
    rendered = Renderer(folders(tmp_path), presentation()).render(edition(), nonce=NONCE)
    assert "OURS" in rendered.variant.html
    assert "The last night ferry" in rendered.variant.html
    assert "OURS" in rendered.sources["email/partials/footer.mjml"]


def test_a_missing_folder_of_templates_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="no such folder"):
        folders(tmp_path / "nowhere")


# --- where a mistake is -----------------------------------------------------------------------------

_CARD = """{# one #}
<mj-section>
  <mj-column>
    <mj-text>
      {% if story.picture %}
      <p>with a picture</p>
      {% endif %}
      <p>{{ story.title }}</p><blink>{{ story.section }}</blink>
    </mj-text>
  </mj-column>
</mj-section>
"""


def test_a_wrong_tag_in_an_included_template_is_reported_with_its_file_and_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        front_page="<mjml>\n<mj-body>\n{% for story in edition.cards %}\n{% include 'email/card.mjml' %}\n"
        "{% endfor %}\n</mj-body>\n</mjml>\n",
        card=_CARD,
    )
    error = failure(tmp_path)
    assert error.template == str(tmp_path / "email" / "card.mjml")
    assert (error.line, error.column) == (8, None)
    assert "unknown tag <blink>" in error.problem


def test_a_mistake_at_the_beginning_of_a_line_has_its_column(tmp_path: Path) -> None:
    write(tmp_path, front_page="<mjml>\n  <mj-body>\n\n    <mj-sectoin></mj-sectoin>\n  </mj-body>\n</mjml>")
    error = failure(tmp_path)
    assert (error.line, error.column) == (4, 5)
    assert "did you mean mj-section?" in error.problem


def test_a_mistake_in_a_macro_of_an_imported_template_is_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        front_page="{% import 'email/parts.mjml' as parts %}\n<mjml><mj-body>\n"
        "{{ parts.one(edition.lead) }}\n</mj-body></mjml>",
        parts="{% macro zero() %}{% endmacro %}\n\n{% macro one(story) %}\n<mj-section>\n<mj-column>\n"
        "<mj-text colour='red'>{{ story.title }}</mj-text>\n</mj-column></mj-section>\n{% endmacro %}\n",
    )
    error = failure(tmp_path)
    assert error.template.endswith("parts.mjml")
    assert error.line == 6


def test_a_value_that_spans_lines_belongs_to_the_line_of_its_expression(tmp_path: Path) -> None:
    write(tmp_path, front_page="<mjml><mj-body>\n\n{{ '<p>\n' |\n safe }}\n</mj-body></mjml>")
    error = failure(tmp_path)
    assert error.line == 3


def test_a_syntax_error_has_file_and_line(tmp_path: Path) -> None:
    write(tmp_path, partials__footer="<mj-section>\n\n{% if %}\n</mj-section>")
    error = failure(tmp_path)
    assert error.template.endswith("footer.mjml")
    assert error.line == 3


def test_an_unknown_name_has_file_and_line(tmp_path: Path) -> None:
    write(tmp_path, partials__footer="<mj-section>\n{{ newsletter.naem }}\n</mj-section>")
    error = failure(tmp_path)
    assert error.template.endswith("footer.mjml")
    assert error.line == 2
    assert "naem" in error.problem


def test_a_missing_include_is_named_with_the_line_that_asks_for_it(tmp_path: Path) -> None:
    write(tmp_path, partials__footer="\n{% include 'email/nowhere.mjml' %}")
    error = failure(tmp_path)
    assert error.template.endswith("footer.mjml")
    assert error.line == 2
    assert "email/nowhere.mjml" in error.problem


def test_a_template_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    write(tmp_path, front_page="")
    (tmp_path / "email" / "front-page.mjml").write_bytes(b"<mjml>\xff</mjml>")
    assert "not UTF-8" in failure(tmp_path).problem


def test_a_missing_look_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"email/nothing\.mjml: no such template"):
        Renderer(folders(), presentation(), look="nothing").render(edition(), nonce=NONCE)


def test_a_template_without_a_way_to_unsubscribe_is_refused(tmp_path: Path) -> None:
    write(tmp_path, partials__footer="")
    assert "no unsubscribe link" in failure(tmp_path).problem


def test_an_unknown_slot_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    write(tmp_path, partials__footer="<mj-section>\n{{ slot('adress') }}</mj-section>")
    error = failure(tmp_path)
    assert error.line == 2
    assert "address, name, leave_url" in error.problem


def test_a_slot_that_a_filter_changed_is_refused(tmp_path: Path) -> None:
    write(tmp_path, partials__footer=in_text("{{ slot('address') | replace('html', 'htm') }}"))
    assert "changed after it was made" in failure(tmp_path).problem


@pytest.mark.parametrize(
    "attack",
    [
        "{{ edition.__class__.__mro__ }}",
        "{{ slot.__globals__ }}",
        "{{ ''.__class__ }}",
        "{{ edition.stories.__getitem__(0) }}",
        "{{ range(100000000) | list }}",
        "{% set _ = edition.intro.append('x') %}",
    ],
)
def test_a_template_cannot_leave_its_sandbox(tmp_path: Path, attack: str) -> None:
    write(tmp_path, front_page=attack)
    assert failure(tmp_path).line == 1


_LINES = st.lists(
    st.sampled_from(
        (
            "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>",
            "",
            "  ",
            "{# a comment #}",
            "{# a comment\nof two lines #}",
            "{% if true %}",
            "{%- if true -%}",
            "{% set x = 1 %}",
            "{{ '' }}",
        )
    ),
    max_size=8,
)


@given(before=_LINES, after=_LINES)
def test_the_line_is_right_whatever_stands_around(
    before: list[str], after: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("look")
    top = "\n".join(before)
    ends = "{% endif %}" * sum("if true" in part for part in (*before, *after))
    source = f"<mjml><mj-body>\n{top}\n<mj-oops>\n" + "\n".join(after) + ends
    write(folder, page=source)
    run = Templates((folder,))
    output = run.run("email/page.mjml", {})
    place = run.locate("email/page.mjml", {}, output, output.index("<mj-oops>"))
    assert place.line == source[: source.index("<mj-oops>")].count("\n") + 1
    assert place.column in (None, 1)


def test_output_that_depends_on_the_marks_still_names_the_template(tmp_path: Path) -> None:
    write(tmp_path, page="{% set x %}abc{% endset %}\n{{ x | length }}")
    run = Templates((tmp_path,))
    output = run.run("email/page.mjml", {})
    assert run.locate("email/page.mjml", {}, output, 0) == Place(str(tmp_path / "email" / "page.mjml"), 1)
