"""Each role covers those below it."""

from itertools import product

from console.team.roles import Role


def test_an_owner_covers_an_operator_who_covers_a_viewer():
    covers = {(one, other) for one, other in product(Role, Role) if one.covers(other)}
    viewer, operator, owner = Role
    assert covers == {
        (viewer, viewer), (operator, viewer), (operator, operator), (owner, viewer), (owner, operator), (owner, owner),
    }  # fmt: skip
