//! A volume of real processes: what it promises to its clients while nodes and writers come and go.

mod support;

use rustix::process::Signal;
use support::{Client, Cluster, NODES};

#[test]
fn commands_through_resp() {
    let cluster = Cluster::start();
    let writer = cluster.writer("w1", &[]).open();
    let mut client = writer.client();
    for (command, reply) in [
        ("PING", "PONG"),
        ("GET k", "nil"),
        ("SET k 1", "OK"),
        ("GET k", "1"),
        ("SET k 2 IFEQ 1", "OK"),
        ("SET k 3 IFEQ 1", "nil"),
        ("GET k", "2"),
        ("DEL k other", "1"),
        ("GET k", "nil"),
        ("DEL k", "0"),
        ("NONSENSE", "-ERR unknown command 'NONSENSE'"),
    ] {
        assert_eq!(client.say(command), reply, "{command}");
    }
}

#[test]
fn a_pipeline_is_answered_in_order() {
    let cluster = Cluster::start();
    let writer = cluster.writer("w1", &[]).open();
    let mut client = writer.client();
    for n in 0..500 {
        client.send(&format!("SET k {n}"));
        client.send("GET k");
        client.send(&format!("GET cold{n}"));
    }
    for n in 0..500 {
        assert_eq!([client.hear(), client.hear(), client.hear()], ["OK".to_owned(), n.to_string(), "nil".to_owned()]);
    }
}

#[test]
fn with_two_nodes_killed_writes_go_on() {
    let mut cluster = Cluster::start();
    let writer = cluster.writer("w1", &[]).open();
    let mut client = writer.client();
    assert_eq!(client.say("SET k before"), "OK");
    cluster.kill_node("a1");
    cluster.kill_node("c2");
    for n in 0..50 {
        assert_eq!(client.say(&format!("SET k {n}")), "OK");
        assert_eq!(client.say("GET k"), n.to_string());
    }
}

#[test]
fn with_three_nodes_killed_reads_go_on_and_writes_wait() {
    let mut cluster = Cluster::start();
    let writer = cluster.writer("w1", &[]).open();
    let mut client = writer.client();
    assert_eq!(client.say("SET k before"), "OK");
    for name in ["a1", "a2", "b1"] {
        cluster.kill_node(name);
    }
    assert_eq!(client.say("GET k"), "before");
    client.send("SET k after");
    let mut other = writer.client();
    assert_eq!(other.say("GET unrelated"), "nil", "a write that waits holds up no other key");
    cluster.start_node("b1");
    assert_eq!(client.hear(), "OK", "the record was sent again");
    assert_eq!(other.say("GET k"), "after");
}

#[test]
fn a_replaced_writer_answers_no_read() {
    let cluster = Cluster::start();
    let first = cluster.writer("w1", &[]).open();
    let mut old = first.client();
    assert_eq!(old.say("SET k 1"), "OK");
    let second = cluster.writer("w2", &[]).open();
    let mut new = second.client();
    assert_eq!(new.say("GET k"), "1");
    assert_eq!(new.say("SET k 2"), "OK");
    assert_eq!(old.say("GET k"), "-ERR deposed: volume epoch e3 has taken over");
    assert_eq!(first.process.line("deposed"), "deposed e2 by e3");
    for command in ["GET k", "SET k 9", "PING"] {
        assert_eq!(first.client().say(command), "-ERR deposed: volume epoch e3 has taken over", "{command}");
    }
    assert_eq!(new.say("GET k"), "2");
}

#[test]
fn a_replaced_writer_does_not_know_what_became_of_a_write() {
    let cluster = Cluster::start();
    let first = cluster.writer("w1", &[]).open();
    let _second = cluster.writer("w2", &[]).open();
    let reply = first.client().say("SET k 1");
    assert!(reply.starts_with("-INDETERMINATE deposed"), "{reply}");
}

#[test]
fn a_restarted_node_has_what_it_acknowledged() {
    let mut cluster = Cluster::start();
    let writer = cluster.writer("w1", &[]).open();
    let mut client = writer.client();
    for name in ["a1", "a2"] {
        cluster.kill_node(name);
    }
    // Each of the four others has acknowledged every one of these.
    for n in 0..100 {
        assert_eq!(client.say(&format!("SET k{n} {n}")), "OK");
    }
    for name in ["b1", "b2", "c1", "c2"] {
        cluster.kill_node(name);
        let ready = cluster.start_node(name);
        assert!(ready.contains(" records=100 ") && ready.ends_with(" torn=0"), "{ready}");
    }
    assert_eq!(client.say("GET k99"), "99");
}

