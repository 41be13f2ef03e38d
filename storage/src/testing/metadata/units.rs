//! Units of work: all or nothing, each for itself.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join, join_all};
use parking_lot::Mutex;

use super::{House, Make};
use crate::metadata::args;
use crate::testing::rows;
use crate::{Change, Error, Tx};

/// How a unit ends that has noted something.
#[derive(Debug, Clone, Copy)]
enum End {
    Well,
    Refused,
    Panic,
    BadStatement,
}

async fn insert(tx: &mut Tx<'_>, name: &str) -> Result<(), Error> {
    let sql = "INSERT INTO store (name, value) VALUES ($1, 'noted')";
    tx.changed(Change::Directory);
    Ok(tx.run(sql, args![name]).await?)
}

/// Notes two facts, then ends as it is told.
fn note<'t>(tx: &'t mut Tx<'_>, (name, end): &'t (String, End)) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        insert(tx, name).await?;
        insert(tx, &format!("{name}, too")).await?;
        match end {
            End::Well => Ok(()),
            End::Refused => Err(Error::Missing(name.clone())),
            End::Panic => panic!("the test wants this unit to panic"),
            End::BadStatement => Ok(tx.run("SELECT nothing FROM nowhere", args![]).await?),
        }
    })
}

/// Where a unit waits while a test looks around.
struct Gate {
    reached: mpsc::Sender<()>,
    open: Mutex<mpsc::Receiver<()>>,
}

/// A gate, word that a unit has come to it, and its opening.
fn gate() -> (Gate, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((reached, is_reached), (opening, open)) = (mpsc::channel(), mpsc::channel());
    (Gate { reached, open: Mutex::new(open) }, is_reached, opening)
}

fn note_and_wait<'t>(
    tx: &'t mut Tx<'_>,
    (name, gate): &'t (String, Gate),
) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        insert(tx, name).await?;
        let _ = gate.reached.send(());
        // A unit may await nothing but SQL, and where SQL takes time it must not block others.
        let deadline = Instant::now() + Duration::from_secs(20);
        while gate.open.lock().try_recv() == Err(mpsc::TryRecvError::Empty) {
            assert!(Instant::now() < deadline, "the test opens the gate");
            tx.run("SELECT 1", args![]).await?;
        }
        Ok(())
    })
}

impl House {
    async fn note(&self, name: &str, end: End) -> Result<(), Error> {
        self.registry.metadata().write((name.to_owned(), end), note).await
    }

    /// What was noted by the tests' own units.
    async fn noted(&self) -> Vec<String> {
        let sql = "SELECT name FROM store WHERE value = 'noted' ORDER BY name";
        let rows = rows(&self.registry, sql, vec![]).await.unwrap();
        rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect()
    }

    /// Runs all of these in one group: they are queued while the writer waits.
    async fn group(&self, ends: &[End]) -> Vec<Result<(), Error>> {
        let (gate, _reached, opening) = gate();
        let first = self.registry.metadata().write(("first".to_owned(), gate), note_and_wait);
        let names: Vec<_> = (0..ends.len()).map(|number| number.to_string()).collect();
        let others = join_all(names.iter().zip(ends).map(|(name, end)| self.note(name, *end)));
        let queued_and_open = join(others, async move { opening.send(()) });
        let (first, (others, opened)) = join(first, queued_and_open).await;
        opened.unwrap();
        first.unwrap();
        others
    }

    async fn assert_others_are_unharmed(&self, bad: End) {
        let ends: Vec<_> = (0..40).map(|number| if number % 2 == 0 { End::Well } else { bad }).collect();
        let results = self.group(&ends).await;
        let mut expected = vec!["first".to_owned()];
        for (number, result) in results.iter().enumerate() {
            if number % 2 == 0 {
                assert!(result.is_ok(), "{number}: {result:?}");
                expected.extend([number.to_string(), format!("{number}, too")]);
            } else {
                assert!(result.is_err(), "{number}");
            }
        }
        expected.sort();
        assert_eq!(self.noted().await, expected);
    }
}

pub async fn what_a_unit_did_is_seen_once_it_answered(make: impl Make) {
    let house = House::open(&make).await;
    house.note("a", End::Well).await.unwrap();
    assert_eq!(house.noted().await, ["a", "a, too"]);
}

pub async fn what_is_committed_is_there_after_opening_again(make: impl Make) {
    let house = House::open(&make).await;
    house.note("a", End::Well).await.unwrap();
    let house = house.reopened(&make).await;
    assert_eq!(house.noted().await, ["a", "a, too"]);
}

