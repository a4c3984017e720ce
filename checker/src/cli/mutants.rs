//! `sextant model mutants`: every known mistake, by each layer that is to find it.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use clap::ValueEnum;
use serde::Serialize;
use sextant::explore::catalogue::{self, Mutant, Property};
use sextant::explore::matrix::{self, Matrix};
use sextant::explore::{Death, Fate};
use sextant::lockstep::{self, Failure, Stage};
use sextant::schedule::{Lengths, Shrunk};
use sextant::simulate::{self, Mistake};
use sextant::verdict::Exit;

use super::model::all_cores;
use super::{lockstep as acted, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where they are to be found: by exhaustive exploration; by simulation (the core's and the executor's); by processes that
    /// take the actions of the shortest counterexamples in lockstep (the core's)
    #[arg(long, value_enum, default_value = "model")]
    layer: Layer,
    /// Explore each to its end instead, and print every property that it breaks; then, for each property, the mutants that break
    /// it alone, or why there is none
    #[arg(long, conflicts_with = "layer")]
    matrix: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Layer {
    Model,
    Sim,
    Real,
    All,
}

impl Layer {
    fn includes(self, layer: Layer) -> bool {
        self == layer || self == Layer::All
    }
}

/// One mutant of `--json`. The names are an interface.
#[derive(Serialize)]
struct MutantReport<'a> {
    id: &'a str,
    equivalent: bool,
    caught: bool,
    property: Option<&'a str>,
    /// The length of the shortest trace for each property that it must break.
    properties: BTreeMap<&'a str, usize>,
    trace_length: Option<usize>,
    profile: &'a str,
    seconds: f64,
}

/// One mistake in the simulator, in `--json`.
#[derive(Serialize)]
struct SimulatedReport<'a> {
    id: &'a str,
    equivalent: bool,
    caught: bool,
    property: Option<&'a str>,
    fault_of: Option<&'a str>,
    /// The lowest seed that showed it.
    seed: Option<u64>,
    /// Faults of its plan, and of the smallest plan that shows the same.
    faults: Option<usize>,
    shrunk: Option<usize>,
    /// Operations that clients begin in the smallest plan, if so few suffice.
    operations: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<CaseReport>,
    /// Why there is no case.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_case: Option<&'a str>,
    seeds: u64,
    cpu_seconds: f64,
}

/// What is left of a simulated run in actions of the model, in `--json`.
#[derive(Clone, Serialize)]
struct CaseReport {
    /// The first seed whose violation actions of the model have.
    seed: u64,
    property: String,
    /// Steps of the run, of these left on a world without bounds, and actions on the core.
    run: usize,
    left: usize,
    actions: usize,
    /// The model's shortest, and to which property.
    shortest: Option<usize>,
    shortest_of: Option<String>,
    /// The actors do the same in lockstep, as processes; or why not.
    acted_out: bool,
    reason: Option<String>,
}

impl CaseReport {
    fn of(id: &str, seed: u64, shrunk: &Shrunk) -> io::Result<CaseReport> {
        let property = shrunk.case.violates.clone().unwrap_or_default();
        let shortest = simulate::shortest_of(id, &property, all_cores()).map_err(io::Error::other)?;
        let (shortest_of, shortest) = shortest.unzip();
        let reason = acted::outcome(&shrunk.case, &Stage::Real { executable: std::env::current_exe()? })?;
        let Lengths { run, left, case: actions } = shrunk.lengths;
        Ok(CaseReport {
            seed,
            property,
            run,
            left,
            actions,
            shortest,
            shortest_of,
            acted_out: reason.is_none(),
            reason,
        })
    }

    fn told(&self) -> String {
        let CaseReport { seed, property, run, left, actions, .. } = self;
        let shortest = match (&self.shortest_of, self.shortest) {
            (Some(of), Some(shortest)) => {
                format!("the model's shortest {of} in {shortest}: {:.2} times", *actions as f64 / shortest as f64)
            }
            _ => "the model's shortest is not known".to_owned(),
        };
        let acted = match &self.reason {
            None => "acted out by processes".to_owned(),
            Some(reason) => format!("NOT acted out: {reason}"),
        };
        format!("      seed {seed}: {run} steps, {left}, {property} in {actions} actions; {shortest}; {acted}")
    }
}

