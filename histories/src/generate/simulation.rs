//! Objects and their clients, simulated together.
//!
//! Each operation takes effect at one moment between its invocation and its completion, so what comes out is linearizable
//! by construction. While a script runs its object is frozen for the honest clients, where the script says so: they go on
//! asking, and get their answers afterwards. The script therefore knows what the object holds.

use std::collections::VecDeque;

use super::rng::Source;
use super::script::{Script, Scripted};
use super::{Flaw, Recipe};
use crate::event::{Call, Event, Kind, Reply};
use crate::value::Key;

/// Objects of one kind, numbered, and how their clients use them.
pub(super) trait Subject {
    /// What `client` asks for next, and of which object; `key` is the one that the dice chose.
    fn draw(&mut self, source: &mut Source, key: usize, client: usize) -> (usize, Call);

    /// The call takes effect now; none if it has to wait.
    fn apply(&mut self, object: usize, client: usize, call: &Call) -> Option<Reply>;

    /// Writes the script of `flaw`, which is one of the table of this kind of object.
    fn script(&self, flaw: Flaw, script: &mut Script);

    /// The object that a script about the key number `key` is about; none for one that no honest client knows.
    fn target(&self, flaw: Flaw, key: usize) -> Option<usize> {
        let _ = flaw;
        Some(key)
    }

    fn key(&self, object: usize) -> Key {
        Key::Str(format!("k{object}").into())
    }

    /// What is asked instead of `call` where that would end in `info` and might explain a violation away.
    fn harmless(&mut self, source: &mut Source, call: Call) -> Call {
        let _ = source;
        call
    }

    /// What becomes of a call that ended in `info`.
    fn landing(&self, call: &Call) -> Landing {
        let _ = call;
        Landing::Perhaps
    }

    /// The client has given up on this call and has another process now.
    fn gave_up(&mut self, client: usize, call: &Call) {
        let _ = (client, call);
    }

    /// Whether the honest clients have to wait while a script runs, and how many processes it has.
    fn freezes(&self) -> bool {
        true
    }

    fn scripted_processes(&self) -> usize {
        2
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Landing {
    Perhaps,
    Surely,
    Never,
}

/// What is in store for an operation when it is invoked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Ok,
    Fail,
    Info,
}

struct Running {
    object: usize,
    call: Call,
    fate: Fate,
    reply: Option<Reply>,
}

struct Client {
    process: u64,
    running: Option<Running>,
}

/// The violation that is asked for, until its script is written.
struct Planned {
    flaw: Flaw,
    key: usize,
    processes: Vec<u64>,
}

struct Simulation<'a> {
    recipe: &'a Recipe,
    subject: &'a mut dyn Subject,
    source: Source,
    events: Vec<Event>,
    clients: Vec<Client>,
    /// Operations that ended in `info` and have not taken effect yet.
    adrift: Vec<(usize, usize, Call)>,
    planned: Option<Planned>,
    /// The key of the violation, before, while and after it is scripted.
    flawed: Option<usize>,
    script: VecDeque<Scripted>,
    frozen: Option<usize>,
    invoked: usize,
    informed: usize,
    next_process: u64,
    time: u64,
}

/// The events of a history. Without clients or keys there are none.
pub(super) fn simulate(recipe: &Recipe, subject: &mut dyn Subject) -> Vec<Event> {
    if recipe.clients == 0 || recipe.keys == 0 {
        return Vec::new();
    }
    let mut simulation = Simulation::new(recipe, subject);
    while simulation.step() {}
    simulation.events
}

impl<'a> Simulation<'a> {
    fn new(recipe: &'a Recipe, subject: &'a mut dyn Subject) -> Self {
        let clients = (0..recipe.clients as u64).map(|process| Client { process, running: None });
        let mut simulation = Self {
            recipe,
            source: Source::new(recipe.seed, recipe.values),
            subject,
            events: Vec::new(),
            clients: clients.collect(),
            adrift: Vec::new(),
            planned: None,
            flawed: None,
            script: VecDeque::new(),
            frozen: None,
            invoked: 0,
            informed: 0,
            next_process: recipe.clients as u64,
            time: 0,
        };
        if let Some(flaw) = recipe.violation {
            let processes = (0..simulation.subject.scripted_processes()).map(|_| simulation.new_process()).collect();
            let key = simulation.source.rng.below(recipe.keys);
            simulation.planned = Some(Planned { flaw, key, processes });
            simulation.flawed = Some(key);
        }
        simulation
    }

    /// One event, or one effect; false when all is done.
    fn step(&mut self) -> bool {
        if self.script_waits() && self.script_is_due() {
            self.play();
            return true;
        }
        if !self.adrift.is_empty() && self.source.rng.percent(5) {
            self.land();
        }
        let client = self.source.rng.below(self.clients.len());
        let Some(client) = self.from(client) else {
            return self.script_waits();
        };
        match &self.clients[client].running {
            None => self.invoke(client),
            Some(running) if running.reply.is_none() && running.fate == Fate::Ok => self.take_effect(client),
            Some(_) => self.complete(client),
        }
        true
    }

