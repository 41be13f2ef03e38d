//! Lists of the directory, page by page.

use std::num::NonZeroU64;

use berth_storage::Page;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How many items a page holds that nobody said more of.
const USUAL: NonZeroU64 = NonZeroU64::new(100).expect("a hundred is not nothing");
/// The most that one page holds.
const MOST: NonZeroU64 = NonZeroU64::new(1_000).expect("a thousand is not nothing");

/// Which page of a list is wanted.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageRequest {
    /// What the page before says comes `next`; left out: from the beginning.
    #[serde(default)]
    pub after: String,
    /// How many items at most; never more than 1,000.
    #[serde(default = "usual")]
    #[param(value_type = u64, minimum = 1, default = 100)]
    pub limit: NonZeroU64,
}

const fn usual() -> NonZeroU64 {
    USUAL
}

impl PageRequest {
    /// The first page, as large as there are any.
    pub const fn first() -> Self {
        Self { after: String::new(), limit: MOST }
    }

    /// How many items the page may hold.
    pub(super) fn limit(&self) -> u64 {
        self.limit.min(MOST).get()
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListPage<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// What to ask for `after` for the next page; left out: this is the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> ListPage<T> {
    /// What people see of a page of records; `place` is what a record is found again by.
    pub(super) fn of<R>(page: Page<R>, place: impl Fn(&R) -> String, seen: impl Fn(R) -> T) -> Self {
        let next = page.items.last().filter(|_| page.more).map(place);
        Self { items: page.items.into_iter().map(seen).collect(), next }
    }
}
