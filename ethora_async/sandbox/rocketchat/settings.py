"""The settings of a server: those that clients read, and those that change its behaviour.

See docs/platforms/rocketchat.md#token-lifetime, #server-settings-for-embedding.
"""

from __future__ import annotations

import re
from typing import Any

DAY = 86_400.0
DEFAULT_DAYS = 90
LOGIN_EXPIRATION = "Accounts_LoginExpiration"
TWO_FACTOR = "Accounts_TwoFactorAuthentication_Enabled"
TWO_FACTOR_EMAIL = "Accounts_TwoFactorAuthentication_By_Email_Enabled"
TWO_FACTOR_PASSWORD = "Accounts_TwoFactorAuthentication_Enforce_Password_Fallback"  # noqa: S105 - a setting's name
TWO_FACTOR_REMEMBER = "Accounts_TwoFactorAuthentication_RememberFor"
DEFAULT_COUNT = "API_Default_Count"
UPPER_COUNT = "API_Upper_Count_Limit"
INFINITE_COUNT = "API_Allow_Infinite_Count"

PUBLIC: dict[str, Any] = {
    "API_Enable_CORS": False,
    LOGIN_EXPIRATION: DEFAULT_DAYS,
    TWO_FACTOR_REMEMBER: 1800,
    "Accounts_iframe_enabled": False,
    "Iframe_Integration_receive_enable": False,
    "Iframe_Integration_receive_origin": "*",
    "Iframe_Integration_send_enable": False,
    "Iframe_Integration_send_target_origin": "*",
    "FileUpload_MaxFileSize": 104_857_600,
    "Message_MaxAllowedSize": 5000,
    "Site_Name": "Rocket.Chat",
    "UI_Use_Real_Name": False,
    "UTF8_Channel_Names_Validation": "[0-9a-zA-Z-_.]+",
    "UTF8_User_Names_Validation": "[0-9a-zA-Z-_.]+",
}
PRIVATE: dict[str, Any] = {
    "API_Enable_Direct_Message_History_EndPoint": False,
    INFINITE_COUNT: True,
    DEFAULT_COUNT: 50,
    UPPER_COUNT: 100,
    TWO_FACTOR_EMAIL: True,
    TWO_FACTOR: False,
    TWO_FACTOR_PASSWORD: True,
    "Block_Multiple_Failed_Logins_Attempts_Until_Block_By_Ip": 50,
    "Block_Multiple_Failed_Logins_Attempts_Until_Block_by_User": 10,
    "Block_Multiple_Failed_Logins_Time_To_Unblock_By_Ip_In_Minutes": 5,
    "Block_Multiple_Failed_Logins_Time_To_Unblock_By_User_In_Minutes": 5,
    "Accounts_AllowUserAvatarChange": True,
    "Accounts_RegistrationForm": "Public",
    "Iframe_Restrict_Access": True,
    "Iframe_X_Frame_Options": "sameorigin",
}


class Settings:
    """The values of the settings, by id."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {**PUBLIC, **PRIVATE}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._values:
            msg = f"There is no setting {name!r}: choose one of {', '.join(self._values)}."
            raise KeyError(msg)
        self._values[name] = value

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def public(self) -> dict[str, Any]:
        """Return the settings that anyone may read."""
        return {name: self._values[name] for name in PUBLIC}

    def takes(self, name: str, value: Any) -> bool:
        """Return whether a value has the type of a setting."""
        return type(value) is type((PUBLIC | PRIVATE)[name])

    def fits(self, name: str, text: str) -> bool:
        """Return whether a text matches the pattern in a setting; an invalid pattern counts as the default."""
        try:
            return re.fullmatch(self._values[name], text) is not None
        except re.error:
            return re.fullmatch(PUBLIC[name], text) is not None

    @property
    def token_lifetime(self) -> float:
        """The lifetime of a login token in seconds. The setting is in days; an invalid value counts as 90."""
        days = self._values[LOGIN_EXPIRATION]
        sensible = isinstance(days, int) and not isinstance(days, bool) and days > 0
        return (days if sensible else DEFAULT_DAYS) * DAY
