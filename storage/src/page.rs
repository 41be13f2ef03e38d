//! Lists, page by page.

/// One page of a longer list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Whether there are more after the last.
    pub more: bool,
}

impl<T> Page<T> {
    /// Of `limit + 1` items that were asked for, a page of `limit`.
    pub(crate) fn cut(items: Vec<T>, limit: u64) -> Self {
        Self { items, more: false }.at_most(limit)
    }

    /// The same page, of which no more than the first `limit` items are kept.
    #[must_use]
    pub fn at_most(mut self, limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.more |= self.items.len() > limit;
        self.items.truncate(limit);
        self
    }
}
