//! The dangerous pairs, in every order in which their calls of the stores can come with four switches
//! from one to the other.

use std::time::Duration;

use berth_storage::testing::simulation::{Template, Turn, seed_ids};
use futures_util::future::BoxFuture;

use crate::clients::{Client, Deed, WINDOW};
use crate::world::{Process, quiet_runtime};

/// What stands at the beginning, and how much time has passed since.
type Before = fn(Client) -> BoxFuture<'static, ()>;

/// How often one is interrupted by the other in one order, at most: all orders of two long deeds are
/// millions, and what needs more than this has not been seen.
const SWITCHES: usize = 4;

/// Plays two deeds side by side in every order; gives in how many.
fn in_every_order(before: Before, wait: Duration, deeds: [Deed; 2]) -> u64 {
    let template = Template::new().unwrap();
    // At each step: whether the one that went on last goes on (0) or another, and how many waited.
    let mut choices: Vec<(usize, usize)> = Vec::new();
    for played in 1.. {
        seed_ids(1);
        let mut process = Process::new(&template);
        let mut made = 0;
        quiet_runtime().block_on(async {
            let registry = process.open();
            let client = process.client(&registry);
            let first = tokio::spawn(before(client.clone()));
            run_out(&process, async |_| 0).await;
            first.await.unwrap();
            process.clock.advance(wait);
            let tasks = deeds.map(|deed| {
                let client = client.clone();
                tokio::spawn(async move { client.does(deed).await })
            });
            run_out(&process, async |waiting| {
                if made == choices.len() {
                    choices.push((0, waiting));
                }
                assert_eq!(choices[made].1, waiting, "the same choices give the same run");
                made += 1;
                // The newest call is that of whoever went on last.
                waiting - 1 - choices[made - 1].0
            })
            .await;
            for task in tasks {
                task.await.unwrap();
            }
        });
        choices.truncate(made);
        // The next order: the last choice that has another side, and may have it, takes it.
        while let Some((other, of)) = choices.pop() {
            let switches = choices.iter().filter(|(other, _)| *other > 0).count();
            if other + 1 < of && switches < SWITCHES {
                choices.push((other + 1, of));
                break;
            }
        }
        if choices.is_empty() {
            return played;
        }
    }
    unreachable!("there are only so many orders")
}

/// Lets calls go on as `choose` says until none waits, and looks at everything after each.
async fn run_out(process: &Process, mut choose: impl AsyncFnMut(usize) -> usize) {
    loop {
        process.ground.scheduler.settle().await;
        let waiting = process.ground.scheduler.waiting().len();
        if waiting == 0 {
            return;
        }
        let place = choose(waiting).await;
        process.ground.scheduler.release(place, Turn::Pass);
        process.ground.scheduler.settle().await;
        process.check();
    }
}

fn nothing(_: Client) -> BoxFuture<'static, ()> {
    Box::pin(async {})
}

/// A blob that is about to go, in repository 0.
fn old_blob(client: Client) -> BoxFuture<'static, ()> {
    Box::pin(async move { client.does(Deed::PushBlob { repository: 0, blob: 1 }).await })
}

/// An image of repository 0 that was deleted.
fn deleted_image(client: Client) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        client.does(Deed::Push { repository: 0, manifest: 0, tag: Some(0) }).await;
        client.does(Deed::DeleteManifest { repository: 0, manifest: 0 }).await;
    })
}

/// An index of repository 0 that was deleted, and its children.
fn deleted_index(client: Client) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        client.does(Deed::Push { repository: 0, manifest: 3, tag: Some(0) }).await;
        client.does(Deed::DeleteManifest { repository: 0, manifest: 3 }).await;
    })
}

fn image(client: Client) -> BoxFuture<'static, ()> {
    Box::pin(async move { client.does(Deed::Push { repository: 0, manifest: 0, tag: Some(0) }).await })
}

const PUSH: Deed = Deed::Push { repository: 0, manifest: 0, tag: Some(0) };

#[test]
fn finishing_an_upload_and_collecting() {
    let push = Deed::PushBlob { repository: 0, blob: 1 };
    assert!(in_every_order(old_blob, WINDOW, [push, Deed::Sweep]) > 20);
    assert!(in_every_order(nothing, WINDOW, [push, Deed::Sweep]) > 10);
}

#[test]
fn mounting_and_collecting() {
    let mount = Deed::Mount { from: 0, to: 1, blob: 1 };
    assert!(in_every_order(old_blob, WINDOW, [mount, Deed::Sweep]) > 3);
}

#[test]
fn pushing_an_image_again_and_collecting_what_it_needs() {
    assert!(in_every_order(deleted_image, WINDOW, [PUSH, Deed::Sweep]) > 50);
    assert!(in_every_order(old_blob, WINDOW, [PUSH, Deed::Sweep]) > 50);
}

#[test]
fn putting_a_manifest_and_deleting_a_blob_of_it() {
    assert!(in_every_order(old_blob, WINDOW / 4, [PUSH, Deed::DeleteBlob { repository: 0, blob: 1 }]) > 5);
}

#[test]
fn deleting_an_index_and_pushing_it_again() {
    let push = Deed::Push { repository: 0, manifest: 3, tag: Some(1) };
    let delete = Deed::DeleteManifest { repository: 0, manifest: 3 };
    let image_of_index = |client: Client| -> BoxFuture<'static, ()> {
        Box::pin(async move { client.does(Deed::Push { repository: 0, manifest: 3, tag: Some(0) }).await })
    };
    assert!(in_every_order(image_of_index, WINDOW, [push, delete]) > 2);
    assert!(in_every_order(deleted_index, WINDOW, [push, Deed::Sweep]) > 20);
}

#[test]
fn two_collectors() {
    assert!(in_every_order(deleted_image, WINDOW, [Deed::Sweep, Deed::Sweep]) > 50);
}

#[test]
fn removing_a_repository_and_pushing_to_it() {
    assert!(in_every_order(image, WINDOW, [Deed::RemoveRepository { repository: 0 }, PUSH]) > 2);
}

#[test]
fn undeleting_and_collecting() {
    let undelete = Deed::Undelete { repository: 0, manifest: 0 };
    assert!(in_every_order(deleted_image, WINDOW, [undelete, Deed::Sweep]) > 5);
}
