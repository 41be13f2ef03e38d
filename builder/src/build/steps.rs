//! The steps of one stage, one after the other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use berth_images::{LocalImages, MadeLayer};
use berth_oci::Digest;
use berth_runner::{Mounted, with_mounted};

use super::content::Values;
use super::event::{Event, Tell, What};
use super::files::{self, Copying};
use super::hashes::Hashes;
use super::layers::{Workplace, view};
use super::mounts::{self, Given};
use super::run::{self, Watch};
use super::settle::Times;
use super::snapshot::Snapshot;
use super::source::{Files, Source};
use super::stages::{Outcome, Outcomes};
use super::stop::Stop;
use super::wrong::{At, Error, Wrong};
use super::{Bases, Earlier, Request};
use crate::dockerfile::Global;
use crate::dockerfile::instructions::Network;
use crate::image::{CommandStep, Draft, Step};
use crate::plan::{Origin, Plan, PlannedStep, Written};

/// What the keys of steps begin with: another version of this makes other layers.
const VERSION: &str = "berth build 2";

/// What all stages of a build share.
pub(super) struct Builder<'b> {
    local: &'b LocalImages,
    request: &'b Request,
    global: &'b Global,
    bases: &'b Bases,
    context: Source,
    times: Times,
    pub(super) stop: &'b Stop,
    tell: Tell<'b>,
    steps: AtomicUsize,
    made: Mutex<Vec<(Digest, MadeLayer)>>,
}

/// What is to be done in a step, everything looked up.
enum Work {
    Run(Box<CommandStep>, Vec<Option<Snapshot>>),
    Copy(Copying, Option<Snapshot>),
    Folder { path: String, user: String },
}

impl<'b> Builder<'b> {
    pub(super) fn new(
        local: &'b LocalImages,
        request: &'b Request,
        global: &'b Global,
        bases: &'b Bases,
        began: i64,
        stop: &'b Stop,
        tell: Tell<'b>,
    ) -> Self {
        let epoch = i64::try_from(request.epoch.unwrap_or(0)).unwrap_or(i64::MAX);
        let newest = if request.epoch.is_some() { epoch } else { i64::MAX };
        let context = Source {
            root: request.context.root.clone(),
            ignore: request.context.ignore.clone(),
            files: Files::OfContext(epoch),
            name: request.context.name.clone(),
            hashes: Some(Hashes::read(&local.file_hashes())),
        };
        Self {
            local,
            request,
            global,
            bases,
            context,
            times: Times { began, epoch, newest },
            stop,
            tell,
            steps: AtomicUsize::new(0),
            made: Mutex::default(),
        }
    }

    /// The layers that were made, with the keys of their steps.
    pub(super) fn made(&self) -> Vec<(Digest, MadeLayer)> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is to be noted of the context's files for later builds, if it isn't.
    pub(super) fn file_hashes(&self) -> Option<String> {
        self.context.hashes.as_ref().and_then(Hashes::text)
    }

