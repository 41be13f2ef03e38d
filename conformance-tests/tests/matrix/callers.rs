//! Who asks.

/// A column of the table. The order is the table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Caller {
    /// Shows nothing.
    Anonymous,
    /// A user to whom nothing is attached.
    Stranger,
    /// Reads `team-a/`.
    Reader,
    /// Develops `team-a/`.
    Developer,
    /// The administrator of `team-a/`, and of nothing else.
    TeamAdmin,
    /// The server's administrator.
    Admin,
    /// Develops `team-b/`.
    OtherTeam,
    /// Developed `team-a/`, and was disabled.
    Disabled,
    /// An access key of the developer's, whose time is over.
    ExpiredKey,
    /// A token of the developer's, to pull from the one repository that is asked for.
    Narrow,
    /// A token of the developer's, signed by a key that was rotated and is still believed.
    Overlap,
    /// A token of the developer's that has not ended, signed by a key that is gone.
    Retired,
}

impl Caller {
    pub(crate) const ALL: [Self; 12] = [
        Self::Anonymous,
        Self::Stranger,
        Self::Reader,
        Self::Developer,
        Self::TeamAdmin,
        Self::Admin,
        Self::OtherTeam,
        Self::Disabled,
        Self::ExpiredKey,
        Self::Narrow,
        Self::Overlap,
        Self::Retired,
    ];

    /// As the table's head calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Stranger => "stranger",
            Self::Reader => "reader",
            Self::Developer => "developer",
            Self::TeamAdmin => "team-admin",
            Self::Admin => "admin",
            Self::OtherTeam => "other-team",
            Self::Disabled => "disabled",
            Self::ExpiredKey => "expired-key",
            Self::Narrow => "narrow",
            Self::Overlap => "overlap",
            Self::Retired => "retired",
        }
    }

    /// The user who it is, or whose key or token it shows.
    pub(crate) const fn user(self) -> &'static str {
        match self {
            Self::ExpiredKey | Self::Narrow | Self::Overlap | Self::Retired => Self::Developer.name(),
            // Nobody: any user will do.
            Self::Anonymous => Self::Stranger.name(),
            Self::Stranger
            | Self::Reader
            | Self::Developer
            | Self::TeamAdmin
            | Self::Admin
            | Self::OtherTeam
            | Self::Disabled => self.name(),
        }
    }

    /// The users that are made for the table, and what is attached to each.
    pub(crate) const USERS: [(Self, Option<(&'static str, &'static str)>); 6] = [
        (Self::Stranger, None),
        (Self::Reader, Some(("reader", "team-a/"))),
        (Self::Developer, Some(("developer", "team-a/"))),
        (Self::TeamAdmin, Some(("admin", "team-a/"))),
        (Self::OtherTeam, Some(("developer", "team-b/"))),
        (Self::Disabled, Some(("developer", "team-a/"))),
    ];
}

/// What a caller shows.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    Nothing,
    Login(String, String),
    Token(String),
}
