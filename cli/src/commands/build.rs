//! `berth build`

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use berth_builder::build::{Built, Earlier, Error, Request, Stop, build};
use berth_builder::dockerfile::instructions::Network;
use berth_images::{Image, ImageReference, LocalImages, WantedPlatform};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::args::ConnectionArgs;
use crate::build_input::{self, DockerfileText, Secret};
use crate::build_output::Archive;
use crate::build_progress::{BuildProgress, ProgressKind};
use crate::failure::Failure;
use crate::layer_progress::{LayerProgress, Loudness};
use crate::local::{self, DataArgs};
use crate::output;

/// Build an image from a Dockerfile
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  berth build -t 127.0.0.1:5000/team/app:1.2 --push .
  berth build -f docker/Dockerfile --build-arg VERSION=1.2 --target test .
  git archive HEAD | berth build -t app -")]
pub(crate) struct Build {
    /// What the image is called, as [HOST[:PORT]/]REPOSITORY[:TAG]
    #[arg(short, long, value_name = "REF")]
    tag: Vec<ImageReference>,

    /// The Dockerfile, '-' being standard input [default: CONTEXT/Dockerfile]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// A value for an ARG; without one the variable's of this name
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,

    /// Stop after this stage
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,

    /// A secret for RUN --mount=type=secret, from a file or a variable
    #[arg(long, value_name = "id=ID[,src=FILE|,env=NAME]")]
    secret: Vec<Secret>,

    /// A label of the image
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,

    /// What the image is for; this machine's kind is the only one there is
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<WantedPlatform>,

    /// The network of RUN
    #[arg(long, value_name = "NETWORK", default_value = "default")]
    network: NetworkKind,

    /// Ask the registry for newer base images
    #[arg(long)]
    pull: bool,

    /// Push the image under its names
    #[arg(long, requires = "tag")]
    push: bool,

    /// Use no layer of an earlier build
    #[arg(long)]
    no_cache: bool,

    /// Write an archive of the image, too
    #[arg(short, long, value_name = "type=oci|docker,dest=FILE")]
    output: Option<Archive>,

    /// Write the image's id to a file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,

    /// Write what was built to a file, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,

    /// How to show what happens
    #[arg(long, value_name = "KIND", default_value = "auto")]
    progress: ProgressKind,

    /// Print nothing but the image's id
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    connection: ConnectionArgs,

    #[command(flatten)]
    data: DataArgs,

    /// The folder whose files may be copied, or '-' for an archive of it, or a Dockerfile, on standard input
    #[arg(value_name = "CONTEXT|-")]
    context: PathBuf,
}

/// What `--network` may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NetworkKind {
    /// The host's, as long as there is no other.
    Default,
    None,
    Host,
}

