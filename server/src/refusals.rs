//! What was refused, on its way into the audit.
//!
//! A refusal changes nothing, so it has no transaction to be written in. It waits here and is written
//! with others, never by the request itself. However much is refused, little memory and disk is taken:
//! the same again is only counted, and what finds no place is counted as lost.

use std::time::Duration;

use berth_auth::{AccessKeyId, UserName};
use berth_storage::{Actor, By, Refusal};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use crate::circumstances::Circumstances;
use crate::directory::Login;
use crate::error::Error;
use crate::state::App;

/// How many refusals of different kinds wait at most.
const PLACES: usize = 256;
/// How long they wait at least, and how much longer for each that was written before: a flood of them
/// makes some 16 records a second, and the newest of everything else stay in the audit for weeks.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_FOR_EACH: Duration = Duration::from_millis(60);

/// The action of a refused login.
const LOGIN: &str = "login";
/// The action of the record that says how many were lost.
const LOST: &str = "audit.lost";

/// The refusals that are not written down yet.
pub(crate) struct Refusals {
    waiting: Mutex<Waiting>,
    lost: Counter,
}

#[derive(Default)]
struct Waiting {
    refusals: Vec<Refusal>,
    lost: u64,
}

impl Refusals {
    /// None yet; `lost` counts those that never will be written down.
    pub(crate) fn new(lost: Counter) -> Self {
        Self { waiting: Mutex::default(), lost }
    }

    /// Notes a refusal; cheap, and never waits for the database.
    pub(crate) fn note(&self, refusal: Refusal) {
        let mut waiting = self.waiting.lock();
        if let Some(same) = waiting.refusals.iter_mut().find(|known| is_same(known, &refusal)) {
            same.times += refusal.times;
        } else if waiting.refusals.len() < PLACES {
            waiting.refusals.push(refusal);
        } else {
            waiting.lost += refusal.times;
            self.lost.inc_by(refusal.times);
        }
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting.lock())
    }

    fn lose(&self, times: u64) {
        self.waiting.lock().lost += times;
        self.lost.inc_by(times);
    }
}

/// Whether one record does for both: all but the time and the request is the same.
fn is_same(a: &Refusal, b: &Refusal) -> bool {
    let who = |refusal: &Refusal| {
        let Actor { identity, user, access_key, address, request: _ } = refusal.by.actor.clone();
        (identity, user, access_key, address)
    };
    a.action == b.action && a.repository == b.repository && a.detail == b.detail && who(a) == who(b)
}

impl App {
    /// Whose user name and password these are, as [`Directory::login`] says; a refusal is noted.
    ///
    /// [`Directory::login`]: crate::directory::Directory::login
    pub(crate) async fn login(
        &self,
        user: &str,
        password: SecretString,
        circumstances: &Circumstances,
    ) -> Result<Option<Login>, Error> {
        let refuse = |actor: Actor, why: &str| {
            let by = By { actor, at: self.registry.now() };
            let detail = why.to_owned();
            self.refusals.note(Refusal { by, action: LOGIN, repository: None, detail, times: 1 });
        };
        match self.directory.login(user, password, circumstances.address()).await {
            Ok(Ok(login)) => Ok(Some(login)),
            Ok(Err(wrong)) => {
                let name = wrong.owner.as_ref().map(UserName::as_str).map(Into::into);
                let mut actor = Actor { user: name, ..circumstances.actor(None, None) };
                // Only what can be a name: what somebody typed into the wrong field may be a password.
                match user.parse::<AccessKeyId>() {
                    Ok(key) => actor.access_key = Some(key.as_str().into()),
                    Err(_) if user.parse::<UserName>().is_ok() => actor.user = Some(user.into()),
                    Err(_) => {}
                }
                refuse(actor, wrong.why);
                Ok(None)
            }
            Err(error @ Error::TooManyGuesses(_)) => {
                // By address alone: whoever tries many names makes no more records.
                refuse(circumstances.actor(None, None), "too many wrong logins");
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes down what waits; gives how many records that took.
    async fn write_refusals(&self) -> u32 {
        let Waiting { mut refusals, lost } = self.refusals.take();
        let times = refusals.iter().map(|refusal| refusal.times).sum::<u64>() + lost;
        if lost > 0 {
            let by = By { actor: Actor::default(), at: self.registry.now() };
            let detail = "so many refusals were not written down, as there were too many".to_owned();
            refusals.push(Refusal { by, action: LOST, repository: None, detail, times: lost });
        }
        let count = u32::try_from(refusals.len()).unwrap_or(u32::MAX);
        if count > 0
            && let Err(error) = self.registry.records().note_refusals(refusals).await
        {
            warn!(%error, times, "refusals could not be written into the audit");
            self.refusals.lose(times - lost);
            self.refusals.waiting.lock().lost += lost;
        }
        count
    }
}

/// Writes down what is refused, again and again, and at the end what is left.
pub(crate) async fn write_down(app: App, mut stopped: watch::Receiver<()>) {
    let mut pause = PAUSE;
    loop {
        tokio::select! {
            () = sleep(pause) => pause = PAUSE + PAUSE_FOR_EACH * app.write_refusals().await,
            _ = stopped.changed() => {
                app.write_refusals().await;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use berth_storage::Timestamp;

    use super::*;

    fn refusal(user: &str, request: &str) -> Refusal {
        let actor = Actor { user: Some(user.into()), request: Some(request.into()), ..Actor::default() };
        let by = By { actor, at: Timestamp(0) };
        Refusal { by, action: LOGIN, repository: None, detail: "wrong password".to_owned(), times: 1 }
    }

    #[test]
    fn the_same_again_is_only_counted() {
        let refusals = Refusals::new(Counter::default());
        for request in ["first", "second", "third"] {
            refusals.note(refusal("alice", request));
        }
        refusals.note(refusal("bob", "fourth"));
        let Waiting { refusals, lost } = refusals.take();
        let noted: Vec<_> = refusals
            .iter()
            .map(|refusal| {
                (refusal.by.actor.user.as_deref(), refusal.by.actor.request.as_deref(), refusal.times)
            })
            .collect();
        assert_eq!(noted, [(Some("alice"), Some("first"), 3), (Some("bob"), Some("fourth"), 1)]);
        assert_eq!(lost, 0);
    }

    #[test]
    fn what_finds_no_place_is_counted_as_lost_and_what_has_one_is_not() {
        let counter = Counter::default();
        let refusals = Refusals::new(counter.clone());
        for number in 0..PLACES + 10 {
            refusals.note(refusal(&format!("user-{number}"), "request"));
        }
        refusals.note(refusal("user-0", "request"));
        assert_eq!(counter.get(), 10);
        let Waiting { refusals, lost } = refusals.take();
        assert_eq!((refusals.len(), lost, refusals[0].times), (PLACES, 10, 2));
    }
}
