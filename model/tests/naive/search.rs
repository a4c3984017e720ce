//! The search: every message may be delivered whenever it can be.

use super::*;
use facts::*;

impl<const N: usize> Naive<N> {
    pub(super) fn new(rules: Rules, bounds: Bounds, simplified: Simplified) -> Self {
        Naive {
            rules: rules.with_lal(bounds.lal),
            bounds,
            simplified,
            nodes: Pool::new(),
            instances: Pool::new(),
            messages: Pool::new(),
            ghosts: Pool::new(),
            node_steps: HashMap::new(),
            instance_steps: HashMap::new(),
            judged: HashSet::new(),
            violated: BTreeSet::new(),
        }
    }

    /// Every reachable state.
    pub(super) fn explore(&mut self, limit: usize) -> HashSet<State<N>> {
        let first = self.first();
        let mut seen = HashSet::from([first]);
        let mut level = vec![first];
        while !level.is_empty() {
            let mut next_level = Vec::new();
            for state in level {
                self.judge_segments(&state);
                self.successors(state, &mut |next| {
                    if seen.insert(next) {
                        next_level.push(next);
                    }
                });
                assert!(seen.len() < limit, "more than {limit} naive states: {}", self.bounds);
            }
            level = next_level;
        }
        seen
    }

    fn first(&mut self) -> State<N> {
        let nodes = std::array::from_fn(|n| {
            self.nodes.intern((n as u8, Node { segment: Segment::created(), owed: Vec::new() }))
        });
        let ghost = Ghost {
            metadata: Metadata::of_a_new_volume(),
            epochs: vec![Epoch::FIRST],
            allocated: vec![Vec::new()],
            acked: vec![Lsn::ZERO],
            decided: vec![Some(Decision::of_a_new_volume())],
            opened: vec![Some(Decision::of_a_new_volume())],
            read: None,
            reads: 0,
            crashes: 0,
            wipes: 0,
        };
        let first = self.instances.intern((0, Instance::first()));
        State { nodes, instances: [first, NOBODY, NOBODY], sent: Sent::default(), ghost: self.ghosts.intern(ghost) }
    }

    fn successors(&mut self, state: State<N>, take: &mut impl FnMut(State<N>)) {
        for message in members(&state.sent) {
            match *self.messages.get(message) {
                Message::FenceRead { to, .. }
                | Message::Truncate { to, .. }
                | Message::Write { to, .. }
                | Message::Confirm { to, .. }
                | Message::Gossip { to, .. } => {
                    self.step_node(state, to.index(), Stimulus::Message(message), take);
                }
                Message::Fenced { to, .. }
                | Message::Truncated { to, .. }
                | Message::Acknowledged { to, .. }
                | Message::Confirmed { to, .. } => {
                    self.step_instance(state, to.into(), Stimulus::Message(message)).map(&mut *take);
                }
            }
        }
        let ghost = self.ghosts.get(state.ghost);
        for n in 0..N {
            let unsynced = self.nodes.get(state.nodes[n]).1.segment.unsynced().len();
            self.step_node(state, n, Stimulus::Sync, take);
            if ghost.crashes < self.bounds.crashes {
                let spent = self.ghosts.intern(Ghost { crashes: ghost.crashes + 1, ..(*ghost).clone() });
                for kept in 0..=unsynced {
                    self.step_node(State { ghost: spent, ..state }, n, Stimulus::Crash { kept }, take);
                }
            }
            if ghost.wipes < self.bounds.wipes {
                let spent = self.ghosts.intern(Ghost { wipes: ghost.wipes + 1, ..(*ghost).clone() });
                self.step_node(State { ghost: spent, ..state }, n, Stimulus::Wipe, take);
            }
        }
        for i in 0..ghost.epochs.len() {
            self.step_instance(state, i, Stimulus::Decide).map(&mut *take);
            if ghost.allocated[i].len() < usize::from(self.bounds.records) {
                self.step_instance(state, i, Stimulus::Allocate).map(&mut *take);
            }
            if ghost.read.is_none() && ghost.reads < self.bounds.reads && ghost.opened[i].is_some() {
                let floor = (0..ghost.epochs.len()).map(|j| ghost.exposed(j)).max();
                let reading = Ghost { read: floor, reads: ghost.reads + 1, ..(*ghost).clone() };
                let reading = State { ghost: self.ghosts.intern(reading), ..state };
                self.step_instance(reading, i, Stimulus::Read).map(&mut *take);
                if self.bounds.early_rounds.is_on() {
                    self.step_instance(state, i, Stimulus::BeginRound).map(&mut *take);
                }
            }
        }
        if ghost.epochs.len() <= usize::from(self.bounds.recoveries) {
            take(self.recover(state, &ghost));
        }
    }

