"""config.toml and DIGEST_* variables, read into frozen settings; unknown keys are refused.

`settings` says what may stand there, `durations` and `moments` read the two little languages in it.
"""

from digest.config.settings import (
    Alerts,
    Approval,
    Database,
    Keys,
    Newsletter,
    Settings,
    Site,
    Smtp,
    SmtpTls,
    Source,
    SourceType,
)

__all__ = [
    "Alerts",
    "Approval",
    "Database",
    "Keys",
    "Newsletter",
    "Settings",
    "Site",
    "Smtp",
    "SmtpTls",
    "Source",
    "SourceType",
]