#[derive(Serialize)]
struct MutantReports<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mutants: Option<Vec<MutantReport<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    simulated: Option<Vec<SimulatedReport<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    real: Option<Vec<ActedReport<'a>>>,
}

/// One counterexample taken by processes, in `--json`.
#[derive(Serialize)]
struct ActedReport<'a> {
    id: &'a str,
    property: &'a str,
    actions: usize,
    /// The record of the processes violates the same property.
    reproduced: bool,
    /// Why not.
    reason: Option<String>,
    seconds: f64,
    #[serde(skip)]
    exit: Exit,
}

/// The matrix in `--json`. The names are an interface.
#[derive(Serialize)]
struct MatrixReport<'a> {
    matrix: Vec<RowReport<'a>>,
    properties: Vec<Worth>,
}

/// Every property that a mutant breaks, with the length of a shortest trace.
#[derive(Serialize)]
struct RowReport<'a> {
    area: &'a str,
    id: &'a str,
    breaks: &'a BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct Worth {
    area: &'static str,
    id: &'static str,
    /// The mutants that break this property and no other.
    alone: Vec<&'static str>,
    /// Why there are none.
    why: Option<&'static str>,
}

impl Worth {
    fn of(matrix: &Matrix, property: &Property) -> Worth {
        let (area, id) = (property.area, property.id);
        Worth { area, id, alone: matrix::alone(matrix, property), why: matrix::excuse(area, id) }
    }
}

/// Seeds in which an equivalent mistake must show nothing.
const EQUIVALENT_SEEDS: u64 = 300;

impl Args {
    pub fn run(&self) -> io::Result<Exit> {
        if self.matrix {
            return self.run_matrix();
        }
        let needs_traces = self.layer.includes(Layer::Model) || self.layer.includes(Layer::Real);
        let explored = if needs_traces { Some(self.explore()?) } else { None };
        let simulated = if self.layer.includes(Layer::Sim) { Some(self.simulate()?) } else { None };
        let acted = match &explored {
            Some(fates) if self.layer.includes(Layer::Real) => Some(self.act_out(fates)?),
            _ => None,
        };
        let mut exit = Exit::Valid;
        if let Some(fates) = &explored
            && fates.iter().any(|(_, fate)| matches!(fate.death, Death::Survived { .. }))
        {
            exit = Exit::Invalid;
        }
        if let Some(fates) = &simulated
            && fates.iter().any(|(mistake, fate, _)| fate.found.is_some() == mistake.equivalent)
        {
            exit = Exit::Invalid;
        }
        let acted_exits = acted.iter().flatten().map(|acted| acted.exit);
        exit = acted_exits.fold(exit, Exit::combine);
        if self.json {
            let explored = explored.as_ref().filter(|_| self.layer.includes(Layer::Model));
            let mutants = explored.map(|fates| fates.iter().map(|(m, fate)| mutant_report(m, fate)).collect());
            let simulated = simulated
                .as_ref()
                .map(|fates| fates.iter().map(|(m, fate, case)| simulated_report(m, fate, case)).collect());
            output::line(&serde_json::to_string(&MutantReports { mutants, simulated, real: acted })?)?;
        }
        Ok(exit)
    }

    fn run_matrix(&self) -> io::Result<Exit> {
        let mut matrix = Matrix::new();
        for mutant in catalogue::mutants() {
            let row = mutant.row(all_cores()).map_err(io::Error::other)?;
            if !self.json {
                let each: Vec<_> = row.iter().map(|(id, length)| format!("{id} {length}")).collect();
                output::line(&format!("{:<10} {:<5} {}", mutant.area.name(), mutant.id, each.join(", ")))?;
            }
            matrix.push((mutant, row));
        }
        let worth: Vec<_> = catalogue::properties().iter().map(|property| Worth::of(&matrix, property)).collect();
        let unfounded = matrix::unfounded(&matrix);
        if self.json {
            let matrix =
                matrix.iter().map(|(mutant, row)| RowReport { area: mutant.area.name(), id: mutant.id, breaks: row });
            output::line(&serde_json::to_string(&MatrixReport { matrix: matrix.collect(), properties: worth })?)?;
        } else {
            for Worth { area, id, alone, why } in &worth {
                let what =
                    if alone.is_empty() { why.unwrap_or("NO MUTANT, NO REASON").into() } else { alone.join(" ") };
                output::line(&format!("{area:<10} {id:<4} alone: {what}"))?;
            }
        }
        Ok(if unfounded.is_empty() { Exit::Valid } else { Exit::Invalid })
    }

