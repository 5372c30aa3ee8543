//! A gateway within the test's process: for what nobody sees from outside yet.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use oxpecker_config::{Input, Maps};
use oxpecker_proxy::control::Handle;
use oxpecker_proxy::{Gateway, Log};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// Its log says nothing. It ends with this value.
pub(crate) struct Inside {
    pub(crate) handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Inside {
    #[track_caller]
    pub(crate) fn start(config: &str) -> Self {
        let text = format!("[log]\naccess = \"off\"\n{config}");
        let checked = oxpecker_config::check(&[Input::new("inside.toml", text)], &Maps::default());
        let config = checked.unwrap_or_else(|problems| panic!("{problems:#?}")).config;
        let (stop, stopped) = oneshot::channel();
        let (started, handle) = mpsc::channel();
        let thread = thread::spawn(move || {
            let log = Log::start(&config.log).unwrap();
            runtime().block_on(async {
                let gateway = Gateway::start(&config, log, Vec::new()).await.unwrap();
                started.send(gateway.control().0).unwrap();
                let _ = stopped.await;
            });
        });
        let handle = handle.recv().expect("the gateway starts");
        Self { handle, stop: Some(stop), thread: Some(thread) }
    }

    /// On a runtime of the caller's.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        runtime().block_on(future)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
