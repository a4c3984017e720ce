//! The toy on madsim: a node each for the nodes, the writer and the clients.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use madsim::net::{Endpoint, NetSim};
use madsim::runtime::{Handle, Runtime};

use crate::{CLIENTS, Done, LATENCY, NODES, QUORUM};

const TAG: u64 = 1;

fn address(host: usize) -> SocketAddr {
    format!("10.0.0.{}:9000", host + 1).parse().expect("an address")
}

pub fn run(simulated: Duration) -> Done {
    let mut config = madsim::Config::default();
    config.net.send_latency = LATENCY..LATENCY + Duration::from_nanos(1);
    let runtime = Runtime::with_seed_and_config(1, config);
    let (events, operations) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counts = (Arc::clone(&events), Arc::clone(&operations));
    runtime.block_on(async move {
        let (events, operations) = counts;
        let _ = NetSim::current();
        let handle = Handle::current();
        for node in 0..NODES {
            let events = Arc::clone(&events);
            handle.create_node().ip(address(node).ip()).build().spawn(async move {
                let endpoint = Arc::new(Endpoint::bind(address(node)).await.expect("bind"));
                let mut log = Vec::new();
                let mut bytes = [0; 64];
                loop {
                    let (read, from) = endpoint.recv_from(TAG, &mut bytes).await.expect("receive");
                    events.fetch_add(1, Ordering::Relaxed);
                    log.push(number(&bytes));
                    send(&endpoint, from, &bytes[..read]);
                }
            });
        }
        let counted = Arc::clone(&events);
        handle.create_node().ip(address(NODES).ip()).build().spawn(async move {
            let endpoint = Arc::new(Endpoint::bind(address(NODES)).await.expect("bind"));
            let nodes: Vec<SocketAddr> = (0..NODES).map(address).collect();
            let mut waiting: HashMap<u64, (SocketAddr, usize)> = HashMap::new();
            let mut next = 0u64;
            let mut bytes = [0; 64];
            loop {
                let (read, from) = endpoint.recv_from(TAG, &mut bytes).await.expect("receive");
                counted.fetch_add(1, Ordering::Relaxed);
                if !nodes.contains(&from) {
                    next += 1;
                    waiting.insert(next, (from, 0));
                    for node in &nodes {
                        send(&endpoint, *node, &next.to_le_bytes());
                    }
                } else if let Some((client, acknowledged)) = waiting.get_mut(&number(&bytes)) {
                    *acknowledged += 1;
                    if *acknowledged == QUORUM {
                        send(&endpoint, *client, &bytes[..read]);
                        waiting.remove(&number(&bytes));
                    }
                }
            }
        });
        for client in 0..CLIENTS {
            let (events, operations) = (Arc::clone(&events), Arc::clone(&operations));
            handle.create_node().ip(address(NODES + 1 + client).ip()).build().spawn(async move {
                let endpoint = Endpoint::bind(address(NODES + 1 + client)).await.expect("bind");
                madsim::time::sleep(Duration::from_millis(1)).await;
                let mut bytes = [0; 64];
                loop {
                    endpoint.send_to(address(NODES), TAG, &[1; 16]).await.expect("send");
                    endpoint.recv_from(TAG, &mut bytes).await.expect("receive");
                    events.fetch_add(1, Ordering::Relaxed);
                    operations.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        madsim::time::sleep(simulated).await;
    });
    Done { events: events.load(Ordering::Relaxed), operations: operations.load(Ordering::Relaxed), simulated }
}

/// On a task of its own: the sender does not wait until the message is there.
fn send(endpoint: &Arc<Endpoint>, to: SocketAddr, bytes: &[u8]) {
    let (endpoint, bytes) = (Arc::clone(endpoint), bytes.to_vec());
    madsim::task::spawn(async move { endpoint.send_to(to, TAG, &bytes).await.expect("send") });
}

fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