    fn simulate(&self) -> io::Result<Vec<(Mistake, simulate::Fate, Option<CaseReport>)>> {
        let mut fates = Vec::new();
        for mistake in simulate::mistakes() {
            let fate = simulate::judge_mistake(&mistake, all_cores(), EQUIVALENT_SEEDS);
            let shrunk = fate.found.as_ref().and_then(|found| found.case.as_ref().ok());
            let case = shrunk.map(|(seed, shrunk)| CaseReport::of(mistake.id, *seed, shrunk)).transpose()?;
            if !self.json {
                output::line(&simulated_line(&mistake, &fate))?;
                let reason = fate.found.as_ref().and_then(|found| found.case.as_ref().err());
                let told =
                    case.as_ref().map(CaseReport::told).or(reason.map(|reason| format!("      no case: {reason}")));
                told.into_iter().try_for_each(|told| output::line(&told))?;
            }
            fates.push((mistake, fate, case));
        }
        Ok(fates)
    }

    /// Has processes take the actions of every shortest counterexample of the core that a record can show.
    fn act_out(&self, fates: &[(&'static Mutant, Fate)]) -> io::Result<Vec<ActedReport<'static>>> {
        let stage = Stage::Real { executable: std::env::current_exe()? };
        let mut reports = Vec::new();
        for (mutant, fate) in fates.iter().filter(|(mutant, _)| mutant.area.name() == lockstep::AREA) {
            let Death::Caught(found) = &fate.death else { continue };
            for (&property, counterexample) in found.iter().filter(|(property, _)| lockstep::shows(property)) {
                let (dir, began) = (tempfile::tempdir()?, Instant::now());
                let (exit, reason) = match lockstep::replay(&counterexample.case, &stage, dir.path()) {
                    Ok(replayed) if replayed.as_expected => (Exit::Valid, None),
                    Ok(replayed) => (Exit::Invalid, Some(replayed.conformance.summary())),
                    Err(failure) => (exit_of(&failure), Some(failure.to_string())),
                };
                let report = ActedReport {
                    id: mutant.id,
                    property,
                    actions: counterexample.length(),
                    reproduced: exit == Exit::Valid,
                    reason,
                    exit,
                    seconds: began.elapsed().as_secs_f64(),
                };
                if !self.json {
                    output::line(&report.line())?;
                }
                reports.push(report);
            }
        }
        Ok(reports)
    }

    fn explore(&self) -> io::Result<Vec<(&'static Mutant, Fate)>> {
        let mut fates = Vec::new();
        let wanted = |mutant: &&Mutant| self.layer != Layer::Real || mutant.area.name() == lockstep::AREA;
        for mutant in catalogue::mutants().iter().filter(wanted) {
            let mut fate = mutant.judge(all_cores()).map_err(io::Error::other)?;
            let larger = if self.layer.includes(Layer::Model) { look_again(mutant, &mut fate)? } else { None };
            if !self.json && self.layer.includes(Layer::Model) {
                output::line(&fate_line(mutant, &fate, larger))?;
            }
            fates.push((mutant, fate));
        }
        Ok(fates)
    }
}

/// Explores the second size of an equivalent mutant, which may show that it is none: its states.
fn look_again(mutant: &Mutant, fate: &mut Fate) -> io::Result<Option<usize>> {
    let began = Instant::now();
    if !matches!(fate.death, Death::Equivalent(_)) {
        return Ok(None);
    }
    let larger = mutant.judge_larger(all_cores()).map_err(io::Error::other)?;
    if let Some(c) = larger.as_ref().and_then(|explored| explored.counterexample.as_ref()) {
        let reason = format!("said to be equivalent, but breaks {} in its larger size: {}", c.property, c.fact);
        fate.death = Death::Survived { reason };
    }
    if let Some(reason) = larger.as_ref().and_then(|explored| explored.stopped.as_ref()) {
        fate.death = Death::Survived { reason: format!("its larger size was not explored whole: {reason}") };
    }
    fate.elapsed += began.elapsed();
    Ok(larger.map(|explored| explored.unique_states))
}

/// Of a counterexample that was not acted out: an actor that does not send what the model may send has not survived anything.
fn exit_of(failure: &Failure) -> Exit {
    match failure {
        Failure::NeverSent(_) => Exit::Unknown,
        Failure::Actor(_) => Exit::Harness,
        Failure::Case(_) | Failure::Action(_) => Exit::Invalid,
    }
}

impl ActedReport<'_> {
    fn line(&self) -> String {
        let verdict = match &self.reason {
            None => format!("{} violated after {} actions", self.property, self.actions),
            Some(reason) => format!("{} NOT shown: {reason}", self.property),
        };
        format!("{:<5} real processes in lockstep {verdict:<60} {:>6.1} s", self.id, self.seconds)
    }
}

fn simulated_report<'a>(
    mistake: &'a Mistake,
    fate: &'a simulate::Fate,
    case: &Option<CaseReport>,
) -> SimulatedReport<'a> {
    let found = fate.found.as_ref();
    SimulatedReport {
        id: mistake.id,
        equivalent: mistake.equivalent,
        caught: found.is_some(),
        property: found.map(|found| found.violation.property.as_str()),
        fault_of: found.map(|found| found.violation.diagnosis().name()),
        seed: found.map(|found| found.seed),
        faults: found.map(|found| found.faults),
        shrunk: found.map(|found| found.shrunk.judged.plan.windows.len()),
        operations: found.and_then(|found| found.shrunk.judged.plan.operations),
        case: case.clone(),
        no_case: found.and_then(|found| found.case.as_ref().err()).map(String::as_str),
        seeds: fate.seeds,
        cpu_seconds: fate.took.as_secs_f64(),
    }
}

