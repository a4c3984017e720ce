//! The toy on turmoil: a host each for the nodes, the writer and the clients.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use turmoil::net::UdpSocket;

use crate::{CLIENTS, Done, LATENCY, NODES, QUORUM};

const PORT: u16 = 9000;
const ANY: (&str, u16) = ("0.0.0.0", PORT);

pub fn run(simulated: Duration) -> Done {
    let mut sim = turmoil::Builder::new()
        .simulation_duration(simulated * 2)
        .tick_duration(Duration::from_millis(1))
        .min_message_latency(LATENCY)
        .max_message_latency(LATENCY)
        .rng_seed(1)
        .build();
    let (events, operations) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    for node in 0..NODES {
        let events = Rc::clone(&events);
        sim.host(format!("node{node}"), move || {
            let events = Rc::clone(&events);
            async move {
                let socket = UdpSocket::bind(ANY).await?;
                let mut log = Vec::new();
                let mut bytes = [0; 64];
                loop {
                    let (read, from) = socket.recv_from(&mut bytes).await?;
                    events.set(events.get() + 1);
                    log.push(number(&bytes));
                    socket.send_to(&bytes[..read], from).await?;
                }
            }
        });
    }
    {
        let events = Rc::clone(&events);
        sim.host("writer", move || {
            let events = Rc::clone(&events);
            async move {
                let socket = UdpSocket::bind(ANY).await?;
                let nodes: Vec<SocketAddr> =
                    (0..NODES).map(|node| (turmoil::lookup(format!("node{node}")), PORT).into()).collect();
                let mut waiting: HashMap<u64, (SocketAddr, usize)> = HashMap::new();
                let mut next = 0u64;
                let mut bytes = [0; 64];
                loop {
                    let (read, from) = socket.recv_from(&mut bytes).await?;
                    events.set(events.get() + 1);
                    if !nodes.contains(&from) {
                        next += 1;
                        waiting.insert(next, (from, 0));
                        for node in &nodes {
                            socket.send_to(&next.to_le_bytes(), *node).await?;
                        }
                    } else if let Some((client, acknowledged)) = waiting.get_mut(&number(&bytes)) {
                        *acknowledged += 1;
                        if *acknowledged == QUORUM {
                            socket.send_to(&bytes[..read], *client).await?;
                            waiting.remove(&number(&bytes));
                        }
                    }
                }
            }
        });
    }
    for client in 0..CLIENTS {
        let (events, operations) = (Rc::clone(&events), Rc::clone(&operations));
        sim.client(format!("client{client}"), async move {
            let socket = UdpSocket::bind(ANY).await?;
            let began = tokio::time::Instant::now();
            let mut bytes = [0; 64];
            while began.elapsed() < simulated {
                socket.send_to(&[1; 16], ("writer", PORT)).await?;
                socket.recv_from(&mut bytes).await?;
                events.set(events.get() + 1);
                operations.set(operations.get() + 1);
            }
            Ok(())
        });
    }
    sim.run().expect("the toy runs");
    Done { events: events.get(), operations: operations.get(), simulated }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
