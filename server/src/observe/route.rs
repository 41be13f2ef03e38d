//! Which route of the table a path belongs to, for metrics and logs.

/// A route as metrics and logs name it: never with a name in it, so their number is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Base,
    Catalog,
    Discover,
    Tags,
    Manifest,
    Blob,
    Uploads,
    Upload,
    Referrers,
    Token,
    Keys,
    Live,
    Ready,
    Metrics,
    Ecr,
    Pages,
    Management,
    Other,
}

impl Route {
    pub(crate) const ALL: [Self; 18] = [
        Self::Base,
        Self::Catalog,
        Self::Discover,
        Self::Tags,
        Self::Manifest,
        Self::Blob,
        Self::Uploads,
        Self::Upload,
        Self::Referrers,
        Self::Token,
        Self::Keys,
        Self::Live,
        Self::Ready,
        Self::Metrics,
        Self::Ecr,
        Self::Pages,
        Self::Management,
        Self::Other,
    ];

    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::Base => "/v2/",
            Self::Catalog => "/v2/_catalog",
            Self::Discover => "/v2/_oci/ext/discover",
            Self::Tags => "/v2/{repository}/tags/list",
            Self::Manifest => "/v2/{repository}/manifests/{reference}",
            Self::Blob => "/v2/{repository}/blobs/{digest}",
            Self::Uploads => "/v2/{repository}/blobs/uploads/",
            Self::Upload => "/v2/{repository}/blobs/uploads/{session}",
            Self::Referrers => "/v2/{repository}/referrers/{digest}",
            Self::Token => "/token",
            Self::Keys => "/.well-known/jwks.json",
            Self::Live => "/livez",
            Self::Ready => "/readyz",
            Self::Metrics => "/metrics",
            Self::Ecr => "/",
            Self::Pages => "/ui/",
            Self::Management => "/api/",
            Self::Other => "other",
        }
    }

    /// Read from the right, since a repository may be called `a/manifests/b`; names are not checked.
    pub(crate) fn of(path: &str) -> Self {
        if let Some(rest) = path.strip_prefix("/v2/") {
            return Self::of_distribution(rest);
        }
        let below = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match path {
            "/v2" => Self::Base,
            "/token" => Self::Token,
            "/.well-known/jwks.json" => Self::Keys,
            "/livez" => Self::Live,
            "/readyz" => Self::Ready,
            "/metrics" => Self::Metrics,
            "/" => Self::Ecr,
            _ if below("/ui") => Self::Pages,
            _ if below("/api") => Self::Management,
            _ => Self::Other,
        }
    }

    fn of_distribution(rest: &str) -> Self {
        match rest {
            "" => return Self::Base,
            "_catalog" => return Self::Catalog,
            "_oci/ext/discover" => return Self::Discover,
            _ => {}
        }
        let mut words = rest.rsplit('/');
        match (words.next(), words.next(), words.next()) {
            (Some("list"), Some("tags"), Some(_)) => Self::Tags,
            (Some("" | "uploads"), Some("uploads" | "blobs"), Some(_)) => Self::Uploads,
            (Some(_), Some("manifests"), Some(_)) => Self::Manifest,
            (Some(_), Some("referrers"), Some(_)) => Self::Referrers,
            (Some(_), Some("uploads"), Some("blobs")) => Self::Upload,
            (Some(_), Some("blobs"), Some(_)) => Self::Blob,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_at_its_place() {
        for (index, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(route as usize, index);
        }
    }

    #[test]
    fn paths_are_read_from_the_right() {
        let table = [
            ("/v2/", Route::Base),
            ("/v2/_catalog", Route::Catalog),
            ("/v2/a/b/tags/list", Route::Tags),
            ("/v2/a/manifests/b/tags/list", Route::Tags),
            ("/v2/a/manifests/latest", Route::Manifest),
            ("/v2/a/tags/manifests/list", Route::Manifest),
            ("/v2/a/blobs/sha256:00", Route::Blob),
            ("/v2/a/blobs/uploads/", Route::Uploads),
            ("/v2/a/blobs/uploads/0f", Route::Upload),
            ("/v2/a/referrers/sha256:00", Route::Referrers),
            ("/v2/manifests/latest", Route::Other),
            ("/v2/a", Route::Other),
            ("/token", Route::Token),
            ("/", Route::Ecr),
            ("/ui/repositories", Route::Pages),
            ("/uip", Route::Other),
            ("/%2e%2e/etc/passwd", Route::Other),
        ];
        for (path, route) in table {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
