from pathlib import Path

from console.cli.reference import reference


def test_the_page_of_the_command_line_is_what_the_commands_say() -> None:
    page = Path(__file__).parents[4] / "docs" / "cli.md"
    assert page.read_text(encoding="utf-8") == reference(), "run: python -m console.cli.reference > docs/cli.md"
