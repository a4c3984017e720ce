//! Connections between writers and nodes.

use super::{Connection, DIAL_PAUSE, Event, World};
use crate::node::server::ConnectionId;
use crate::sim::network::Place;

impl World {
    pub(super) fn on_dial(&mut self, writer: usize, node: usize) {
        let process = &self.seats[writer].process;
        if !process.is_alive || !process.is_running() || process.links[node].is_some() {
            return;
        }
        self.agenda.after(DIAL_PAUSE, Event::Dial { writer, node });
        let connection = self.connections.len() as u32;
        self.connections.push(Connection { writer, node, life: 0, node_open: false, writer_open: false });
        self.send(Place::Writer(writer), Place::Node(node), || Event::Accept { connection });
    }

    pub(super) fn on_accept(&mut self, connection: u32) {
        let Connection { writer, node, node_open, .. } = self.connections[connection as usize];
        let is_alive = self.seats[writer].process.is_alive;
        let life = self.nodes[node].life();
        let Some(server) = self.nodes[node].server_mut().filter(|_| is_alive && !node_open) else { return };
        server.open(ConnectionId(connection.into()));
        let accepted = &mut self.connections[connection as usize];
        accepted.node_open = true;
        accepted.life = life;
        self.send(Place::Node(node), Place::Writer(writer), || Event::Connected { connection });
    }

    pub(super) fn on_connected(&mut self, connection: u32) {
        let Connection { writer, node, node_open, .. } = self.connections[connection as usize];
        let now = self.agenda.now();
        let process = &mut self.seats[writer].process;
        if !process.is_alive || process.links[node].is_some() || !node_open {
            return;
        }
        process.links[node] = Some(connection);
        self.connections[connection as usize].writer_open = true;
        process.connected(node, now);
        self.after_writer(writer);
    }

    pub(super) fn on_broken(&mut self, connection: u32) {
        let Connection { writer, node, .. } = self.connections[connection as usize];
        self.connections[connection as usize].writer_open = false;
        let now = self.agenda.now();
        let process = &mut self.seats[writer].process;
        if !process.is_alive || process.links[node] != Some(connection) {
            return;
        }
        process.links[node] = None;
        process.disconnected(node, now);
        self.agenda.after(DIAL_PAUSE, Event::Dial { writer, node });
        self.after_writer(writer);
    }

    pub(super) fn on_hung_up(&mut self, connection: u32) {
        let Connection { node, life, .. } = self.connections[connection as usize];
        self.connections[connection as usize].node_open = false;
        if self.nodes[node].life() == life
            && let Some(server) = self.nodes[node].server_mut()
        {
            server.close(ConnectionId(connection.into()));
        }
    }
}
