//! Node names to addresses: at start, and again and again; the last good answer is kept.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use oxpecker_config::model::{Config, Host};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::state::{NodeState, Topology};

/// The system's resolver does not tell how long an answer is good; this is a common TTL.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// A resolver that is dead must hold up neither start nor reload for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One lookup. Several addresses: the least, so that every gateway takes the same one.
pub(crate) async fn lookup(name: &str) -> Result<IpAddr, String> {
    let lookup = timeout(PATIENCE, tokio::net::lookup_host((name, 0)));
    let addresses = match lookup.await {
        Err(_) => return Err(format!("no answer within {PATIENCE:?}")),
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(addresses)) => addresses,
    };
    // IPv4 sorts before IPv6, as impalads mostly listen on the former.
    addresses.map(|address| address.ip()).min().ok_or_else(|| "no address".to_owned())
}

/// Addresses of all nodes, in their order; the names are looked up side by side.
pub(crate) async fn lookup_all(config: &Config) -> Vec<Option<IpAddr>> {
    let mut lookups = Vec::new();
    for node in &config.nodes {
        lookups.push(match &node.address {
            Host::Ip(ip) => Err(*ip),
            Host::Name(name) => {
                let name = name.clone();
                Ok((name.clone(), tokio::spawn(async move { lookup(&name).await })))
            }
        });
    }
    let mut addresses = Vec::new();
    for lookup in lookups {
        addresses.push(match lookup {
            Err(ip) => Some(ip),
            Ok((name, task)) => match task.await {
                Ok(Ok(address)) => Some(address),
                Ok(Err(error)) => {
                    tracing::warn!(
                        name,
                        error,
                        "failed to resolve a node's name; trying again and again"
                    );
                    None
                }
                Err(_) => None,
            },
        });
    }
    addresses
}

/// The nodes whose names are looked up again and again.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    running: HashMap<String, Running>,
}

#[derive(Debug)]
struct Running {
    node: Arc<NodeState>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Resolver {
    pub(crate) fn apply(&mut self, topology: &Topology) {
        let mut before = std::mem::take(&mut self.running);
        for node in &topology.nodes {
            let Host::Name(name) = &node.host else { continue };
            let kept = before.remove(&node.name).filter(|running| Arc::ptr_eq(&running.node, node));
            let running = kept.unwrap_or_else(|| Running {
                node: Arc::clone(node),
                task: tokio::spawn(refresh(Arc::clone(node), name.clone())).abort_handle(),
            });
            self.running.insert(node.name.clone(), running);
        }
    }
}

async fn refresh(node: Arc<NodeState>, name: String) {
    let mut failing = node.address().is_none();
    loop {
        tokio::time::sleep(AGAIN_AFTER).await;
        match lookup(&name).await {
            Ok(address) => {
                if node.address() != Some(address) {
                    tracing::info!(node = %node.name, name, %address, before = ?node.address(), "node has a new address");
                    node.set_address(address);
                }
                failing = false;
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(node = %node.name, name, error, keeping = ?node.address(), "failed to resolve a node's name");
                }
                failing = true;
            }
        }
    }
}
