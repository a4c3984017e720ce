//! Actors to be told what to do: in this process, or processes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use sextant_model::rules::Rules;
use sextant_model::types::{Epoch, SegmentId};
use sextant_storage::control::{Home, Node, NodeAnswer, NodeCommand, Writer, WriterAnswer, WriterCommand};
use sextant_storage::log::memory::MemDisk;
use sextant_storage::log::{self, Options};
use sextant_storage::wire::frame::{read_frame, write_frame};

use super::{Failure, Stage};
use crate::conformance::COPIES;

/// Everybody in a case.
pub(super) trait Actors {
    fn node(&mut self, segment: SegmentId, command: NodeCommand) -> Result<NodeAnswer, Failure>;
    /// Kills a node and starts it again on its disk.
    fn restart(&mut self, segment: SegmentId) -> Result<(), Failure>;
    /// Kills a node and starts it again on an empty disk.
    fn wipe(&mut self, segment: SegmentId) -> Result<(), Failure>;
    /// Another writer: the next number. It creates the volume, or R0 has given it.
    fn hire(&mut self, creates: bool, ve: Epoch) -> Result<WriterAnswer, Failure>;
    fn writer(&mut self, number: usize, command: WriterCommand) -> Result<WriterAnswer, Failure>;
}

pub(super) fn start(stage: &Stage, rules: Rules, dir: &Path, flight: &Path) -> Result<Box<dyn Actors>, Failure> {
    let home = |segment: SegmentId, options: Options| Home {
        name: name(segment),
        dir: dir.join(name(segment)),
        options,
        flight: Some(flight.to_owned()),
    };
    match stage {
        Stage::Simulated => {
            let mut here = Here { rules, flight: flight.to_owned(), nodes: Vec::new(), writers: Vec::new() };
            for segment in SegmentId::all(COPIES) {
                let home = home(segment, in_memory());
                here.nodes
                    .push((Node::open(rules, &home, true).map_err(|failure| Failure::Actor(failure.message))?, home));
            }
            Ok(Box::new(here))
        }
        Stage::Real { executable } => {
            // With the bounds' own limit: a mutant's name would not say that.
            let rules_file = dir.join("rules.json");
            let text = serde_json::to_string(&rules).map_err(|error| Failure::Actor(error.to_string()))?;
            std::fs::write(&rules_file, text)
                .map_err(|error| Failure::Actor(format!("{}: {error}", rules_file.display())))?;
            let mut processes = Processes {
                executable: executable.clone(),
                rules_file,
                dir: dir.to_owned(),
                flight: flight.to_owned(),
                nodes: Vec::new(),
                writers: Vec::new(),
            };
            for segment in SegmentId::all(COPIES) {
                let node = processes.start_node(segment, true).map_err(Failure::Actor)?;
                processes.nodes.push(node);
            }
            Ok(Box::new(processes))
        }
    }
}

fn name(segment: SegmentId) -> String {
    segment.name(COPIES, 3)
}

fn in_memory() -> Options {
    let disk = MemDisk::new(log::SECTOR_BYTES_DEFAULT as usize);
    Options { segment_bytes: 64 << 10, disk: Arc::new(disk), ..Options::default() }
}

/// Actors that are called.
struct Here {
    rules: Rules,
    flight: PathBuf,
    nodes: Vec<(Node, Home)>,
    writers: Vec<Writer>,
}

impl Actors for Here {
    fn node(&mut self, segment: SegmentId, command: NodeCommand) -> Result<NodeAnswer, Failure> {
        self.nodes[segment.index()].0.handle(command).map_err(|failure| Failure::Actor(failure.message))
    }

    fn restart(&mut self, segment: SegmentId) -> Result<(), Failure> {
        let (node, home) = &mut self.nodes[segment.index()];
        *node = Node::open(self.rules, home, false).map_err(|failure| Failure::Actor(failure.message))?;
        Ok(())
    }

    fn wipe(&mut self, segment: SegmentId) -> Result<(), Failure> {
        let (node, home) = &mut self.nodes[segment.index()];
        home.options = in_memory();
        *node = Node::open(self.rules, home, true).map_err(|failure| Failure::Actor(failure.message))?;
        Ok(())
    }

    fn hire(&mut self, creates: bool, ve: Epoch) -> Result<WriterAnswer, Failure> {
        let name = format!("w{}", self.writers.len() + 1);
        let mut writer = Writer::new(self.rules, Some((self.flight.clone(), name)));
        let answer = writer.handle(WriterCommand::Take { creates, ve });
        self.writers.push(writer);
        Ok(answer)
    }

