//! Reads configuration files, directories and secrets; the checking itself is pure.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use oxpecker_config::{Checked, Diagnostic, Input, Source};
use oxpecker_import::{Format, Import, Trace};
use oxpecker_proxy::wording;

use crate::admin;
use crate::certificates;
use crate::delivery;
use crate::exit::Exit;

const DEFAULT_FILE: &str = "/etc/oxpecker/oxpecker.toml";
const DEFAULT_DIRECTORY: &str = "/etc/oxpecker/conf.d";

/// A configuration is text written by people; anything larger is the wrong file.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Where a configuration is read from, now and at every reload.
///
/// The directory of the first file is kept open, so that a reload after `chroot` still finds
/// the files, and relative names of secrets and certificates mean "beside the configuration".
#[derive(Debug)]
pub(crate) struct Files {
    paths: Vec<PathBuf>,
    base: PathBuf,
    base_fd: OwnedFd,
}

impl Files {
    pub(crate) fn new(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let paths = if paths.is_empty() { default_paths() } else { paths.to_vec() };
        let first = &paths[0];
        let base = if first.is_dir() { first.clone() } else { parent(first) };
        let base = fs::canonicalize(&base)
            .with_context(|| format!("failed to find the directory of {}", first.display()))?;
        let base_fd = OwnedFd::from(
            File::open(&base).with_context(|| format!("failed to open {}", base.display()))?,
        );
        let paths = paths.iter().map(|path| absolute(path)).collect();
        Ok(Self { paths, base, base_fd })
    }

    /// The same as `load`, and opens the certificate files that the configuration names.
    pub(crate) fn load_all(&self) -> anyhow::Result<Result<Checked, Vec<Diagnostic>>> {
        let (checked, trace) = match self.read()? {
            Ok(read) => read,
            Err(diagnostics) => return Ok(Err(diagnostics)),
        };
        let Some(trace) = trace else { return Ok(audit(checked)) };
        // What is wrong with a file is told where the foreign text names it.
        let foreign = |found: Vec<Diagnostic>| found.into_iter().filter_map(|d| trace.foreign(d));
        Ok(match audit(checked) {
            Ok(mut checked) => {
                checked.warnings = foreign(checked.warnings).collect();
                Ok(checked)
            }
            Err(diagnostics) => Err(foreign(diagnostics).collect()),
        })
    }

    /// Reads all files and checks them. The outer error: something could not be read.
    pub(crate) fn load(&self) -> anyhow::Result<Result<Checked, Vec<Diagnostic>>> {
        Ok(self.read()?.map(|(checked, _)| checked))
    }

    fn read(&self) -> anyhow::Result<Checking> {
        let (syntax, inputs) = self.inputs(None)?;
        let read = match syntax {
            Syntax::Native => oxpecker_config::check(&inputs, self).map(|checked| (checked, None)),
            Syntax::Foreign(format) => oxpecker_import::import(format, &inputs, self)
                .into_checked()
                .map(|(checked, trace)| (checked, Some(trace))),
        };
        Ok(read.map(|(mut checked, trace)| {
            certificates::make_absolute(&mut checked.config, &self.base);
            delivery::make_absolute(&mut checked.config, &self.base);
            admin::make_absolute(&mut checked.config, &self.base);
            (checked, trace)
        }))
    }

    /// Reads all files as the configuration of another balancer, whatever they are called.
    pub(crate) fn import(&self, format: Format) -> anyhow::Result<Import> {
        let (_, inputs) = self.inputs(Some(Syntax::Foreign(format)))?;
        Ok(oxpecker_import::import(format, &inputs, self))
    }

    /// All texts, and the one language they are in.
    fn inputs(&self, given: Option<Syntax>) -> anyhow::Result<(Syntax, Vec<Input>)> {
        let mut inputs = Vec::new();
        let mut syntax: Option<(Syntax, &Path)> = None;
        for path in &self.paths {
            let found = match given {
                Some(given) => given,
                None => self.syntax_of(path)?,
            };
            if let Some((other, first)) = syntax
                && other != found
            {
                return Err(anyhow::Error::new(Exit::Usage).context(format!(
                    "{} is {}, and {} is {}; one configuration has one language \
                     (`oxpecker import` translates)",
                    first.display(),
                    other.title(),
                    path.display(),
                    found.title(),
                )));
            }
            syntax = Some((found, path));
            self.collect(path, found, &mut inputs)?;
        }
        let (syntax, first) = syntax.unwrap_or((Syntax::Native, &self.paths[0]));
        if inputs.is_empty() {
            let nothing = format!("no *.{} file in {}", syntax.extension(), first.display());
            return Err(anyhow::Error::new(Exit::Configuration).context(nothing));
        }
        Ok((syntax, inputs))
    }

    /// By the extension; a directory is HAProxy's when it has *.cfg and no *.toml.
    fn syntax_of(&self, path: &Path) -> anyhow::Result<Syntax> {
        if !self.is_dir(path) {
            return Ok(Syntax::of(path));
        }
        let names =
            self.list(path).with_context(|| format!("failed to list {}", path.display()))?;
        let has = |syntax: Syntax| names.iter().any(|name| is_fragment(name, syntax));
        let haproxy = Syntax::Foreign(Format::Haproxy);
        Ok(if !has(Syntax::Native) && has(haproxy) { haproxy } else { Syntax::Native })
    }

