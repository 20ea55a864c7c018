"""Ready-made mappings for the user exports of other products; their columns are in ``docs/reference/presets.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ethora_async.errors import InvalidInputError
from ethora_async.sync.sources.mapping import ColumnMapping

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class Preset:
    """The export format of one product.

    Attributes:
        title: The product.
        mapping: Maps its columns to fields.
        where: Conditions that select active people; those on columns that an export lacks are ignored.
        lists: Names of the list that holds the users, if the export is one JSON object.
    """

    title: str
    mapping: ColumnMapping
    where: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


PRESETS: Mapping[str, Preset] = {
    "entra": Preset(
        "Microsoft Entra ID",
        ColumnMapping(
            {
                "id": "objectId | id",
                "email": "mail | userPrincipalName",
                "first_name": "givenName",
                "last_name": "surname",
            },
            full_name="displayName",
        ),
        where=("accountEnabled not in false",),
        lists=("value",),
    ),
    "google": Preset(
        "Google Workspace",
        ColumnMapping(
            {
                "id": "{email.local}",
                "email": "Email Address [Required] | Email Address | primaryEmail",
                "first_name": "First Name [Required] | First Name | name.givenName",
                "last_name": "Last Name [Required] | Last Name | name.familyName",
            },
            full_name="name.fullName",
        ),
        where=("Status [READ ONLY] in ,active", "Status in ,active", "suspended not in true", "archived not in true"),
        lists=("users",),
    ),
    "okta": Preset(
        "Okta",
        ColumnMapping(
            {
                "id": "id",
                "email": "profile.email | email",
                "first_name": "profile.firstName | firstName",
                "last_name": "profile.lastName | lastName",
            },
            full_name="profile.displayName | displayName",
        ),
        where=("status in ,active,password_expired,locked_out,recovery",),
    ),
    "auth0": Preset(
        "Auth0",
        ColumnMapping(
            {
                "id": "user_id | Id",
                "email": "email | Email",
                "first_name": "given_name | Given Name",
                "last_name": "family_name | Family Name",
                "profile_image": "picture | Picture",
            },
            full_name="name | Name | nickname | Nickname",
        ),
        where=("blocked not in true",),
        lists=("users",),
    ),
    "keycloak": Preset(
        "Keycloak",
        ColumnMapping({"id": "id", "email": "email", "first_name": "firstName", "last_name": "lastName"}),
        where=("enabled not in false", "serviceAccountClientId="),
        lists=("users",),
    ),
    "slack": Preset(
        "Slack",
        ColumnMapping(
            {
                "id": "id | userid",
                "email": "profile.email | email",
                "first_name": "profile.first_name",
                "last_name": "profile.last_name",
                "profile_image": "profile.image_192",
            },
            full_name="profile.real_name | real_name | fullname | displayname | name | username",
        ),
        where=(
            "deleted not in true",
            "is_bot not in true",
            "id!=USLACKBOT",
            "status not in deactivated,bot",
        ),
        lists=("members", "users"),
    ),
    "rocketchat": Preset(
        "Rocket.Chat",
        ColumnMapping({"id": "username", "email": "emails.0.address | email"}, full_name="name | username"),
        where=("active not in false", "type in ,user"),
        lists=("users",),
    ),
}


def named_preset(name: str) -> Preset:
    """Return a preset by its name.

    Raises:
        InvalidInputError: There is none of that name.
    """
    found = PRESETS.get(name.strip().lower())
    if found is None:
        msg = f"--preset {name!r} is not known: choose one of {', '.join(PRESETS)}"
        raise InvalidInputError(msg, field="preset")
    return found