    fn recover(&mut self, state: State<N>, ghost: &Ghost) -> State<N> {
        let mut ghost = ghost.clone();
        let caller = ghost.metadata.volume_epoch;
        let record = ghost.metadata.apply(&self.rules, Change::TakeVolume { caller }).unwrap();
        let (i, ve) = (ghost.epochs.len(), record.volume_epoch);
        ghost.epochs.push(ve);
        ghost.allocated.push(Vec::new());
        ghost.acked.push(Lsn::ZERO);
        ghost.decided.push(None);
        ghost.opened.push(None);
        let mut next = state;
        next.instances[i] = self.instances.intern((i as u8, Instance::recovering(ve)));
        self.send_to_all(&mut next.sent, |to| Message::FenceRead { from: i as u8, to, ve });
        next.ghost = self.intern_ghost(ghost);
        next
    }

    fn send(&mut self, sent: &mut Sent, message: Message) {
        let id = usize::from(self.messages.intern(message));
        assert!(id < 64 * sent.len(), "more messages than a set holds");
        sent[id / 64] |= 1 << (id % 64);
    }

    fn send_to_all(&mut self, sent: &mut Sent, message: impl Fn(SegmentId) -> Message) {
        SegmentId::all(N).for_each(|to| self.send(sent, message(to)));
    }

    // --- segments ------------------------------------------------------------------------------------------------

    fn step_node(&mut self, state: State<N>, n: usize, stimulus: Stimulus, take: &mut impl FnMut(State<N>)) {
        let key = (state.nodes[n], stimulus);
        let step = match self.node_steps.get(&key) {
            Some(known) => known.clone(),
            None => {
                let step = self.compute_node_step(n, key.0, stimulus).map(Rc::new);
                self.node_steps.insert(key, step.clone());
                step
            }
        };
        let Some(step) = step else { return };
        let mut next = state;
        next.nodes[n] = step.node;
        join(&mut next.sent, &step.gossip);
        if let Some(server) = step.served {
            self.judge_service(&next, n, server.into());
        }
        let mut outcomes = vec![next];
        for &reply in &step.replies {
            self.hand_over(reply, &mut outcomes);
        }
        outcomes.into_iter().filter(|next| *next != state).for_each(take);
    }

    fn hand_over(&mut self, reply: u16, outcomes: &mut Vec<State<N>>) {
        let to = addressee(&self.messages.get(reply));
        for at in 0..outcomes.len() {
            let state = outcomes[at];
            match self.simplified.replies {
                Replies::Kept => outcomes[at].sent[usize::from(reply) / 64] |= 1 << (reply % 64),
                Replies::OnceOrNever => outcomes.extend(self.step_instance(state, to, Stimulus::Message(reply))),
            }
        }
    }

    fn compute_node_step(&mut self, n: usize, node: u16, stimulus: Stimulus) -> Option<NodeStep> {
        let before = self.nodes.get(node).1.clone();
        let from = SegmentId(n as u8);
        let mut node = before.clone();
        let mut served = None;
        let mut replies = Vec::new();
        match stimulus {
            Stimulus::Crash { kept } => {
                node = Node { segment: before.segment.crashed(kept), owed: Vec::new() };
                self.judge_restart(&before.segment, &node.segment);
            }
            Stimulus::Wipe => {
                node = Node { segment: Segment::wiped(&self.rules), owed: Vec::new() };
                self.judge_restart(&before.segment, &node.segment);
            }
            Stimulus::Sync if before.segment.unsynced().is_empty() => return None,
            Stimulus::Sync => self.sync_one(&mut node, from, &mut replies),
            Stimulus::Message(message) => {
                let (event, requester) = request(&self.messages.get(message))?;
                let mut effects = Vec::new();
                let is_service = matches!(event, segment::Event::Write { .. } | segment::Event::Confirm { .. });
                node.segment.step(&self.rules, event, &mut effects);
                for effect in effects {
                    match effect {
                        segment::Effect::Append(entry) => {
                            node.owed.push(requester);
                            let is_record = matches!(entry, Entry::Record { .. });
                            served = served.or(requester.filter(|_| is_service && is_record));
                        }
                        segment::Effect::Reply(reply) => {
                            let is_answer = matches!(reply, Reply::Confirmed { .. });
                            served = served.or(requester.filter(|_| is_answer));
                            self.reply(&node.segment, from, requester, reply, &mut replies);
                        }
                    }
                }
                if repeats(node.segment.unsynced()) {
                    return None;
                }
                if self.simplified.sync_at_once.is_on() && replies.is_empty() {
                    while !node.segment.unsynced().is_empty() {
                        self.sync_one(&mut node, from, &mut replies);
                    }
                }
            }
            Stimulus::Decide | Stimulus::Allocate | Stimulus::Read | Stimulus::BeginRound => unreachable!(),
        }
        if !matches!(stimulus, Stimulus::Wipe | Stimulus::Crash { .. }) {
            let (was, is) = (before.segment.image(), node.segment.image());
            self.violate_if("S10", is.fenced < was.fenced || is.trunc_ve < was.trunc_ve);
        }
        let gossip = self.gossip_of(&node.segment);
        Some(NodeStep { node: self.nodes.intern((n as u8, node)), replies, gossip, served })
    }