    /// Builds a stage whose needs are met.
    pub(super) fn stage(
        &self,
        plan: &Plan,
        number: usize,
        outcomes: &Outcomes<'b>,
    ) -> Result<Outcome<'b>, Error> {
        let stage = plan.stage(number);
        let (mut draft, mut snapshot) = match &stage.base {
            Origin::Scratch => (Draft::scratch(self.global), Snapshot::scratch()),
            Origin::Stage(base) => {
                let (draft, snapshot) = outcomes.wait_for(*base).ok_or(Error::Stopped)?;
                (Draft::from_stage(&draft), snapshot)
            }
            Origin::Image(name) => {
                let base = &self.bases[name];
                let draft = Draft::from_image(self.global, base.image.config.clone());
                (draft, Snapshot::of_image(&base.image, &base.folders))
            }
        };
        let mut counted = usize::from(matches!(stage.base, Origin::Image(_)));
        for step in &stage.steps {
            if self.stop.is_asked() {
                return Err(Error::Stopped);
            }
            let lines = step.instruction.source.lines;
            let done = draft.apply(&step.instruction)?;
            if done == Step::Nothing {
                continue;
            }
            counted += 1;
            let trigger = if step.written == Written::InBase { "ONBUILD " } else { "" };
            let shown = draft.shown(&step.instruction);
            let name = format!("{} {trigger}{shown}", plan.label(number, counted));
            let number = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
            let say = |what| (self.tell)(Event { step: number, name: &name, what });
            say(What::Began);
            let watch = Watch { stop: self.stop, tell: self.tell, step: number, name: &name };
            let began = Instant::now();
            let outcome =
                self.work(done, step, outcomes).and_then(|work| self.step(&work, &mut snapshot, watch));
            match outcome {
                Ok(Earlier::Used) => say(What::Cached),
                Ok(Earlier::Ignored) => say(What::Done(began.elapsed())),
                Err(wrong) => {
                    say(What::Failed);
                    return Err(wrong.of_step(lines, &name));
                }
            }
        }
        Ok((draft, snapshot))
    }

    fn work(&self, done: Step, step: &PlannedStep, outcomes: &Outcomes<'b>) -> Result<Work, Wrong> {
        let find = |origin: &Origin| self.origin(origin, outcomes);
        Ok(match done {
            Step::Nothing => return Err(Wrong::new("there is nothing to do")),
            Step::Run(mut command) => {
                run::check(&command)?;
                mounts::check(&command.mounts, &self.request.secrets)?;
                if command.network == Network::Default {
                    command.network = self.request.network;
                }
                Work::Run(command, mounts::origins(&step.origins, find)?)
            }
            Step::Copy { copy, destination } => {
                let from = step.origins.first().and_then(Option::as_ref).map(find).transpose()?;
                Work::Copy(Copying::of_copy(copy, destination)?, from)
            }
            Step::Add { add, destination } => Work::Copy(Copying::of_add(add, destination)?, None),
            Step::Folder { path, user } => Work::Folder { path, user },
        })
    }

    fn origin(&self, origin: &Origin, outcomes: &Outcomes<'b>) -> Result<Snapshot, Wrong> {
        match origin {
            Origin::Scratch => Ok(Snapshot::scratch()),
            Origin::Stage(number) => {
                outcomes.wait_for(*number).map(|(_, snapshot)| snapshot).ok_or(Wrong::Stopped)
            }
            Origin::Image(name) => {
                let base = &self.bases[name];
                Ok(Snapshot::of_image(&base.image, &base.folders))
            }
        }
    }

    /// Adds the step's layer to the snapshot; whether it was here from before.
    fn step(&self, work: &Work, snapshot: &mut Snapshot, watch: Watch<'_>) -> Result<Earlier, Wrong> {
        let given = Given {
            origins: match work {
                Work::Run(_, origins) => origins.clone(),
                Work::Copy(..) | Work::Folder { .. } => Vec::new(),
            },
            context: &self.context,
            secrets: &self.request.secrets,
            caches: &self.local.root().join("caches"),
        };
        let key = self.key(work, snapshot, &given)?;
        if self.request.earlier == Earlier::Used
            && let Some(made) = self.made_before(&key)?
        {
            snapshot.push(key, made);
            return Ok(Earlier::Used);
        }
        let workplace = Workplace::over(self.local, snapshot.folders())?;
        let mut stubs = Vec::new();
        match work {
            Work::Run(command, _) => {
                stubs = run::perform(command, &self.global.proxies(), &given, &workplace, watch)?;
            }
            Work::Copy(copying, from) => self.copy(copying, from.as_ref(), &workplace)?,
            Work::Folder { path, user } => {
                let root = workplace.root();
                with_mounted(&[Mounted::Layers(&root)], || {
                    files::make_workdir(&root.merged, path, user, self.times.epoch)
                })??;
            }
        }
        let made = workplace.keep(self.local, self.times, &stubs)?;
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push((key.clone(), made.clone()));
        snapshot.push(key, made);
        Ok(Earlier::Ignored)
    }

    fn made_before(&self, key: &Digest) -> Result<Option<MadeLayer>, Wrong> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match made.iter().find(|(known, _)| known == key) {
            Some((_, made)) => Ok(Some(made.clone())),
            None => Ok(self.local.made_before(key)?),
        }
    }

    /// A digest of all that the step's layer depends on.
    fn key(&self, work: &Work, snapshot: &Snapshot, given: &Given<'_>) -> Result<Digest, Wrong> {
        let mut values = Values::new();
        for part in [VERSION, crate::layer::COMPRESSOR, snapshot.key.as_str()] {
            values.add(part);
        }
        values.add(format!("{:?} {:?}", self.request.epoch, self.request.platform));
        match work {
            Work::Run(command, _) => {
                values.add("run");
                run::add_to(&mut values, command);
                mounts::add_to(&mut values, &command.mounts, given)?;
            }
            Work::Copy(copying, from) => {
                values.add("copy");
                match from {
                    None => copying.add_to(&mut values, &self.context)?,
                    Some(from) => self.with_files_of(from, |source| copying.add_to(&mut values, source))?,
                }
            }
            Work::Folder { path, user } => {
                values.add("folder");
                values.add(path);
                values.add(user);
            }
        }
        Ok(values.finish())
    }

    fn copy(&self, copying: &Copying, from: Option<&Snapshot>, workplace: &Workplace) -> Result<(), Wrong> {
        let root = workplace.root();
        let work = workplace.folder("aside")?;
        let perform = |source: &Source| {
            with_mounted(&[Mounted::Layers(&root)], || {
                copying.perform(source, &root.merged, &work, self.times.epoch)
            })?
        };
        match from {
            None => perform(&self.context),
            Some(from) => self.with_files_of(from, perform),
        }
    }

    /// Does `work` with the files of a stage or an image.
    fn with_files_of<T: Send>(
        &self,
        from: &Snapshot,
        work: impl FnOnce(&Source) -> Result<T, Wrong> + Send,
    ) -> Result<T, Wrong> {
        let scratch = self.local.scratch()?;
        let view = view(from.folders(), scratch.path(), "from");
        let source = Source {
            root: view.merged.clone(),
            ignore: Default::default(),
            files: Files::OfImage,
            name: "what it is copied from".to_owned(),
            hashes: None,
        };
        if from.layers.is_empty() {
            std::fs::create_dir_all(&source.root).at("making", &source.root)?;
            return work(&source);
        }
        with_mounted(&[Mounted::Layers(&view)], || work(&source))?
    }
}
