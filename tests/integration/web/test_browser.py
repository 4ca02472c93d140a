"""What people do with pages beyond clicking links: keyboard, questions, languages, colours, and no scripts at all."""

from tests.integration.web.site import PASSWORD
from tests.integration.web.test_pages import log_in


def test_a_question_is_asked_before_somebody_is_shut_out(site, visitor):
    site.add_user("ana@example.com")
    operator = site.member("operator")
    log_in(visitor, "ana@example.com")
    visitor.open(site.path("team/"))
    page = visitor.page
    for answer, shut_out in (("Cancel", False), ("Yes, do it", True)):
        page.get_by_label("What to do with operator@default.example").click()
        page.get_by_role("button", name="Shut out").click()
        dialog = page.get_by_role("dialog")
        assert "Shut operator@default.example out?" in dialog.inner_text()
        dialog.get_by_role("button", name=answer).click()
        if shut_out:
            page.get_by_text("They can't log in any more.").wait_for()
        else:
            page.keyboard.press("Escape")
        rows = site.rows("select disabled_at is not null as out from users where id = %s", operator)
        assert rows == [{"out": shut_out}]
    assert visitor.complaints == []


def test_pages_are_used_by_keyboard_alone(site, visitor):
    site.add_user("ana@example.com")
    visitor.open("/login")
    page = visitor.page
    page.keyboard.type("ana@example.com")  # the first field has the focus
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/overview/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator(".user > summary").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Log out").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("button", name="Log out").is_visible()
    assert visitor.complaints == []


def test_language_and_colours_are_chosen_and_kept(site, visitor):
    user = site.add_user("ana@example.com")
    visitor.open("/login")
    page = visitor.page
    page.get_by_label("Language").select_option("pt_BR")
    page.get_by_role("heading", name="Entrar").wait_for()
    assert page.locator("html").get_attribute("lang") == "pt-BR"
    page.get_by_label("Cores").select_option("dark")
    page.get_by_label("Endereço de e-mail").fill("ana@example.com")
    page.get_by_label("Senha").fill(PASSWORD)
    page.get_by_role("button", name="Entrar").click()
    page.get_by_role("heading", name="Visão geral").wait_for()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.locator(".user > summary").click()
    page.get_by_label("Idioma").select_option("es")
    page.get_by_role("heading", name="Resumen").wait_for()
    assert site.rows("select language from users where id = %s", user) == [{"language": "es"}]
    assert visitor.complaints == []


def test_everything_works_without_scripts(site, chromium, served):
    site.add_user("ana@example.com")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served}/login")
    page.get_by_label("E-mail address").fill("ana@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Team").click()
    page.locator("#email").fill("new@example.com")
    page.get_by_role("button", name="Make an invitation").click()
    assert page.get_by_label("One-time link").input_value().startswith(f"{served}/link/")
    page.locator(".user > summary").click()
    page.get_by_label("Language").select_option("es")
    page.get_by_role("button", name="Switch").click()
    assert page.locator("html").get_attribute("lang") == "es"
    context.close()