    /// The oldest entry is synced. More than one at a time would only skip states between.
    fn sync_one(&mut self, node: &mut Node, from: SegmentId, replies: &mut Vec<u16>) {
        let requester = node.owed.remove(0);
        let mut effects = Vec::new();
        node.segment.step(&self.rules, segment::Event::Synced { entries: 1 }, &mut effects);
        for effect in effects {
            if let segment::Effect::Reply(reply) = effect {
                self.reply(&node.segment, from, requester, reply, replies);
            }
        }
    }

    /// A reply goes to who asked; where nobody did, to the instance of its epoch.
    fn reply(
        &mut self,
        segment: &Segment<Bits>,
        from: SegmentId,
        to: Option<u8>,
        reply: Reply<Bits>,
        replies: &mut Vec<u16>,
    ) {
        let to = |ve: Epoch| to.unwrap_or((ve.0 - 1) as u8);
        let message = match reply {
            Reply::Refused { .. } => return,
            Reply::Acknowledged { ve, lsn, scl, .. } => {
                let (in_memory, on_disk) = (is_live(segment.image(), lsn), is_live(segment.disk().image(), lsn));
                self.violate_if("S11", !in_memory && !on_disk);
                self.violate_if("S14", !on_disk);
                Message::Acknowledged { from, to: to(ve), ve, lsn, scl }
            }
            Reply::Fenced { ve, answer, .. } => Message::Fenced { from, to: to(ve), ve, answer },
            Reply::Truncated { ve, scl, .. } => Message::Truncated { from, to: to(ve), ve, scl },
            Reply::Confirmed { ve, nonce } => Message::Confirmed { from, to: to(ve), ve, nonce },
        };
        replies.push(self.messages.intern(message));
    }

    /// What a segment holds, synced or not, it may gossip.
    fn gossip_of(&mut self, segment: &Segment<Bits>) -> Sent {
        let mut sent = Sent::default();
        if self.bounds.gossip.is_on() {
            let trunc_ve = segment.image().trunc_ve;
            for lsn in (1..=Bits::CAPACITY).map(Lsn).filter(|&lsn| segment.image().held.contains(lsn)) {
                self.send_to_all(&mut sent, |to| Message::Gossip { to, trunc_ve, lsn });
            }
        }
        sent
    }

    // --- instances -----------------------------------------------------------------------------------------------

    fn step_instance(&mut self, state: State<N>, i: usize, stimulus: Stimulus) -> Option<State<N>> {
        let key = (state.instances[i], stimulus);
        let step = match self.instance_steps.get(&key) {
            Some(known) => known.clone(),
            None => {
                let step = self.compute_instance_step(i, key.0, stimulus).map(Rc::new);
                self.instance_steps.insert(key, step.clone());
                step
            }
        }?;
        let mut next = state;
        next.instances[i] = step.instance;
        join(&mut next.sent, &step.requests);
        if !step.effects.is_empty() {
            let mut ghost = (*self.ghosts.get(next.ghost)).clone();
            step.effects.iter().for_each(|effect| self.record(&mut ghost, i, effect, step.decision.as_ref()));
            next.ghost = self.intern_ghost(ghost);
        }
        (next != state).then_some(next)
    }

    fn compute_instance_step(&mut self, i: usize, instance: u16, stimulus: Stimulus) -> Option<InstanceStep> {
        let before = self.instances.get(instance).1.clone();
        let at = before.writer().map(|writer| writer.vdl);
        let event = match stimulus {
            Stimulus::Message(message) => reply_event(&self.messages.get(message))?,
            Stimulus::Decide => instance::Event::Decide,
            Stimulus::Allocate => instance::Event::Allocate,
            Stimulus::Read => instance::Event::Read { id: 0, at: at? },
            // One a writer, as in the world of actions: their numbers would grow for ever.
            Stimulus::BeginRound if before.writer()?.reads.has_begun() => return None,
            Stimulus::BeginRound => instance::Event::BeginRound,
            Stimulus::Sync | Stimulus::Crash { .. } | Stimulus::Wipe => unreachable!(),
        };
        let mut after = before.clone();
        let mut effects = Vec::new();
        after.step(&self.rules, event, &mut effects);
        if after == before && effects.is_empty() {
            return None;
        }
        let (from, ve, decision) = (i as u8, after.ve(), after.decision().cloned());
        let mut requests = Sent::default();
        for effect in &effects {
            match *effect {
                instance::Effect::Decided { vdl } => {
                    let decision = decision.clone().unwrap();
                    let ranges = decision.ranges;
                    self.send_to_all(&mut requests, |to| Message::Truncate { from, to, ve, ranges });
                    for lsn in (1..=vdl.0).map(Lsn).filter(|&lsn| keeps(&decision, lsn)) {
                        self.send_to_all(&mut requests, |to| Message::Write { from, to, ve, lsn });
                    }
                }
                instance::Effect::Allocated { lsn } => {
                    self.send_to_all(&mut requests, |to| Message::Write { from, to, ve, lsn });
                }
                instance::Effect::AskConfirmation { nonce } => {
                    self.send_to_all(&mut requests, |to| Message::Confirm { from, to, ve, nonce });
                }
                instance::Effect::Opened { .. }
                | instance::Effect::Committed { .. }
                | instance::Effect::Answer { .. }
                | instance::Effect::Deposed { .. } => {}
            }
        }
        Some(InstanceStep { instance: self.instances.intern((from, after)), requests, effects, decision })
    }

