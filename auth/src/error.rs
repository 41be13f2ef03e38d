//! Words that don't follow their grammar, and machinery that failed.

/// A word that does not follow its grammar; each variant is a sentence that a person may be shown.
///
/// Secrets are never repeated in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// An action outside [`Action`](crate::Action).
    #[error("unknown action {0}; actions are named as ECR names them, such as ecr:PutImage")]
    Action(String),
    /// A user's name outside the grammar of [`UserName`](crate::UserName).
    #[error(
        "invalid user name {0}; a name has 1 to 64 of the characters a-z 0-9 . _ - and begins and ends \
         with a letter or digit"
    )]
    UserName(String),
    /// The word for whoever has not logged in, as a user's name.
    #[error("no user can be called anonymous; that is whoever has not logged in")]
    AnonymousUser,
    /// A group's name outside the grammar of [`GroupName`](crate::GroupName).
    #[error(
        "invalid group name {0}; a name has 1 to 64 of the characters a-z 0-9 . _ - and begins and ends \
         with a letter or digit"
    )]
    GroupName(String),
    /// An identity's id outside the grammar of [`IdentityId`](crate::IdentityId).
    #[error("invalid identity id {0}; an id has 1 to 128 of the characters a-z A-Z 0-9 _ -")]
    IdentityId(String),
    /// An access key's id outside the grammar of [`AccessKeyId`](crate::AccessKeyId).
    #[error("invalid access key id {0}; an id is BK and 18 upper-case letters and digits")]
    AccessKeyId(String),
    /// An access key's name outside the grammar of [`AccessKeyName`](crate::AccessKeyName).
    #[error("invalid access key name {0}; a name has 1 to 64 characters")]
    AccessKeyName(String),
    /// What was sealed is no access key's secret.
    #[error("the stored secret is not an access key's")]
    AccessKeySecret,
    /// A policy's name outside the grammar of [`PolicyName`](crate::PolicyName).
    #[error(
        "invalid policy name {0}; a name has 1 to 128 letters, digits and . _ - and begins with a letter or digit"
    )]
    PolicyName(String),
    /// A policy document that does not say what one must say.
    #[error(transparent)]
    Document(#[from] crate::DocumentError),
    /// A policy that is not shipped.
    #[error("unknown policy {0}; the shipped policies are reader, developer and admin")]
    Policy(String),
    /// The name of a shipped policy, where one's own is needed.
    #[error("the policy {0} comes with Berth and can't be replaced or removed; choose another name")]
    Shipped(crate::ShippedPolicy),
    /// A prefix for a policy that says itself to which repositories it speaks of.
    #[error("the policy {0} says itself which repositories it is about; leave out the prefix")]
    PrefixOfDocument(crate::PolicyName),
    /// A prefix that no repository's name could begin with.
    #[error("invalid repository prefix {0}; a prefix is empty or whole path components, such as team-a/")]
    RepositoryPrefix(String),
    /// A token scope that this registry does not understand.
    #[error("unknown token scope {0}; a scope looks like repository:team-a/app:pull,push")]
    Scope(String),
    /// A password of no characters, or of too many.
    #[error("a password has 1 to {max} bytes, not {actual}")]
    PasswordLength {
        /// How many bytes it has.
        actual: usize,
        /// How many it may have.
        max: usize,
    },
    /// A stored password hash that is not a PHC string of argon2.
    #[error("the stored password hash is not an argon2 PHC string")]
    PasswordHash,
    /// A master key that is not 32 bytes in base64 or hexadecimal.
    #[error("the master key is not 32 bytes in base64 or hexadecimal")]
    MasterKey,
    /// A public key that is not 32 bytes.
    #[error("the public key is not an Ed25519 key of 32 bytes")]
    PublicKey,
    /// A private key that is not Ed25519 in PKCS#8.
    #[error("the signing key is not an Ed25519 key in PKCS#8")]
    SigningKey,
    /// A refresh token that was never given out by a registry like this one.
    #[error("the refresh token is malformed")]
    RefreshToken,
    /// An `Authorization` header that can't be understood.
    #[error("malformed Authorization header: {0}")]
    Authorization(&'static str),
}

/// Machinery that failed, such as the random number generator: not the caller's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{doing} failed")]
pub struct Fault {
    /// What was being done, as in "drawing random bytes".
    pub doing: &'static str,
}

impl Fault {
    /// For `map_err` on errors that carry nothing worth telling.
    pub(crate) fn of<E>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |_| Self { doing }
    }
}

/// A client's word as an error may repeat it: quoted, and not longer than a line.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut quoted: String = text.chars().take(SHOWN).flat_map(char::escape_default).collect();
    if text.chars().nth(SHOWN).is_some() {
        quoted.push('…');
    }
    format!("'{quoted}'")
}
