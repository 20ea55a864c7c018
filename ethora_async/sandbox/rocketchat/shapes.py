"""The wire format of records. Dates are datetimes here: REST and DDP encode them differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ethora_async.sandbox.rocketchat.encoding import moment
from ethora_async.sandbox.rocketchat.permissions import may

if TYPE_CHECKING:
    from ethora_async.sandbox.rocketchat.records import Departure, File, Membership, Message, Room, User

Shape = dict[str, Any]


def _present(**fields: Any) -> Shape:
    """Return the fields that have a value; the others are left out, not null."""
    return {name: value for name, value in fields.items() if value is not None}


def brief(user: User) -> Shape:
    """Return the author or owner of a record: `{_id, username, name}`."""
    return {"_id": user.id, "username": user.username, "name": user.name}


def emails(user: User) -> list[Shape]:
    """Return the addresses of a user."""
    return [] if user.email is None else [{"address": user.email, "verified": user.verified}]


def visible_user(user: User) -> Shape:
    """Return the public fields of a user."""
    return _present(
        _id=user.id,
        createdAt=moment(user.created_at),
        username=user.username,
        type=user.kind,
        status=user.status,
        active=user.active,
        name=user.name,
        nickname=user.nickname,
        bio=user.bio,
        statusText=user.status_text,
        roles=list(user.roles),
        utcOffset=0,
        _updatedAt=moment(user.updated_at),
    )


def full_user(user: User) -> Shape:
    """Return the fields for the user, and for callers who may view full records."""
    last = None if user.last_login is None else moment(user.last_login)
    return {
        **visible_user(user),
        "emails": emails(user),
        **_present(
            customFields=user.custom_fields or None,
            lastLogin=last,
            requirePasswordChange=user.require_password_change,
            freeSwitchExtension=user.extension,
            importIds=user.import_ids or None,
        ),
    }


def user_for(viewer: User | None, user: User) -> Shape:
    """Return a user as another one sees them."""
    if viewer is user or may(viewer, "view-full-other-user-info"):
        return full_user(user)
    return visible_user(user)


def own_user(user: User, origin: str) -> Shape:
    """Return the account as its owner sees it after a login: the reply of `me` and `login`."""
    return {
        **full_user(user),
        "isOAuthUser": False,
        "avatarUrl": f"{origin}/avatar/{user.username}",
        **({"email": user.email} if user.email is not None else {}),
        "settings": {"profile": {}, "preferences": {}, "calendar": {}},
        "services": {
            "password": {"exists": user.password is not None},
            "email2fa": {"enabled": user.email_two_factor},
            "totp": {"enabled": user.totp_secret is not None},
        },
    }


def listed_user(user: User, viewer: User) -> Shape:
    """Return a user as `users.list` shows them: a part of the record."""
    own = user_for(viewer, user)
    names = ("_id", "username", "emails", "type", "status", "active", "name", "roles", "nameInsensitive", "createdAt")
    more = ("lastLogin", "freeSwitchExtension")
    return {**{name: own[name] for name in (*names, *more) if name in own}, "nameInsensitive": user.name.lower()}


def user_room(member: Membership) -> Shape:
    """Return a room as `users.info?includeUserRooms` lists it."""
    room = member.room
    return {
        "rid": room.id,
        "name": room_label(room, member.user),
        "t": room.type,
        "roles": list(member.roles),
        "unread": member.unread,
        "federated": False,
    }


def room_label(room: Room, viewer: User) -> str:
    """Return the name of a room for one of its members: a direct room has the names of the others."""
    if room.name is not None:
        return room.name
    return ", ".join(name for name in room.usernames if name != viewer.username) or viewer.username


def room_shape(room: Room) -> Shape:
    """Return a room."""
    last = room.last_message
    return {
        **_present(
            _id=room.id,
            t=room.type,
            name=room.name,
            fname=room.fname or room.name,
            u=room.creator,
            announcement=room.announcement,
            archived=room.archived or None,
            joinCodeRequired=True if room.join_code else None,
            prid=room.parent_id,
            teamId=room.team_id,
            teamMain=room.team_main or None,
            topic=room.topic,
            description=room.description,
            lastMessage=None if last is None else message_shape(last),
            lm=None if last is None else moment(last.at),
            customFields=room.custom_fields or None,
            usernames=list(room.usernames) if room.type == "d" else None,
            uids=list(room.members) if room.type == "d" else None,
            featured=room.featured or None,
            reactWhenReadOnly=room.react_when_read_only or None,
            muted=list(room.muted) or None,
            unmuted=list(room.unmuted) or None,
            favorite=room.favorite,
            retention=room.retention,
            avatarETag=None if room.avatar is None else room.avatar.etag,
        ),
        "msgs": len(room.messages),
        "usersCount": len(room.members),
        "ts": moment(room.created_at),
        "ro": room.read_only,
        "default": room.default,
        "broadcast": room.broadcast,
        "encrypted": room.encrypted,
        "sysMes": True if room.hidden_system_messages is None else list(room.hidden_system_messages),
        "_updatedAt": moment(room.updated_at),
    }


def subscription_shape(member: Membership) -> Shape:
    """Return a membership."""
    room, user = member.room, member.user
    label = room_label(room, user)
    return {
        "_id": member.id,
        "rid": room.id,
        "t": room.type,
        "name": label,
        "fname": label,
        "u": brief(user),
        "open": member.open,
        "alert": member.alert,
        "ts": moment(member.since),
        "unread": member.unread,
        "userMentions": member.mentions,
        "groupMentions": member.group_mentions,
        **({"roles": list(member.roles)} if member.roles else {}),
        **({"f": True} if member.favorite else {}),
        **({"archived": True} if room.archived else {}),
        **({"prid": room.parent_id} if room.parent_id is not None else {}),
        **({"ignored": list(member.ignored)} if member.ignored else {}),
        **({"tunread": list(member.unread_threads)} if member.unread_threads else {}),
        **({"ls": moment(member.seen_at)} if member.seen_at is not None else {}),
        "_updatedAt": moment(member.updated_at),
    }


def removed_subscription(member: Membership) -> Shape:
    """Return the event of a membership that ended (docs/platforms/rocketchat.md#streams)."""
    return {
        "_id": member.id,
        "u": {"_id": member.user.id, "username": member.user.username},
        "rid": member.room.id,
        "t": member.room.type,
    }


def departure_shape(departure: Departure, *, room: bool) -> Shape:
    """Return an entry of a `remove` list: of the room, or of the membership."""
    return {"_id": departure.room_id if room else departure.id, "_deletedAt": moment(departure.at)}


def message_shape(message: Message) -> Shape:
    """Return a message."""
    return {
        "_id": message.id,
        "rid": message.room_id,
        "msg": message.text,
        "ts": moment(message.at),
        "u": {"_id": message.user_id, "username": message.username, "name": message.user_name},
        "_updatedAt": moment(message.updated_at),
        "mentions": list(message.mentions),
        "channels": [],
        "urls": [],
        **({"t": message.kind} if message.kind is not None else {}),
        **({"reactions": _reactions(message)} if message.reactions else {}),
        **_pin(message),
        **({"starred": [{"_id": user_id} for user_id in message.starred]} if message.starred else {}),
        **({"replies": list(message.followers)} if message.followers else {}),
        **_thread(message),
        **({} if message.edited_at is None else {"editedAt": moment(message.edited_at), "editedBy": message.edited_by}),
        **message.extra,
    }


def _pin(message: Message) -> Shape:
    if message.pinned_at is None:
        return {}
    return {"pinned": True, "pinnedAt": moment(message.pinned_at), "pinnedBy": message.pinned_by}


def _thread(message: Message) -> Shape:
    if message.thread_last is None:
        return {}
    return {"tcount": message.thread_count, "tlm": moment(message.thread_last)}


def file_shape(file: File, room: Room) -> Shape:
    """Return an upload."""
    return {
        "_id": file.id,
        "name": file.name,
        "size": len(file.content),
        "type": file.content_type,
        "rid": room.id,
        "userId": file.user.id,
        "user": brief(file.user),
        "store": "GridFS:Uploads",
        "complete": True,
        "uploading": False,
        "extension": file.name.rpartition(".")[2],
        "progress": 1,
        "description": file.description,
        "path": f"/ufs/GridFS:Uploads/{file.id}/{file.name}",
        "url": f"/file-upload/{file.id}/{file.name}",
        "uploadedAt": moment(file.at),
        "_updatedAt": moment(file.at),
    }


def _reactions(message: Message) -> Shape:
    return {emoji: {"usernames": list(names)} for emoji, names in message.reactions.items()}


def member_shape(member: Membership) -> Shape:
    """Return a member of a channel or group, as the lists of members show them."""
    user = member.user
    return _present(
        _id=user.id,
        username=user.username,
        name=user.name,
        nickname=user.nickname,
        status=user.status,
        avatarETag=None if user.avatar is None else user.avatar.etag,
        _updatedAt=moment(user.updated_at),
    )


def direct_member_shape(member: Membership) -> Shape:
    """Return a member of a direct room, as the list of members shows them."""
    user = member.user
    return {**brief(user), "status": user.status, "statusText": user.status_text, "utcOffset": 0}
