//! Ties the delivery of access logs to the configuration and to the log.

use std::path::Path;
use std::time::Duration;

use oxpecker_config::model::{self, Config};
use oxpecker_config::{Checked, Diagnostic, Severity};
use oxpecker_delivery::{
    Bucket, Delivery, Keys, Layout, Naming, Recorder, SecretKey, Settings, StoreSettings,
    check_store,
};
use oxpecker_proxy::{Log, RecordSink};

/// How long the end of the process may wait for the store. What is not delivered by then waits in
/// the spool.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A delivery that keeps records from now on, and begins when the configuration is installed.
pub(crate) fn start(config: &Config, log: &Log) -> Delivery {
    let (delivery, recorder) = Delivery::new(config.log.delivery.is_some());
    log.add_record_sink(Box::new(Sink(recorder)));
    delivery
}

/// The last records are on their way: gathers them, and delivers what can be delivered quickly.
pub(crate) fn stop(delivery: Delivery, log: &Log) {
    log.flush();
    delivery.stop(STOP_PATIENCE);
}

#[derive(Debug)]
struct Sink(Recorder);

impl RecordSink for Sink {
    fn record(&mut self, line: &str) {
        self.0.record(line);
    }

    fn flush(&mut self) {
        self.0.flush();
    }
}

/// What the configuration asks for; `None` = no delivery.
pub(crate) fn settings(config: &Config) -> Option<Settings> {
    let delivery = config.log.delivery.as_ref()?;
    let host = nix::unistd::gethostname().unwrap_or_default();
    Some(Settings {
        store: store(delivery),
        naming: Naming {
            layout: match delivery.layout {
                model::Layout::Elb => Layout::Elb,
                model::Layout::Flat => Layout::Flat,
            },
            prefix: delivery.prefix.clone(),
            name: delivery.name.clone(),
            account: delivery.account.clone(),
            region: delivery.region.clone(),
            host: host.to_string_lossy().into_owned(),
        },
        interval: delivery.interval,
        spool: delivery.spool.clone(),
        spool_bytes_max: delivery.spool_bytes_max,
    })
}

fn store(delivery: &model::Delivery) -> StoreSettings {
    match &delivery.store {
        model::Store::Directory(path) => StoreSettings::Directory(path.clone()),
        model::Store::Bucket(bucket) => StoreSettings::Bucket(Bucket {
            name: bucket.name.clone(),
            region: delivery.region.clone(),
            endpoint: bucket.endpoint.clone(),
            ca_file: bucket.ca_file.clone(),
            keys: bucket.keys.as_ref().map(|keys| Keys {
                id: keys.id.clone(),
                secret: SecretKey(keys.secret.reveal().to_owned()),
            }),
        }),
    }
}

/// Makes relative names mean "beside the configuration".
pub(crate) fn make_absolute(config: &mut Config, base: &Path) {
    let Some(delivery) = &mut config.log.delivery else { return };
    let of_store = match &mut delivery.store {
        model::Store::Directory(path) => Some(path),
        model::Store::Bucket(bucket) => bucket.ca_file.as_mut(),
    };
    for path in of_store.into_iter().chain([&mut delivery.spool]) {
        *path = base.join(&*path);
    }
}

/// Looks at the files that the delivery needs.
pub(crate) fn audit(checked: Checked) -> Result<Checked, Vec<Diagnostic>> {
    let Some(delivery) = &checked.config.log.delivery else { return Ok(checked) };
    let Err(error) = check_store(&store(delivery)) else { return Ok(checked) };
    let message = oxpecker_proxy::wording::chain(&error);
    let help = "the certificate of the authority that vouches for the store, as PEM";
    let found = checked.locate(Severity::Error, "log.delivery", "ca_file", &message, Some(help));
    let mut diagnostics = checked.warnings;
    diagnostics.push(found);
    Err(diagnostics)
}
