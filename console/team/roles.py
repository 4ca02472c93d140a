"""The three roles of a workspace, and who has which."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.db.memberships import Membership


class Role(StrEnum):
    """What a person may do in a workspace: a viewer looks, an operator also repairs, an owner also sets up."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    OWNER = "owner"

    def covers(self, least: "Role") -> bool:
        """Whether this role may do what `least` may."""
        order = list(Role)
        return order.index(self) >= order.index(least)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who is asking, and what they may do."""

    id: int
    email: str
    name: str
    owner_everywhere: bool
    has_second_factor: bool
    language: str | None
    zone: str
    session_id: int
    memberships: Sequence[Membership]

    @property
    def actor(self) -> str:
        """Who the audit log names."""
        return f"user:{self.id}"

    @property
    def shown_name(self) -> str:
        """What others know the person by."""
        return self.name or self.email

    def membership(self, workspace_id: int) -> Membership | None:
        """What they are in this workspace; None when they have no business there."""
        return next((one for one in self.memberships if one.workspace_id == workspace_id), None)

    def owns(self, workspace: str) -> bool:
        """Whether they are an owner of this workspace."""
        return any(one.workspace == workspace and one.role == Role.OWNER for one in self.memberships)