    fn collect(&self, path: &Path, syntax: Syntax, inputs: &mut Vec<Input>) -> anyhow::Result<()> {
        if self.is_dir(path) {
            let mut names: Vec<PathBuf> = self
                .list(path)
                .with_context(|| format!("failed to list {}", path.display()))?
                .into_iter()
                .filter(|name| is_fragment(name, syntax) && !self.is_dir(&path.join(name)))
                .collect();
            // Byte order, whatever the locale: 10-pools.toml comes before 20-virtuals.toml.
            names.sort();
            for name in names {
                self.collect(&path.join(name), syntax, inputs)?;
            }
            return Ok(());
        }
        let text = Source::read(self, path)
            .with_context(|| format!("failed to read {}", path.display()))
            .map_err(|error| error.context(Exit::Configuration))?;
        inputs.push(Input::new(path.display().to_string(), text));
        Ok(())
    }

    fn is_dir(&self, path: &Path) -> bool {
        match self.below_base(path) {
            Some(relative) if relative.as_os_str().is_empty() => true,
            Some(relative) => {
                let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
                openat(&self.base_fd, relative, flags, Mode::empty()).is_ok()
            }
            None => path.is_dir(),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let name = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        match self.below_base(path) {
            Some(relative) => {
                let relative =
                    if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
                let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
                let mut dir = nix::dir::Dir::openat(&self.base_fd, relative, flags, Mode::empty())?;
                dir.iter()
                    .map(|entry| Ok(name(entry?.file_name().to_bytes())))
                    .collect::<Result<_, nix::Error>>()
                    .map_err(Into::into)
            }
            None => {
                fs::read_dir(path)?.map(|entry| Ok(PathBuf::from(entry?.file_name()))).collect()
            }
        }
    }

    fn below_base<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        path.strip_prefix(&self.base).ok()
    }
}

/// A good configuration, with the way back to the text of another balancer when it is one.
type Checking = Result<(Checked, Option<Trace>), Vec<Diagnostic>>;

impl Source for Files {
    fn read(&self, path: &Path) -> io::Result<String> {
        // For diagnostics and commands alike.
        let in_words = |error: io::Error| io::Error::new(error.kind(), wording::in_words(&error));
        self.read_text(path).map_err(in_words)
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

impl Files {
    fn read_text(&self, path: &Path) -> io::Result<String> {
        let relative = if path.is_relative() { Some(path) } else { self.below_base(path) };
        let file = match relative {
            Some(relative) => {
                let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
                File::from(openat(&self.base_fd, relative, flags, Mode::empty())?)
            }
            None => File::open(path)?,
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes")));
        }
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let good = String::from_utf8_lossy(&error.as_bytes()[..at]).into_owned();
            let (line, rest) = (good.matches('\n').count() + 1, good.rsplit('\n').next());
            let column = rest.map_or(0, |rest| rest.chars().count()) + 1;
            let words = format!(
                "not UTF-8 text (line {line}, column {column}): if it is in Latin-1, \
                 `iconv -f latin1 -t utf8 {} > NEW` makes it so",
                path.display()
            );
            io::Error::new(io::ErrorKind::InvalidData, words)
        })
    }
}

/// Opens the files that a configuration names.
fn audit(checked: Checked) -> Result<Checked, Vec<Diagnostic>> {
    certificates::audit(checked).and_then(delivery::audit)
}

fn default_paths() -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(DEFAULT_FILE)];
    paths.extend(Some(PathBuf::from(DEFAULT_DIRECTORY)).filter(|path| path.is_dir()));
    paths
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// With its directory made canonical, so that it can be found below `base`.
fn absolute(path: &Path) -> PathBuf {
    let directory = if path.is_dir() { path.to_owned() } else { parent(path) };
    match (fs::canonicalize(&directory), path.is_dir(), path.file_name()) {
        (Ok(directory), true, _) => directory,
        (Ok(directory), false, Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

/// The language of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Native,
    Foreign(Format),
}

impl Syntax {
    fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("cfg") => Self::Foreign(Format::Haproxy),
            Some("conf") => Self::Foreign(Format::Bigip),
            Some("json") => Self::Foreign(Format::Elb),
            _ => Self::Native,
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Native => "toml",
            Self::Foreign(Format::Haproxy) => "cfg",
            Self::Foreign(Format::Bigip) => "conf",
            Self::Foreign(Format::Elb) => "json",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Foreign(format) => format.title(),
        }
    }
}

/// `*.toml`, or `*.cfg` for HAProxy, and not hidden: editors and package managers leave other
/// things in conf.d.
fn is_fragment(name: &Path, syntax: Syntax) -> bool {
    let hidden = name.to_string_lossy().starts_with('.');
    !hidden && name.extension().is_some_and(|extension| extension == syntax.extension())
}
