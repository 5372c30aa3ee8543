//! A gateway on a thread of its own, as the binary runs it: requests are answered in its loop.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use oxpecker_config::{Input, Maps};
use oxpecker_proxy::control::{CommandError, Handle, Request, Who};
use oxpecker_proxy::{Gateway, Log};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

/// Ends with the value.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    files: Arc<Mutex<String>>,
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

pub(crate) fn who() -> Who {
    Who::new("admin:alice")
}

pub(crate) fn config(text: &str) -> oxpecker_config::Config {
    match oxpecker_config::check(&[Input::new("oxpecker.toml", text)], &Maps::default()) {
        Ok(checked) => checked.config,
        Err(problems) => panic!("{}", problems[0]),
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl Running {
    pub(crate) fn start(text: &str) -> Self {
        Self::with_state(text, None)
    }

    pub(crate) fn with_state(text: &str, state: Option<&Path>) -> Self {
        let files = Arc::new(Mutex::new(format!("{HEAD}{text}")));
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (for_thread, state) = (Arc::clone(&files), state.map(PathBuf::from));
        let thread = thread::spawn(move || {
            runtime().block_on(async {
                let config = config(&for_thread.lock().unwrap());
                let log = Log::start(&config.log).unwrap();
                let gateway = Gateway::start_with(&config, log, Vec::new(), state.as_deref());
                let mut gateway = gateway.await.unwrap();
                let (handle, requests) = gateway.control();
                ready.send(handle).unwrap();
                serve(&mut gateway, requests, &for_thread, stopped).await;
                gateway.cut_all().await;
            });
        });
        let handle = is_ready.recv().unwrap();
        Self { handle, files, runtime: runtime(), stop: Some(stop), thread: Some(thread) }
    }

    /// Waits for an asynchronous command.
    pub(crate) fn wait<T>(&self, command: impl Future<Output = T>) -> T {
        self.runtime.block_on(command)
    }

    pub(crate) fn reload(&self, text: &str) -> Result<(), CommandError> {
        *self.files.lock().unwrap() = format!("{HEAD}{text}");
        self.wait(self.handle.reload(who()))
    }

    /// Texts of the events about `subject`.
    pub(crate) fn texts(&self, subject: &str) -> Vec<String> {
        let events = self.handle.events(0, usize::MAX);
        let about = events.into_iter().filter(|event| event.subject == subject);
        about.map(|event| format!("{} {}: {}", event.who, event.kind.word(), event.text)).collect()
    }
}

/// Two threads, so that what is summed over them is a sum; nothing on the test's own output.
const HEAD: &str = "process.threads = 2\nlog.access = \"off\"\nlog.level = \"crit\"\n";

async fn serve(
    gateway: &mut Gateway,
    mut requests: tokio::sync::mpsc::Receiver<Request>,
    files: &Mutex<String>,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        let request = tokio::select! {
            _ = &mut stopped => return,
            request = requests.recv() => request,
        };
        let Some(request) = request else { return };
        let Some(Request { who, answer, .. }) = gateway.answer(request).await else { continue };
        let text = files.lock().unwrap().clone();
        let input = [Input::new("oxpecker.toml", text)];
        let result = match oxpecker_config::check(&input, &Maps::default()) {
            Ok(checked) => {
                gateway.apply(&checked.config, &who).await.map_err(|error| error.to_string())
            }
            Err(problems) => Err(problems[0].message.clone()),
        };
        gateway.reloaded(&who, result.as_ref().copied().map_err(String::as_str));
        let _ = answer.send(result.map_err(CommandError::Refused));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the gateway's thread panicked");
        }
    }
}
