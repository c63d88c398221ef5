"""config.toml and DIGEST_* variables, read into frozen settings; unknown keys are refused.

`settings` says what may stand there, in the kinds of `values` (`durations`, `moments` and `rates` read the
small languages); `loading` reads the file (`lines` knows where each key stands), puts the `environment` over
it, and tells `problems`; `schema` lists the keys, from which `example` writes the commented file;
`secret_files` keeps what nobody else may read.
"""

from digest.config.loading import Loaded, load, read
from digest.config.settings import (
    Alerts,
    Approval,
    Database,
    Dkim,
    Fallback,
    Keys,
    Newsletter,
    Sending,
    Settings,
    Site,
    Smtp,
    SmtpAuth,
    SmtpDsn,
    SmtpTls,
    Source,
    SourceType,
)

__all__ = [
    "Alerts",
    "Approval",
    "Database",
    "Dkim",
    "Fallback",
    "Keys",
    "Loaded",
    "Newsletter",
    "Sending",
    "Settings",
    "Site",
    "Smtp",
    "SmtpAuth",
    "SmtpDsn",
    "SmtpTls",
    "Source",
    "SourceType",
    "load",
    "read",
]
