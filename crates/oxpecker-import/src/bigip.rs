//! F5 BIG-IP's configuration: `bigip.conf`, what `tmsh list` prints, and `tmsh create …` lines.
//!
//! `tokens` splits the text, `objects` finds objects and their properties and follows
//! `defaults-from`, the others turn objects into tables of ours.

mod monitor;
mod objects;
mod pool;
mod profiles;
mod tokens;
mod virtual_server;

use std::collections::{BTreeSet, HashMap};

use crate::Mapped;
use crate::files::{Files, Span};
use crate::native::Native;
use crate::report::Notes;
use objects::{Object, Objects};

/// What all steps share.
struct Ctx<'f> {
    notes: Notes,
    secrets: Vec<Span>,
    native: Native,
    files: &'f Files,
    /// Native names of what has been written, by kind and path.
    written: HashMap<(&'static str, String), String>,
    /// Paths of objects that something uses.
    used: BTreeSet<(&'static str, String)>,
    /// Paths of pools whose members are spoken to by TLS.
    encrypted: BTreeSet<String>,
    /// Addresses of native nodes.
    addresses: HashMap<String, String>,
}

/// Reads the files in order.
pub(crate) fn read(files: &Files) -> Mapped {
    let mut ctx = Ctx {
        notes: Notes::default(),
        secrets: Vec::new(),
        native: Native::new(),
        files,
        written: HashMap::new(),
        used: BTreeSet::new(),
        encrypted: BTreeSet::new(),
        addresses: HashMap::new(),
    };
    let objects = objects::parse(files, &mut ctx.notes, &mut ctx.secrets);
    ctx.encrypted = virtual_server::encrypted_pools(&objects);
    for object in objects.of("virtual") {
        if ctx.notes.is_full() {
            break;
        }
        virtual_server::add(&mut ctx, &objects, object);
    }
    left_out(&mut ctx, &objects);
    Mapped { native: ctx.native, notes: ctx.notes, secrets: ctx.secrets }
}

/// Objects of kinds that are read, and that no virtual server leads to.
fn left_out(ctx: &mut Ctx<'_>, objects: &Objects) {
    for object in objects.all() {
        let key = (object.kind, object.path.clone());
        if object.kind != "virtual" && !ctx.used.contains(&key) {
            ctx.notes.drop(object.head, "nothing uses it");
            for property in &object.properties {
                ctx.notes.drop(property.span, "nothing uses it");
            }
        }
    }
}

impl Ctx<'_> {
    fn uses(&mut self, object: &Object) {
        self.used.insert((object.kind, object.path.clone()));
    }
}

/// `/Common/pool-1` as a name: the partition counts where it is not the usual one.
fn plain_name(path: &str) -> String {
    let name = path.strip_prefix("/Common/").unwrap_or(path);
    name.trim_start_matches('/').replace('/', "-")
}
