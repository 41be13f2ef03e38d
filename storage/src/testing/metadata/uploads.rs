//! Upload sessions: everything the next process needs to go on, and one writer at a time.

use std::time::Duration;

use berth_oci::{Algorithm, ChunkRange, Digest};
use futures_util::future::join;
use futures_util::stream::{self, StreamExt};
use tokio::sync::oneshot;

use super::{House, Make, name};
use crate::testing::{Body, TestClock, append, body, chunk, digest_of, read_blob, rows};
use crate::{Actor, Chunk, Creation, Error, UploadId};

const HOUR: Duration = Duration::from_secs(3600);
/// Longer than any writer's claim.
const CLAIM_OVER: Duration = Duration::from_secs(21);

impl House {
    async fn begin(&self) -> UploadId {
        let (app, actor) = (name("app"), Actor::default());
        self.registry.begin_upload(&app, None, Creation::Allowed, &actor).await.unwrap()
    }

    async fn append(&self, id: UploadId, bytes: &str) -> Result<u64, Error> {
        Ok(append(&self.registry, &name("app"), id, bytes.as_bytes()).await?.received)
    }

    async fn finish(&self, id: UploadId, digest: &Digest, bytes: &str) -> Result<(), Error> {
        let (name, chunk, actor) = (name("app"), chunk(bytes.as_bytes()), Actor::default());
        self.registry.finish_upload(&name, id, digest, chunk, Creation::Allowed, &actor).await
    }

    async fn received(&self, id: UploadId) -> Option<u64> {
        let status = self.registry.upload_status(&name("app"), id).await.unwrap()?;
        assert_eq!(status.id, id);
        Some(status.received)
    }

    async fn assert_finishes_as(&self, id: UploadId, content: &str) {
        let digest = digest_of(content.as_bytes());
        self.finish(id, &digest, "").await.unwrap();
        let read = read_blob(&self.registry, &name("app"), &digest).await.unwrap();
        assert_eq!(read.as_deref(), Some(content.as_bytes()));
    }

    async fn condemned(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM condemned").await
    }

    /// Runs `while_writing` while another request has claimed the session and waits for its body,
    /// which is `bytes` in the end; gives that request's result.
    async fn while_written(
        &self,
        id: UploadId,
        bytes: &'static str,
        while_writing: impl AsyncFnOnce(),
    ) -> Result<u64, Error> {
        let ((claimed, is_claimed), (send, sent)) = (oneshot::channel(), oneshot::channel());
        // The body is asked for its first piece only once the session is claimed.
        let body: Body = stream::once(async move {
            let _ = claimed.send(());
            let _ = sent.await;
            Ok(bytes.into())
        })
        .boxed();
        let chunk = Chunk { range: None, length: None, body };
        let app = name("app");
        let writing = self.registry.append_upload(&app, id, chunk);
        let looking = async {
            is_claimed.await.unwrap();
            while_writing().await;
            send.send(()).unwrap();
        };
        let (written, ()) = join(writing, looking).await;
        Ok(written?.received)
    }
}

pub async fn an_upload_begins_with_nothing(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    assert_eq!(house.received(id).await, Some(0));
    assert_eq!(house.registry.open_uploads().await.unwrap(), 1);
}

pub async fn an_upload_is_known_to_its_own_repository_alone(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    let other = name("other");
    assert_eq!(house.registry.upload_status(&other, id).await.unwrap(), None);
    let refused = append(&house.registry, &other, id, b"abc").await;
    assert!(matches!(refused, Err(Error::UploadUnknown(unknown)) if unknown == id), "{refused:?}");
    let refused = house.registry.cancel_upload(&other, id).await;
    assert!(matches!(refused, Err(Error::UploadUnknown(_))), "{refused:?}");
    assert_eq!(house.received(id).await, Some(0));
}

pub async fn an_upload_to_a_repository_that_may_not_be_made_is_refused(make: impl Make) {
    let house = House::open(&make).await;
    let begun = house.registry.begin_upload(&name("app"), None, Creation::Refused, &Actor::default()).await;
    assert!(matches!(begun, Err(Error::RepositoryUnknown(_))), "{begun:?}");
    assert_eq!(house.registry.open_uploads().await.unwrap(), 0);
}

pub async fn an_upload_makes_no_repository_before_it_is_finished(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    house.append(id, "abc").await.unwrap();
    assert_eq!(house.registry.repositories("", 10).await.unwrap().items, []);
    house.finish(id, &digest_of(b"abc"), "").await.unwrap();
    assert_eq!(house.registry.repositories("", 10).await.unwrap().items, [name("app")]);
}

pub async fn a_session_goes_on_where_it_was_left(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    for (bytes, received) in [("one", 3), ("", 3), ("two", 6)] {
        assert_eq!(house.append(id, bytes).await.unwrap(), received);
        assert_eq!(house.received(id).await, Some(received));
    }
    house.assert_finishes_as(id, "onetwo").await;
}

