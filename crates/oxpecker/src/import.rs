//! `oxpecker import`: another balancer's configuration as a native file, and a report of what
//! became of each line.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use oxpecker_import::{Format, Import, Report, Verdict};
use serde_json::json;

use crate::exit::Exit;
use crate::load::Files;

/// Owner and group, and less where the umask says so.
const NEW_FILE_MODE: u32 = 0o640;
/// What neither owner nor group have.
const STRANGERS: u32 = 0o007;

/// Whose configuration it is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Balancer {
    /// HAProxy's haproxy.cfg, or a directory with *.cfg
    Haproxy,
    /// F5 BIG-IP's bigip.conf, what `tmsh list` prints, or `tmsh create` lines
    Bigip,
    /// JSON of `aws elb|elbv2 describe-…`, `aws ec2 describe-instances|describe-security-groups`
    Elb,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum)]
    balancer: Balancer,
    /// What to read; several files are one configuration
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write the native configuration here instead of to standard output
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// Write what could be read even when something was refused
    #[arg(long)]
    partial: bool,
    /// End with status 4 when there are warnings
    #[arg(long)]
    strict: bool,
    /// Form of the report, which goes to standard error
    #[arg(long, value_enum, default_value_t = crate::Format::Text)]
    format: crate::Format,
}

pub(crate) fn import(args: &Args) -> anyhow::Result<Exit> {
    let format = match args.balancer {
        Balancer::Haproxy => Format::Haproxy,
        Balancer::Bigip => Format::Bigip,
        Balancer::Elb => Format::Elb,
    };
    let files = Files::new(&args.files)?;
    let imported = files.import(format)?;
    let refused = imported.checked().is_none();
    if !refused || args.partial {
        write(args, &imported)?;
    }
    show(&imported.report, args.format)?;
    if refused && !args.partial {
        eprintln!("nothing was written: mend what is refused, or write the rest with --partial");
    }
    Ok(match (refused, imported.report.count(Verdict::Warned)) {
        (true, _) => Exit::Configuration,
        (false, 1..) if args.strict => Exit::Warnings,
        (false, _) => Exit::Fine,
    })
}

fn write(args: &Args, imported: &Import) -> anyhow::Result<()> {
    let Some(output) = args.output.as_deref() else {
        return Ok(io::stdout().lock().write_all(imported.text.as_bytes())?);
    };
    // Somebody may have worked on it. Pipes and terminals keep nothing.
    if !args.force && output.metadata().is_ok_and(|found| !is_stream(&found)) {
        return Err(anyhow::Error::new(Exit::Usage).context(format!(
            "{} is there already: write elsewhere, or over it with --force",
            output.display()
        )));
    }
    write_privately(output, &imported.text)
        .with_context(|| format!("failed to write {}", output.display()))
}

fn is_stream(found: &fs::Metadata) -> bool {
    let kind = found.file_type();
    kind.is_fifo() || kind.is_char_device() || kind.is_socket()
}

/// The text may hold the password of a statistics page, so strangers must not read it, whatever
/// the umask. What owner and group of a file that is there already may do stays as it is.
fn write_privately(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(false).mode(NEW_FILE_MODE).open(path)?;
    let meta = file.metadata()?;
    // /dev/stdout or a pipe has no content that stays.
    if meta.is_file() {
        let mode = meta.permissions().mode();
        if mode & STRANGERS != 0 {
            file.set_permissions(fs::Permissions::from_mode(mode & !STRANGERS))?;
        }
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())
}

fn show(report: &Report, format: crate::Format) -> anyhow::Result<()> {
    let mut err = io::stderr().lock();
    match format {
        crate::Format::Text => write!(err, "{report}")?,
        crate::Format::Json => writeln!(err, "{:#}", to_json(report))?,
    }
    Ok(())
}

fn to_json(report: &Report) -> serde_json::Value {
    let directives: Vec<_> = report
        .entries
        .iter()
        .map(|entry| {
            json!({
                "verdict": entry.verdict.as_str(),
                "file": entry.at.file,
                "line": entry.at.line,
                "column": entry.at.column,
                "text": entry.at.line_text.trim(),
                "message": entry.at.message,
                "help": entry.at.help,
            })
        })
        .collect();
    let counts: serde_json::Map<_, _> = Verdict::ALL
        .into_iter()
        .map(|verdict| (verdict.as_str().to_owned(), report.count(verdict).into()))
        .collect();
    json!({ "counts": counts, "directives": directives })
}