pub async fn a_refused_unit_leaves_nothing(make: impl Make) {
    let house = House::open(&make).await;
    let refused = house.note("a", End::Refused).await;
    assert!(matches!(&refused, Err(Error::Missing(name)) if name == "a"), "{refused:?}");
    assert_eq!(house.noted().await, Vec::<String>::new());
}

pub async fn a_refused_unit_does_not_harm_others_of_its_group(make: impl Make) {
    House::open(&make).await.assert_others_are_unharmed(End::Refused).await;
}

pub async fn a_panicking_unit_is_a_fault_and_leaves_nothing(make: impl Make) {
    let house = House::open(&make).await;
    let failed = house.note("a", End::Panic).await;
    assert!(matches!(failed, Err(Error::Fault(_))), "{failed:?}");
    assert_eq!(house.noted().await, Vec::<String>::new());
    house.note("b", End::Well).await.unwrap();
    assert_eq!(house.noted().await, ["b", "b, too"]);
}

pub async fn a_panicking_unit_does_not_harm_others_of_its_group(make: impl Make) {
    House::open(&make).await.assert_others_are_unharmed(End::Panic).await;
}

pub async fn a_refused_statement_is_a_fault_and_leaves_nothing(make: impl Make) {
    let house = House::open(&make).await;
    let failed = house.note("a", End::BadStatement).await;
    let Err(Error::Fault(fault)) = failed else { panic!("{failed:?}") };
    assert!(fault.to_string().contains("nowhere"), "{fault}");
    assert_eq!(house.noted().await, Vec::<String>::new());
    house.note("b", End::Well).await.unwrap();
    assert_eq!(house.noted().await, ["b", "b, too"]);
}

pub async fn readers_see_nothing_of_a_unit_before_it_is_committed(make: impl Make) {
    let house = House::open(&make).await;
    let (gate, reached, opening) = gate();
    let writing = house.registry.metadata().write(("a".to_owned(), gate), note_and_wait);
    let looking = async {
        crate::blocking("waiting for the unit", move || reached.recv()).await.unwrap().unwrap();
        let before = house.noted().await;
        opening.send(()).unwrap();
        before
    };
    let (written, before) = join(writing, looking).await;
    written.unwrap();
    assert_eq!(before, Vec::<String>::new());
    assert_eq!(house.noted().await, ["a"]);
}

pub async fn changes_are_told_once_and_not_before_the_commit(make: impl Make) {
    let house = House::open(&make).await;
    house.told();
    let (gate, reached, opening) = gate();
    let writing = house.registry.metadata().write(("a".to_owned(), gate), note_and_wait);
    let looking = async {
        crate::blocking("waiting for the unit", move || reached.recv()).await.unwrap().unwrap();
        let before = house.told();
        opening.send(()).unwrap();
        before
    };
    let (written, before) = join(writing, looking).await;
    written.unwrap();
    assert_eq!(before, []);
    assert_eq!(house.told(), [Change::Directory]);
    house.noted().await;
    assert_eq!(house.told(), []);
}

pub async fn changes_of_a_refused_unit_are_not_told(make: impl Make) {
    let house = House::open(&make).await;
    house.told();
    for end in [End::Refused, End::Panic, End::BadStatement] {
        house.note("a", end).await.unwrap_err();
        assert_eq!(house.told(), [], "{end:?}");
    }
    house.note("a", End::Well).await.unwrap();
    assert_eq!(house.told(), [Change::Directory, Change::Directory]);
}

pub async fn arguments_are_bound_by_their_names(make: impl Make) {
    let house = House::open(&make).await;
    house.note("a", End::Well).await.unwrap();
    let sql = "SELECT name FROM store WHERE value = $2 AND name = $1 AND $2 <> $1";
    let found = rows(&house.registry, sql, vec!["a".into(), "noted".into()]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].text(0).unwrap(), "a");
}

fn pretend_to_be_newer<'t>(tx: &'t mut Tx<'_>, (): &'t ()) -> BoxFuture<'t, Result<(), Error>> {
    Box::pin(async move {
        let sql = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
                   VALUES (9999, 'from_the_future', '2040-01-01T00:00:00Z', '1')";
        Ok(tx.run(sql, args![]).await?)
    })
}

pub async fn a_database_of_a_newer_version_is_refused(make: impl Make) {
    let house = House::open(&make).await;
    house.registry.metadata().write((), pretend_to_be_newer).await.unwrap();
    let Err(refused) = house.try_reopened(&make).await else { panic!("it is opened") };
    assert!(matches!(refused, Error::Fault(_)), "{refused:?}");
}