pub async fn an_upload_goes_on_after_opening_again_with_the_same_digest(make: impl Make) {
    for algorithm in [None, Some(Algorithm::Sha256), Some(Algorithm::Sha512)] {
        let house = House::open(&make).await;
        let (app, actor) = (name("app"), Actor::default());
        let id = house.registry.begin_upload(&app, algorithm, Creation::Allowed, &actor).await.unwrap();
        house.append(id, "one, ").await.unwrap();
        let house = house.reopened(&make).await;
        assert_eq!(house.received(id).await, Some(5));
        house.append(id, "two, ").await.unwrap();
        let house = house.reopened(&make).await;
        let digest = Digest::of(algorithm.unwrap_or(Algorithm::Sha256), b"one, two, three");
        house.finish(id, &digest, "three").await.unwrap();
        let read = read_blob(&house.registry, &app, &digest).await.unwrap();
        assert_eq!(read.as_deref(), Some(&b"one, two, three"[..]), "{algorithm:?}");
    }
}

pub async fn a_second_writer_is_refused_while_the_first_writes(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    let written = house.while_written(id, "first", async || {
        let refused = house.append(id, "second").await;
        assert!(matches!(refused, Err(Error::UploadBusy)), "{refused:?}");
        let refused = house.finish(id, &digest_of(b"second"), "second").await;
        assert!(matches!(refused, Err(Error::UploadBusy)), "{refused:?}");
    });
    assert_eq!(written.await.unwrap(), 5);
    house.assert_finishes_as(id, "first").await;
}

pub async fn a_session_is_not_cancelled_while_someone_writes(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    let written = house.while_written(id, "first", async || {
        let refused = house.registry.cancel_upload(&name("app"), id).await;
        assert!(matches!(refused, Err(Error::UploadBusy)), "{refused:?}");
    });
    assert_eq!(written.await.unwrap(), 5);
    house.assert_finishes_as(id, "first").await;
}

pub async fn a_claim_that_ran_out_lets_the_next_writer_in(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    let lost = house.while_written(id, "first", async || {
        house.clock.advance(CLAIM_OVER);
        assert_eq!(house.append(id, "second").await.unwrap(), 6);
        house.assert_finishes_as(id, "second").await;
    });
    let lost = lost.await;
    assert!(matches!(lost, Err(Error::UploadUnknown(_))), "{lost:?}");
}

pub async fn a_writer_that_lost_its_claim_writes_nothing_more(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    house.append(id, "before, ").await.unwrap();
    let lost = house.while_written(id, "first", async || {
        house.clock.advance(CLAIM_OVER);
        assert_eq!(house.append(id, "other").await.unwrap(), 13);
    });
    let lost = lost.await;
    assert!(matches!(lost, Err(Error::UploadUnknown(_))), "{lost:?}");
    assert_eq!(house.received(id).await, Some(13));
    house.assert_finishes_as(id, "before, other").await;
}

pub async fn a_writer_whose_claim_ran_out_goes_on_when_nobody_took_it(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    let written = house.while_written(id, "first", async || house.clock.advance(CLAIM_OVER));
    assert_eq!(written.await.unwrap(), 5);
    house.assert_finishes_as(id, "first").await;
}

pub async fn a_body_that_broke_off_keeps_what_had_come(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    house.append(id, "before, ").await.unwrap();
    let broken = body(vec![Ok(b"half"), Err("connection reset")]);
    let chunk = Chunk { range: None, length: Some(100), body: broken };
    let refused = house.registry.append_upload(&name("app"), id, chunk).await;
    let Err(Error::BodyBroken { received, why }) = refused else { panic!("{refused:?}") };
    assert_eq!((received, why.as_str()), (12, "connection reset"));
    assert_eq!(house.received(id).await, Some(12));
    house.assert_finishes_as(id, "before, half").await;
}

pub async fn a_chunk_out_of_order_is_refused_and_the_offset_kept(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    house.append(id, "abc").await.unwrap();
    for first in [0, 2, 4] {
        let range = Some(ChunkRange { first, last: first + 2 });
        let chunk = Chunk { range, length: None, body: body(vec![Ok(b"def")]) };
        let refused = house.registry.append_upload(&name("app"), id, chunk).await;
        let Err(Error::ChunkOutOfOrder { first: said, received: 3 }) = refused else { panic!("{refused:?}") };
        assert_eq!(said, first);
        assert_eq!(house.received(id).await, Some(3));
    }
    let range = Some(ChunkRange { first: 3, last: 5 });
    let chunk = Chunk { range, length: Some(3), body: body(vec![Ok(b"def")]) };
    house.registry.append_upload(&name("app"), id, chunk).await.unwrap();
    house.assert_finishes_as(id, "abcdef").await;
}