#[test]
fn a_node_that_was_away_is_filled_up_by_its_peers() {
    let mut cluster = Cluster::start();
    let writer = cluster.writer("w1", &[]).open();
    let mut client = writer.client();
    // It misses no truncation, so that its peers may tell it everything.
    cluster.await_truncation(&["b2"]);
    cluster.kill_node("b2");
    for n in 0..100 {
        assert_eq!(client.say(&format!("SET k{n} {n}")), "OK");
    }
    // No writer is left that could send them again.
    drop(writer);
    cluster.start_node("b2");
    cluster.await_record(&["b2"], |record| record.key == b"k99");
}

#[test]
fn what_is_committed_survives_the_death_of_everything() {
    let mut cluster = Cluster::start();
    let writer = cluster.writer("w1", &[]).open();
    let mut client = writer.client();
    for n in 0..200 {
        assert_eq!(client.say(&format!("SET k{n} {n}")), "OK");
    }
    assert_eq!(client.say("DEL k7"), "1");
    writer.process.kill();
    cluster.meta.take().unwrap().kill();
    for name in NODES {
        cluster.kill_node(name);
    }
    cluster.start_meta(&[]);
    for name in NODES {
        cluster.start_node(name);
    }
    let writer = cluster.writer("w2", &[]).open();
    let mut client = writer.client();
    for n in 0..200 {
        let expected = if n == 7 { "nil".to_owned() } else { n.to_string() };
        assert_eq!(client.say(&format!("GET k{n}")), expected);
    }
}

#[test]
fn a_recovery_with_half_of_the_nodes_writes_back_to_the_rest() {
    let mut cluster = Cluster::start();
    let writer = cluster.writer("w1", &[]).open();
    let mut client = writer.client();
    for name in ["a1", "a2"] {
        cluster.kill_node(name);
    }
    for n in 0..300 {
        assert_eq!(client.say(&format!("SET k{n} {n}")), "OK");
    }
    writer.process.kill();
    // Two that have everything and two that have nothing: no write quorum without write-back.
    for name in ["b1", "b2"] {
        cluster.kill_node(name);
    }
    for name in ["a1", "a2"] {
        cluster.start_node(name);
    }
    let writer = cluster.writer("w2", &[]).open();
    let mut client = writer.client();
    assert_eq!(client.say("GET k299"), "299");
    assert_eq!(client.say("SET k299 new"), "OK");
}

#[test]
fn a_restarted_metadata_service_finds_its_nodes_again() {
    let mut cluster = Cluster::start();
    let writer = cluster.writer("w1", &[]).open();
    assert_eq!(writer.client().say("SET k 1"), "OK");
    cluster.meta.take().unwrap().kill();
    assert_eq!(writer.client().say("GET k"), "1", "it is not needed while nothing changes");
    cluster.start_meta(&[]);
    let writer = cluster.writer("w2", &[]).open();
    assert_eq!(writer.client().say("GET k"), "1");
}

/// The old writer sleeps through a failover and wakes up. What it then says to `GET k`, where the newest value is `new`.
fn a_zombie_reads(mutant: Option<&'static str>) -> String {
    let cluster = Cluster::start_with(mutant);
    let active = cluster.writer("w1", &[]).open();
    let standby = cluster.writer("w2", &["--standby-of", &active.address.to_string(), "--failover-ms", "200"]);
    let mut zombie = active.client();
    assert_eq!(zombie.say("SET k old"), "OK");
    assert_eq!(zombie.say("GET k"), "old");
    let mut new = standby.client();
    assert!(new.say("GET k").starts_with("-ERR standby"));
    // Nothing is under way any more that could tell it of its successor.
    cluster.await_record(&NODES, |record| record.value.as_deref() == Some(b"old"));
    active.process.signal(Signal::STOP);
    let standby = standby.open();
    assert_eq!(new.say("SET k new"), "OK");
    assert_eq!(new.say("GET k"), "new");
    active.process.signal(Signal::CONT);
    let said = zombie.say("GET k");
    assert_eq!(Client::connect(standby.address).say("GET k"), "new");
    said
}

#[test]
fn a_zombie_refuses_to_read() {
    assert_eq!(a_zombie_reads(None), "-ERR deposed: volume epoch e3 has taken over");
}

#[test]
fn a_zombie_that_does_not_confirm_reads_what_is_stale() {
    assert_eq!(a_zombie_reads(Some("M56")), "old");
}

#[test]
fn a_standby_stays_one_while_the_active_writer_answers() {
    let cluster = Cluster::start();
    let active = cluster.writer("w1", &[]).open();
    let standby = cluster.writer("w2", &["--standby-of", &active.address.to_string(), "--failover-ms", "100"]);
    let mut client = active.client();
    for n in 0..200 {
        assert_eq!(client.say(&format!("SET k {n}")), "OK");
    }
    assert!(standby.client().say("PING").starts_with("-ERR standby"));
    active.process.kill();
    let standby = standby.open();
    assert_eq!(standby.client().say("GET k"), "199");
}
