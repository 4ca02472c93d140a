"""What is asked of a password, and that it is kept as argon2id at the costs we mean."""

import pytest

from console.errors import InvalidError
from console.team import passwords


@pytest.mark.parametrize(
    "password",
    [
        "", "short", "elevenchars", "x" * 257, "passwordpassword", "Password123456", "aaaaaaaaaaaaaa",
        "ana@example.com12", "abababababab",
    ],
)  # fmt: skip
def test_a_password_that_is_guessed_soon_is_refused(password):
    with pytest.raises(InvalidError, match="hoose"):
        passwords.check_password(password, email="ana@example.com")


@pytest.mark.parametrize(
    "password", ["four unrelated words", "tr0ub4dor&3xy", "пароль из четырёх слов", "x" * 6 + "abcdef" + "uvwyz1"]
)
def test_length_counts_and_no_classes_of_characters(password):
    passwords.check_password(password, email="ana@example.com")


def test_only_the_password_itself_fits():
    hash_ = passwords.hash_password("four unrelated words")
    assert hash_.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.is_password(hash_, "four unrelated words")
    for wrong in ("four unrelated word", "", "x" * 100_000, "\ud800"):
        assert not passwords.is_password(hash_, wrong)
    assert not passwords.is_password(None, "nobody has this one")
    assert not passwords.is_password("no hash at all", "four unrelated words")
    assert not passwords.is_outdated(hash_)
    assert passwords.is_outdated(hash_.replace("t=2", "t=1"))


def test_nobodys_hash_takes_as_long_as_anybodys():
    assert not passwords.is_outdated(passwords._NOBODY)