async fn a_chunk_of_another_length_changes_nothing(make: impl Make, announced: u64) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    house.append(id, "abc").await.unwrap();
    let chunk = Chunk { range: None, length: Some(announced), body: body(vec![Ok(b"de"), Ok(b"fg")]) };
    let refused = house.registry.append_upload(&name("app"), id, chunk).await;
    let Err(Error::LengthMismatch { announced: said, received: 4 }) = refused else { panic!("{refused:?}") };
    assert_eq!(said, announced);
    assert_eq!(house.received(id).await, Some(3));
    house.append(id, "!").await.unwrap();
    house.assert_finishes_as(id, "abc!").await;
}

pub async fn a_chunk_longer_than_announced_changes_nothing(make: impl Make) {
    a_chunk_of_another_length_changes_nothing(make, 3).await;
}

pub async fn a_chunk_shorter_than_announced_changes_nothing(make: impl Make) {
    a_chunk_of_another_length_changes_nothing(make, 5).await;
}

pub async fn a_wrong_digest_is_refused_and_the_session_kept(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    house.append(id, "abc").await.unwrap();
    let refused = house.finish(id, &digest_of(b"something else"), "def").await;
    let Err(Error::DigestMismatch { expected, actual }) = refused else { panic!("{refused:?}") };
    assert_eq!((expected, actual), (digest_of(b"something else"), digest_of(b"abcdef")));
    assert_eq!(house.received(id).await, Some(3));
    assert_eq!(house.registry.repositories("", 10).await.unwrap().items, []);
    house.assert_finishes_as(id, "abc").await;
}

pub async fn a_finished_upload_is_a_blob_and_no_session(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    let digest = digest_of(b"abcdef");
    house.append(id, "abc").await.unwrap();
    house.finish(id, &digest, "def").await.unwrap();
    assert_eq!(house.received(id).await, None);
    assert_eq!(house.registry.open_uploads().await.unwrap(), 0);
    let again = house.finish(id, &digest, "").await;
    assert!(matches!(again, Err(Error::UploadUnknown(_))), "{again:?}");
    assert_eq!(house.registry.blob(&name("app"), &digest).await.unwrap().unwrap().size, 6);
    assert_eq!(house.condemned().await, 0);
}

pub async fn sha512_may_be_named_by_the_last_request(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    house.append(id, "abc").await.unwrap();
    let digest = Digest::of(Algorithm::Sha512, b"abc");
    house.finish(id, &digest, "").await.unwrap();
    let read = read_blob(&house.registry, &name("app"), &digest).await.unwrap();
    assert_eq!(read.as_deref(), Some(&b"abc"[..]));
}

pub async fn a_cancelled_upload_is_unknown_and_its_bytes_condemned(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    house.append(id, "abc").await.unwrap();
    house.registry.cancel_upload(&name("app"), id).await.unwrap();
    assert_eq!(house.received(id).await, None);
    let again = house.registry.cancel_upload(&name("app"), id).await;
    assert!(matches!(again, Err(Error::UploadUnknown(_))), "{again:?}");
    assert_eq!(house.condemned().await, 1);
    let swept = house.registry.sweep().await.unwrap();
    assert_eq!((swept.expired_uploads, swept.removed), (0, 1));
    assert_eq!(house.condemned().await, 0);
}

pub async fn an_upload_expires_so_long_after_its_last_byte(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    for _ in 0..3 {
        house.clock.advance(HOUR - Duration::from_secs(1));
        assert_eq!(house.registry.sweep().await.unwrap().expired_uploads, 0);
        house.append(id, "a").await.unwrap();
    }
    house.clock.advance(HOUR);
    assert_eq!(house.registry.sweep().await.unwrap().expired_uploads, 1);
}

pub async fn an_expired_upload_is_unknown_and_its_bytes_condemned(make: impl Make) {
    let house = House::open(&make).await;
    let id = house.begin().await;
    house.append(id, "abc").await.unwrap();
    house.clock.advance(HOUR);
    let swept = house.registry.sweep().await.unwrap();
    assert_eq!((swept.expired_uploads, swept.removed), (1, 1));
    assert_eq!(house.received(id).await, None);
    let refused = house.append(id, "def").await;
    assert!(matches!(refused, Err(Error::UploadUnknown(_))), "{refused:?}");
    assert_eq!(rows(&house.registry, "SELECT id FROM condemned", vec![]).await.unwrap(), []);
}

pub async fn an_upload_that_is_written_to_does_not_expire(make: impl Make) {
    let folder = tempfile::tempdir().unwrap();
    let second = Duration::from_secs(1);
    let house = House::of(&make, folder, TestClock::new(), |options| options.uploads_expire_after = second);
    let house = house.await.unwrap();
    let id = house.begin().await;
    let written = house.while_written(id, "abc", async || {
        house.clock.advance(Duration::from_secs(10));
        assert_eq!(house.registry.sweep().await.unwrap().expired_uploads, 0);
    });
    assert_eq!(written.await.unwrap(), 3);
    house.assert_finishes_as(id, "abc").await;
}