    fn writer(&mut self, number: usize, command: WriterCommand) -> Result<WriterAnswer, Failure> {
        Ok(self.writers[number].handle(command))
    }
}

/// Actors that are processes; dropped, they are killed.
struct Processes {
    executable: PathBuf,
    rules_file: PathBuf,
    dir: PathBuf,
    flight: PathBuf,
    nodes: Vec<Process>,
    writers: Vec<Process>,
}

struct Process {
    name: String,
    child: Child,
    commands: ChildStdin,
    answers: ChildStdout,
}

impl Process {
    fn start(name: &str, mut command: Command, log: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("start {name}: {error}");
        let log = File::options().create(true).append(true).open(log).map_err(failed)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().map_err(failed)?;
        let (Some(commands), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("start {name}: no pipes"));
        };
        Ok(Process { name: name.to_owned(), child, commands, answers })
    }

    fn say<C: serde::Serialize, A: serde::de::DeserializeOwned>(&mut self, command: &C) -> Result<A, String> {
        let failed = |error: sextant_storage::wire::frame::FrameError| format!("{}: {error}", self.name);
        write_frame(&mut self.commands, command).map_err(failed)?;
        self.hear()
    }

    fn hear<A: serde::de::DeserializeOwned>(&mut self) -> Result<A, String> {
        match read_frame(&mut self.answers) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(format!("{} has ended", self.name)),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL; that it is gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Processes {
    fn start_node(&self, segment: SegmentId, create: bool) -> Result<Process, String> {
        let name = name(segment);
        let mut command = self.command("node", &name);
        command.args(["--zone", &name[..1]]).arg("--dir").arg(self.dir.join(&name));
        if create {
            command.arg("--create");
        }
        self.launch(&name, command)
    }

    fn command(&self, what: &str, name: &str) -> Command {
        let mut command = Command::new(&self.executable);
        command.args([what, "--control", "--die-with-parent", "--name", name]);
        command.arg("--rules").arg(&self.rules_file).arg("--flight").arg(&self.flight);
        command
    }

    fn launch(&self, name: &str, command: Command) -> Result<Process, String> {
        let log = self.dir.join(format!("{name}.log"));
        let mut process = Process::start(name, command, &log)?;
        // Its first answer says that it is up; without one its last words say why.
        process.ready().map_err(|reason| {
            let words = std::fs::read_to_string(&log).unwrap_or_default();
            format!("{reason}: {}", words.lines().last().unwrap_or("no word"))
        })?;
        Ok(process)
    }
}

impl Process {
    fn ready(&mut self) -> Result<(), String> {
        if self.name.starts_with('w') {
            self.hear::<WriterAnswer>().map(drop)
        } else {
            self.hear::<NodeAnswer>().map(drop)
        }
    }
}

impl Actors for Processes {
    fn node(&mut self, segment: SegmentId, command: NodeCommand) -> Result<NodeAnswer, Failure> {
        self.nodes[segment.index()].say(&command).map_err(Failure::Actor)
    }

    fn restart(&mut self, segment: SegmentId) -> Result<(), Failure> {
        let process = &mut self.nodes[segment.index()];
        process
            .child
            .kill()
            .and_then(|()| process.child.wait())
            .map_err(|error| Failure::Actor(format!("kill: {error}")))?;
        self.nodes[segment.index()] = self.start_node(segment, false).map_err(Failure::Actor)?;
        Ok(())
    }

    fn wipe(&mut self, segment: SegmentId) -> Result<(), Failure> {
        let process = &mut self.nodes[segment.index()];
        process
            .child
            .kill()
            .and_then(|()| process.child.wait())
            .map_err(|error| Failure::Actor(format!("kill: {error}")))?;
        let dir = self.dir.join(name(segment));
        std::fs::remove_dir_all(&dir).map_err(|error| Failure::Actor(format!("{}: {error}", dir.display())))?;
        self.nodes[segment.index()] = self.start_node(segment, true).map_err(Failure::Actor)?;
        Ok(())
    }

    fn hire(&mut self, creates: bool, ve: Epoch) -> Result<WriterAnswer, Failure> {
        let name = format!("w{}", self.writers.len() + 1);
        let command = self.command("writer", &name);
        let mut process = self.launch(&name, command).map_err(Failure::Actor)?;
        let answer = process.say(&WriterCommand::Take { creates, ve }).map_err(Failure::Actor)?;
        self.writers.push(process);
        Ok(answer)
    }

    fn writer(&mut self, number: usize, command: WriterCommand) -> Result<WriterAnswer, Failure> {
        self.writers[number].say(&command).map_err(Failure::Actor)
    }
}
