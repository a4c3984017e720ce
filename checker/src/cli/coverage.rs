//! `sextant model coverage`: what the quick explorations exercise of actions and decisions.

use std::collections::BTreeSet;
use std::io;

use serde::Serialize;
use sextant::explore::catalogue::{self, Profile};
use sextant::verdict::Exit;
use sextant_model::area::Size;
use sextant_model::decisions::typed;

use super::model::{Shown, all_cores};
use super::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
exit: 0 over all profiles together every action that the adopted rules allow is taken, and every value of every decision makes a
difference; 1 not so. Of one profile it only lists.")]
pub struct Args {
    /// This profile alone
    #[arg(value_name = "PROFILE", value_parser = catalogue::profile)]
    profile: Option<&'static Profile>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One profile of `--json`, or an area: what its profiles have in common. The names are an interface.
#[derive(Serialize)]
struct Row {
    area: &'static str,
    /// Null: all profiles of the area together.
    profile: Option<&'static str>,
    actions_never_taken: BTreeSet<&'static str>,
    /// As `--rule` takes them.
    decisions_never_exercised: BTreeSet<String>,
}

impl Args {
    pub fn run(&self) -> io::Result<Exit> {
        let asked = |profile: &&Profile| self.profile.is_none_or(|only| only.name == profile.name);
        let mut rows: Vec<Row> = Vec::new();
        for profile in catalogue::profiles().iter().filter(asked) {
            rows.push(explored(profile)?);
        }
        let mut exit = Exit::Valid;
        if self.profile.is_none() {
            for area in catalogue::areas() {
                let of_profiles = || rows.iter().filter(|row| row.profile.is_some());
                let of_area = of_profiles().filter(|row| row.area == area.name());
                let Some(mut together) = of_area.reduce_to_common() else { continue };
                // A rule book that two areas have in common is exercised by either.
                let has_its_rules =
                    |row: &&Row| catalogue::area(row.area).is_some_and(|other| other.decisions() == area.decisions());
                if let Some(of_rules) = of_profiles().filter(has_its_rules).reduce_to_common() {
                    together.decisions_never_exercised = of_rules.decisions_never_exercised;
                }
                together.actions_never_taken.retain(|kind| !area.kinds_of_mistakes().contains(kind));
                if !together.actions_never_taken.is_empty() || !together.decisions_never_exercised.is_empty() {
                    exit = Exit::Invalid;
                }
                rows.push(together);
            }
        }
        if self.json {
            output::line(&serde_json::to_string(&rows)?)?;
        } else {
            for row in &rows {
                output::line(&row.text())?;
            }
        }
        Ok(exit)
    }
}

fn explored(profile: &Profile) -> io::Result<Row> {
    let mut legs = Vec::new();
    for leg in profile.legs(Size::Quick) {
        let model = leg.open(&leg.area.adopted()).map_err(io::Error::other)?;
        let mut shown = Shown::new(leg.name);
        let covered = model.cover(all_cores(), &mut |progress| shown.show(progress)).map_err(io::Error::other)?;
        let never = covered.explored.actions.iter().filter(|(_, count)| *count == 0);
        let typed = |(decision, value): &(&str, &str)| format!("{}={}", typed(decision), typed(value));
        legs.push(Row {
            area: leg.area.name(),
            profile: Some(profile.name),
            actions_never_taken: never.map(|(kind, _)| *kind).collect(),
            decisions_never_exercised: covered.unexercised.iter().map(typed).collect(),
        });
    }
    let together = legs.iter().reduce_to_common().ok_or_else(|| io::Error::other("a profile without a leg"))?;
    Ok(Row { profile: Some(profile.name), ..together })
}

trait Common {
    /// What none of these exercises.
    fn reduce_to_common(self) -> Option<Row>;
}

impl<'a, I: Iterator<Item = &'a Row>> Common for I {
    fn reduce_to_common(self) -> Option<Row> {
        let whole = self.map(|row| Row {
            area: row.area,
            profile: None,
            actions_never_taken: row.actions_never_taken.clone(),
            decisions_never_exercised: row.decisions_never_exercised.clone(),
        });
        whole.reduce(|all, row| Row {
            actions_never_taken: &all.actions_never_taken & &row.actions_never_taken,
            decisions_never_exercised: &all.decisions_never_exercised & &row.decisions_never_exercised,
            ..all
        })
    }
}

impl Row {
    fn text(&self) -> String {
        let whose = self.profile.map_or_else(|| format!("all of {}", self.area), str::to_owned);
        let list = |all: Vec<&str>| if all.is_empty() { "none".into() } else { all.join(", ") };
        let actions = list(self.actions_never_taken.iter().copied().collect());
        let decisions = list(self.decisions_never_exercised.iter().map(String::as_str).collect());
        format!("{whose:<18} actions never taken: {actions}\n{:<18} decisions never exercised: {decisions}", "")
    }
}