    fn record(&mut self, ghost: &mut Ghost, i: usize, effect: &instance::Effect, decision: Option<&Decision<Bits>>) {
        match *effect {
            instance::Effect::Decided { .. } => ghost.decided[i] = decision.cloned(),
            instance::Effect::Opened { .. } => ghost.opened[i] = decision.cloned(),
            instance::Effect::Allocated { lsn } => ghost.allocated[i].push(lsn),
            instance::Effect::Committed { vdl } => {
                let later = ghost.opened[i + 1..].iter().flatten();
                let new = ghost.allocated[i].iter().filter(|&&lsn| ghost.acked[i] < lsn && lsn <= vdl);
                let foreign = new.clone().any(|&lsn| later.clone().any(|d| !keeps(d, lsn)));
                self.violate_if("S9", foreign);
                ghost.acked[i] = vdl;
            }
            instance::Effect::Answer { at, .. } => {
                let stale = ghost.read.take().is_some_and(|floor| at < floor);
                self.violate_if("S33", stale);
            }
            instance::Effect::AskConfirmation { .. } | instance::Effect::Deposed { .. } => {}
        }
    }

    // --- properties ----------------------------------------------------------------------------------------------

    fn violate_if(&mut self, id: &'static str, violated: bool) {
        if violated {
            self.violated.insert(id);
        }
    }

    fn intern_ghost(&mut self, ghost: Ghost) -> u16 {
        let known = self.ghosts.items.len();
        let id = self.ghosts.intern(ghost);
        if usize::from(id) >= known {
            let violated = self.ghosts.get(id).violated();
            self.violated.extend(violated);
        }
        id
    }

    /// S10: what a restart takes away was not synced.
    fn judge_restart(&mut self, before: &Segment<Bits>, after: &Segment<Bits>) {
        let (was, is) = (before.image(), after.image());
        let unsynced = |epoch: Epoch, of: fn(&Entry<Bits>) -> Option<Epoch>| {
            before.unsynced().iter().filter_map(of).any(|ve| ve == epoch)
        };
        let fence = |entry: &Entry<Bits>| match entry {
            Entry::Fence { ve } | Entry::Truncate { ve, .. } => Some(*ve),
            Entry::Record { .. } => None,
        };
        let truncation = |entry: &Entry<Bits>| match entry {
            Entry::Truncate { ve, .. } => Some(*ve),
            Entry::Fence { .. } | Entry::Record { .. } => None,
        };
        let fence_lost = is.fenced < was.fenced && !unsynced(was.fenced, fence);
        let truncation_lost = is.trunc_ve < was.trunc_ve && !unsynced(was.trunc_ve, truncation);
        self.violate_if("S10", after.is_member() && (fence_lost || truncation_lost));
    }

    /// S12: a segment that serves an instance has applied its truncation.
    fn judge_service(&mut self, state: &State<N>, n: usize, server: usize) {
        let Some(decision) = self.ghosts.get(state.ghost).decided[server].clone() else { return };
        let node = self.nodes.get(state.nodes[n]);
        let image = node.1.segment.image();
        let applied = decision.ranges.iter().all(|wanted| image.ranges.iter().any(|range| range == wanted));
        self.violate_if("S12", image.trunc_ve != decision.ve || !applied);
    }

    /// S13 and S15, which speak of each segment.
    fn judge_segments(&mut self, state: &State<N>) {
        for node in state.nodes {
            if self.judged.insert((node, state.ghost)) {
                let ghost = self.ghosts.get(state.ghost);
                let node = self.nodes.get(node);
                let (invents, gap) = (ghost.invents(&node.1.segment), ghost.has_gap(&node.1.segment, &self.rules));
                self.violate_if("S15", invents);
                self.violate_if("S13", gap);
            }
        }
    }
}
