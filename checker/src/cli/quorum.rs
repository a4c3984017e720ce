//! `sextant quorum`: what a scheme of copies and zones survives.

use std::fmt::Write as _;
use std::io;

use clap::ValueEnum;
use serde::Serialize;
use sextant::verdict::Exit;
use sextant_model::quorum::{self, Loss, Quorum};
use sextant_model::rules::Scheme;
use sextant_model::types::SegmentSet;

use super::output;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    scheme: SchemeArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A scheme as it is typed.
#[derive(Debug, clap::Args)]
pub struct SchemeArgs {
    /// A known scheme to start from, `aurora` if not given; the other options change it
    #[arg(long, value_enum)]
    scheme: Option<Preset>,
    /// Copies of each protection group
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=quorum::MOST_COPIES as i64))]
    copies: Option<u8>,
    /// Availability zones, over which the copies are spread evenly
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=quorum::MOST_COPIES as i64))]
    zones: Option<u8>,
    /// How many copies acknowledge a write
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    write_quorum: Option<u8>,
    /// How many copies a recovery reads
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    read_quorum: Option<u8>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// Six copies over three zones, 4 to write, 3 to read
    Aurora,
    /// Three copies over three zones, 2 to write, 2 to read: does not survive a zone plus one
    #[value(alias = "seed")]
    Teaching,
}

/// The answer. Field names are an interface; sets of copies are by name, `a1`.
#[derive(Serialize)]
struct Answer {
    scheme: Scheme,
    /// Two quorums that have no copy in common: a write and a read, and two writes; null where every two meet.
    write_misses_read: Option<[Vec<String>; 2]>,
    write_misses_write: Option<[Vec<String>; 2]>,
    survives: Vec<Row>,
}

/// For a loss, the copies whose loss leaves no quorum; null where it is survived.
#[derive(Serialize)]
struct Row {
    loss: &'static str,
    reads_lost_with: Option<Vec<String>>,
    writes_lost_with: Option<Vec<String>>,
}

impl Args {
    pub fn run(&self) -> io::Result<Exit> {
        let scheme = match self.scheme.scheme() {
            Ok(scheme) => scheme,
            Err(reason) => {
                output::error(&reason);
                return Ok(Exit::Unreadable);
            }
        };
        let answer = answer(scheme);
        let text = if self.json { serde_json::to_string(&answer)? } else { text(&answer) };
        output::line(&text)?;
        let meets = answer.write_misses_read.is_none() && answer.write_misses_write.is_none();
        Ok(if meets { Exit::Valid } else { Exit::Invalid })
    }
}

impl SchemeArgs {
    /// # Errors
    /// If a quorum is larger than the group.
    pub fn scheme(&self) -> Result<Scheme, String> {
        let preset = match self.scheme {
            None | Some(Preset::Aurora) => Scheme::AURORA,
            Some(Preset::Teaching) => Scheme::TEACHING,
        };
        let scheme = Scheme {
            copies: self.copies.unwrap_or(preset.copies),
            zones: self.zones.unwrap_or(preset.zones),
            write: self.write_quorum.unwrap_or(preset.write),
            read: self.read_quorum.unwrap_or(preset.read),
        };
        let Scheme { copies, zones, write, read } = scheme;
        let larger = [("--zones", zones), ("--write-quorum", write), ("--read-quorum", read)];
        match larger.iter().find(|(_, count)| *count > copies) {
            Some((option, count)) => Err(format!("{option} {count} is more than there are copies, {copies}")),
            None => Ok(scheme),
        }
    }
}

/// What is typed to have this scheme.
pub fn options(scheme: Scheme) -> String {
    let Scheme { copies, zones, write, read } = scheme;
    format!("--copies {copies} --zones {zones} --write-quorum {write} --read-quorum {read}")
}

fn answer(scheme: Scheme) -> Answer {
    let (write, read) = (scheme.write_quorum(), scheme.read_quorum());
    let apart = |one: &Quorum, other: &Quorum| {
        let (one, other) = quorum::separated(one, other)?;
        Some([names(scheme, one), names(scheme, other)])
    };
    let lost = |quorum: &Quorum, loss: Loss| scheme.defeat(quorum, loss).map(|down| names(scheme, down));
    let row = |loss: Loss| Row {
        loss: loss.name(),
        reads_lost_with: lost(&read, loss),
        writes_lost_with: lost(&write, loss),
    };
    Answer {
        scheme,
        write_misses_read: apart(&write, &read),
        write_misses_write: apart(&write, &write),
        survives: Loss::ALL.map(row).into(),
    }
}

fn names(scheme: Scheme, set: SegmentSet) -> Vec<String> {
    let (copies, zones) = (usize::from(scheme.copies), usize::from(scheme.zones));
    set.iter(copies).map(|copy| copy.name(copies, zones)).collect()
}

fn text(answer: &Answer) -> String {
    let Scheme { copies, zones, write, read } = answer.scheme;
    let mut text = format!("{copies} copies over {zones} zones, {write} to write, {read} to read\n");
    let meeting = [("a write and a read", &answer.write_misses_read), ("two writes", &answer.write_misses_write)];
    for (what, apart) in meeting {
        let verdict = match apart {
            None => "always meet in a copy".into(),
            Some([one, other]) => format!("can miss each other: {} and {}", one.join(" "), other.join(" ")),
        };
        let _ = writeln!(text, "{what:<20}{verdict}");
    }
    let _ = writeln!(text, "\n{:<20}{:<28}writes", "loss of", "reads");
    let said = |lost: &Option<Vec<String>>| match lost {
        None => "survive".to_owned(),
        Some(down) => format!("stop without {}", down.join(" ")),
    };
    for row in &answer.survives {
        let _ = writeln!(text, "{:<20}{:<28}{}", row.loss, said(&row.reads_lost_with), said(&row.writes_lost_with));
    }
    text
}