/// One line of the table of simulated mistakes.
fn simulated_line(mistake: &Mistake, fate: &simulate::Fate) -> String {
    let verdict = match &fate.found {
        Some(found) => format!(
            "caught: {} at seed {}, {} faults shrunk to {}{}",
            found.violation.property,
            found.seed,
            found.faults,
            found.shrunk.judged.plan.windows.len(),
            found.shrunk.judged.plan.operations.map(|most| format!(", {most} operations")).unwrap_or_default()
        ),
        None if mistake.equivalent => format!("equivalent: nothing in {} seeds", fate.seeds),
        None => format!("SURVIVED {} seeds", fate.seeds),
    };
    format!("{:<5} {:<56} {verdict:<52} {:>6.1} s", mistake.id, mistake.mistake, fate.took.as_secs_f64())
}

fn mutant_report<'a>(mutant: &'a Mutant, fate: &'a Fate) -> MutantReport<'a> {
    let lengths = match &fate.death {
        Death::Caught(all) => all.iter().map(|(id, c)| (*id, c.length())).collect(),
        Death::Equivalent(_) | Death::Survived { .. } => BTreeMap::new(),
    };
    MutantReport {
        id: mutant.id,
        equivalent: matches!(fate.death, Death::Equivalent(_)),
        caught: matches!(fate.death, Death::Caught(_)),
        property: fate.death.first().map(|c| c.property),
        properties: lengths,
        trace_length: fate.death.first().map(|c| c.length()),
        profile: mutant.profile(),
        seconds: fate.elapsed.as_secs_f64(),
    }
}

/// One line of the table of mutants. `larger`: states of the second size.
fn fate_line(mutant: &Mutant, fate: &Fate, larger: Option<usize>) -> String {
    let verdict = match &fate.death {
        Death::Caught(all) => {
            let each: Vec<_> = all.iter().map(|(id, c)| format!("{id} in {}", c.length())).collect();
            format!("caught: {}", each.join(", "))
        }
        Death::Equivalent(explored) => {
            let sizes = std::iter::once(explored.unique_states).chain(larger).map(|states| states.to_string());
            format!("equivalent: {} states explored whole", sizes.collect::<Vec<_>>().join(" and "))
        }
        Death::Survived { reason } => format!("SURVIVED: {reason}"),
    };
    format!("{:<5} {:<56} {verdict:<44} {:>6.1} s", mutant.id, mutant.mistake, fate.elapsed.as_secs_f64())
}