    fn may_invoke(&self) -> bool {
        self.invoked < self.recipe.operations
    }

    /// The first client from `start` on, round about, that can do something.
    fn from(&self, start: usize) -> Option<usize> {
        let count = self.clients.len();
        (0..count)
            .map(|offset| (start + offset) % count)
            .find(|client| self.may_invoke() || self.clients[*client].running.is_some())
    }

    fn script_waits(&self) -> bool {
        self.planned.is_some() || !self.script.is_empty()
    }

    /// The script starts in the last third, then each of its events has an even chance against the others'.
    fn script_is_due(&mut self) -> bool {
        let started = self.invoked >= self.recipe.operations - self.recipe.operations / 3;
        started && self.source.rng.percent(40)
    }

    fn play(&mut self) {
        if let Some(planned) = self.planned.take() {
            self.write_script(planned);
        }
        if let Some(Scripted { event, changes }) = self.script.pop_front() {
            if let Some(object) = changes {
                self.subject.apply(object, usize::MAX, &event.call);
            }
            self.push(event.process, event.kind, event.call, event.key);
        }
        if self.script.is_empty() {
            self.frozen = None;
        }
    }

    fn write_script(&mut self, planned: Planned) {
        let Planned { flaw, key, processes } = planned;
        let object = self.subject.target(flaw, key);
        let key = object.map_or_else(|| "apart".into(), |object| self.subject.key(object));
        let mut script = Script { steps: VecDeque::new(), key, object, processes };
        self.subject.script(flaw, &mut script);
        self.script = script.steps;
        self.frozen = object.filter(|_| self.subject.freezes());
    }

    /// An operation that ended in `info` takes effect after all, or is lost for good.
    fn land(&mut self) {
        let chosen = self.source.rng.below(self.adrift.len());
        if Some(self.adrift[chosen].0) == self.frozen {
            return;
        }
        let (object, client, call) = self.adrift.swap_remove(chosen);
        let lands = match self.subject.landing(&call) {
            Landing::Perhaps => self.source.rng.percent(50),
            Landing::Surely => true,
            Landing::Never => false,
        };
        if lands {
            self.subject.apply(object, client, &call);
        }
    }

    fn invoke(&mut self, client: usize) {
        let key = self.source.rng.below(self.recipe.keys);
        let (object, mut call) = self.subject.draw(&mut self.source, key, client);
        let fate = self.draw_fate();
        if fate == Fate::Info && self.flawed == Some(key) {
            call = self.subject.harmless(&mut self.source, call);
        }
        self.invoked += 1;
        self.push(self.clients[client].process, Kind::Invoke, call.clone(), self.subject.key(object));
        self.clients[client].running = Some(Running { object, call, fate, reply: None });
    }

    fn draw_fate(&mut self) -> Fate {
        let left = self.recipe.operations - self.invoked;
        let due = self.recipe.indeterminate.saturating_sub(self.informed);
        if due > 0 && self.source.rng.below(left) < due {
            self.informed += 1;
            Fate::Info
        } else if self.source.rng.percent(self.recipe.fail_percent) {
            Fate::Fail
        } else {
            Fate::Ok
        }
    }

    fn take_effect(&mut self, client: usize) {
        let may_invoke = self.may_invoke();
        let Some(running) = &mut self.clients[client].running else { return };
        if Some(running.object) == self.frozen {
            return;
        }
        running.reply = self.subject.apply(running.object, client, &running.call);
        // Nobody will come to make room any more.
        if running.reply.is_none() && !may_invoke {
            running.fate = Fate::Fail;
        }
    }

    fn complete(&mut self, client: usize) {
        let Some(running) = self.clients[client].running.take() else {
            return;
        };
        let process = self.clients[client].process;
        let kind = match (running.fate, running.reply) {
            (Fate::Ok, Some(reply)) => Kind::Ok(reply),
            (Fate::Fail, _) => Kind::Fail,
            (Fate::Info, _) | (Fate::Ok, None) => Kind::Info,
        };
        if kind == Kind::Info {
            self.subject.gave_up(client, &running.call);
            self.adrift.push((running.object, client, running.call.clone()));
            self.clients[client].process = self.new_process();
        }
        self.push(process, kind, running.call, self.subject.key(running.object));
    }

    fn new_process(&mut self) -> u64 {
        self.next_process += 1;
        self.next_process - 1
    }

    fn push(&mut self, process: u64, kind: Kind, call: Call, key: Key) {
        self.time += 1 + self.source.rng.below(1000) as u64;
        self.events.push(Event { process, kind, call, key, time: Some(self.time) });
    }
}