impl Build {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let failed = |wrong: String| Failure::new(format!("building {}", self.context.display()), wrong);
        if !rustix::process::geteuid().is_root() {
            return Err(failed("building needs root, as running containers does".to_owned()));
        }
        let images = self.data.images()?;
        // What looks after a command has another working folder.
        let root = std::path::absolute(images.root()).map_err(|error| failed(error.to_string()))?;
        let images = LocalImages::open(&root).map_err(|error| failed(error.to_string()))?;
        let (context, dockerfile) =
            build_input::read(&images, &self.context, self.file.as_deref()).map_err(failed)?;
        let request = self.request(context, &dockerfile)?;
        let progress =
            BuildProgress::new(self.progress, if self.quiet { Loudness::Quiet } else { Loudness::Normal });
        for warning in &request.dockerfile.warnings {
            progress.note(format_args!("berth: warning: {} {warning}", dockerfile.name));
        }
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let began = i64::try_from(began).unwrap_or(i64::MAX);
        let stop = Stop::default();
        let find = |name: &str| self.find_image(&images, name);
        let built = local::stop_on_signals(
            || stop.stop(),
            || build(&images, &request, &find, began, &stop, &|event| progress.show(event)),
        );
        let built = built.map_err(failed)?.map_err(|error| self.failure(&error, &dockerfile, &progress))?;
        self.finish(&images, &built)
    }

    fn request(
        &self,
        context: berth_builder::build::Context,
        file: &DockerfileText,
    ) -> Result<Request, Failure> {
        let failed = |wrong: String| Failure::new(format!("building {}", self.context.display()), wrong);
        let dockerfile = berth_builder::Dockerfile::parse(&file.text)
            .map_err(|problem| failed(format!("{} {problem}", file.name)))?;
        let own = WantedPlatform::of_this_machine();
        if let Some(wanted) = self.platform.as_ref().filter(|wanted| **wanted != own) {
            return Err(failed(format!("only images for {own} can be built here, not for {wanted}")));
        }
        let pairs = |list: &[String]| -> Vec<(String, String)> {
            let pair = |text: &String| match text.split_once('=') {
                Some((name, value)) => Some((name.to_owned(), value.to_owned())),
                None => std::env::var(text).ok().map(|value| (text.clone(), value)),
            };
            list.iter().filter_map(pair).collect()
        };
        let label = |text: &String| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        let epoch = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(text) if !text.is_empty() => Some(text.parse().map_err(|_| {
                failed(format!("SOURCE_DATE_EPOCH is '{text}', which is no number of seconds since 1970"))
            })?),
            Ok(_) | Err(_) => None,
        };
        let secrets = self.secret.iter().map(Secret::read).collect::<Result<_, _>>().map_err(failed)?;
        Ok(Request {
            dockerfile,
            context,
            arguments: pairs(&self.build_arg).into_iter().collect(),
            target: self.target.clone(),
            platform: own.to_platform(),
            labels: self.label.iter().map(label).collect(),
            secrets,
            epoch,
            earlier: if self.no_cache { Earlier::Ignored } else { Earlier::Used },
            network: match self.network {
                NetworkKind::Default => Network::Default,
                NetworkKind::None => Network::None,
                NetworkKind::Host => Network::Host,
            },
        })
    }

    /// The image of a `FROM` or `--from`: the one that is here, or the registry's.
    fn find_image(&self, images: &LocalImages, name: &str) -> Result<Image, String> {
        if !self.pull
            && let Some(image) = images.find(name).map_err(|error| error.to_string())?
        {
            let own = WantedPlatform::of_this_machine();
            let (os, architecture) = (&image.config.os, &image.config.architecture);
            return match own.is_of(&image.config) {
                true => Ok(image),
                false => Err(format!("it is for {os}/{architecture}, not for {own}; use --pull")),
            };
        }
        let reference = name.parse::<ImageReference>().map_err(|error| error.to_string())?;
        let registry = local::registry(&reference, self.connection.reach())?;
        let progress = LayerProgress::new(if self.quiet { Loudness::Quiet } else { Loudness::Normal });
        let show = |event: berth_images::Event<'_>| progress.show(event);
        let pulling = berth_images::pull(images, &registry, &reference, None, &show);
        local::wait_for(pulling)?.map(|pulled| pulled.image).map_err(|error| error.to_string())
    }

    /// The sentence for what went wrong, after the lines that led to it.
    fn failure(&self, error: &Error, dockerfile: &DockerfileText, progress: &BuildProgress) -> Failure {
        if let Error::Step(step) = error {
            progress.failed_step(step, dockerfile);
        }
        let wrong = match error {
            Error::Dockerfile(problem) => format!("{} {problem}", dockerfile.name),
            Error::Step(step) => format!("{} {}: {}", dockerfile.name, step.lines, step.wrong),
            Error::Asked(_) | Error::Other(_) | Error::Stopped => error.to_string(),
        };
        Failure::new(format!("building {}", self.context.display()), wrong)
    }

    /// Names the image, pushes it and writes down what it is.
    fn finish(&self, images: &LocalImages, built: &Built) -> Result<(), Failure> {
        let failed = |wrong: String| Failure::new("keeping the image", wrong);
        let image = images
            .keep_made_image(&built.config, &built.layers, &self.tag)
            .map_err(|error| failed(error.to_string()))?;
        if let Some(archive) = &self.output {
            archive
                .write(images, &image, &self.tag)
                .map_err(|wrong| Failure::new("writing the archive", wrong))?;
        }
        if self.push {
            for reference in &self.tag {
                let failed = |wrong: String| Failure::new(format!("pushing {reference}"), wrong);
                let registry = local::registry(reference, self.connection.reach()).map_err(failed)?;
                let progress =
                    LayerProgress::new(if self.quiet { Loudness::Quiet } else { Loudness::Normal });
                let show = |event: berth_images::Event<'_>| progress.show(event);
                let pushing = berth_images::push(images, &registry, reference, &image, &show);
                local::wait_for(pushing).map_err(failed)?.map_err(|error| failed(error.to_string()))?;
            }
        }
        if let Some(path) = &self.iidfile {
            write_whole(path, image.id.as_str())?;
        }
        if let Some(path) = &self.metadata_file {
            let names: Vec<String> = self.tag.iter().map(ImageReference::whole).collect();
            let metadata = json!({
                "containerimage.config.digest": image.id,
                "containerimage.descriptor": {
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "digest": image.manifest_digest,
                    "size": image.manifest_size,
                },
                "containerimage.digest": image.manifest_digest,
                "image.name": names.join(","),
            });
            write_whole(path, &format!("{metadata:#}\n"))?;
        }
        if !self.quiet {
            for reference in &self.tag {
                output::note(format_args!("Named {reference}"));
            }
        }
        match self.output.as_ref().is_some_and(Archive::is_stdout) {
            true => Ok(()),
            false => output::result(&image.id),
        }
    }
}

/// Writes a file whole or not at all.
fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error| Failure::new(format!("writing {}", path.display()), error))
}
