//! Lists, which a server gives page by page.

use berth_server::{Directory, Error, ListPage, PageRequest};
use serde::de::DeserializeOwned;

use super::Target;
use crate::failure::Failure;

impl Target {
    /// A whole list: of a running server the one at `path`, of a stopped one what `kept` finds.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        tried: &str,
        path: &str,
        kept: impl AsyncFn(&Directory, &PageRequest) -> Result<ListPage<T>, Error>,
    ) -> Result<Vec<T>, Failure> {
        let (mut items, mut page) = (Vec::new(), PageRequest::first());
        loop {
            let found = match self {
                Self::Remote(remote) => {
                    // What comes next is of letters that a query takes as they are.
                    let path = format!("{path}?limit={}&after={}", page.limit, page.after);
                    remote.get::<ListPage<T>>(tried, &path).await?
                }
                Self::Offline(offline) => {
                    let found = kept(offline.directory(), &page).await;
                    found.map_err(|error| Failure::new(tried, error))?
                }
            };
            items.extend(found.items);
            let Some(next) = found.next else { return Ok(items) };
            page.after = next;
        }
    }
}
