//! Every reader, with inputs that it accepts and the reason why it refuses others.

use sextant_histories::generate::{Model, Recipe, Values, make};
use sextant_histories::{History, Reader};

use super::checks;

pub struct Target {
    pub name: &'static str,
    /// Panics where something does not hold.
    pub check: fn(&[u8]),
    /// Why the input is refused, if it is.
    pub reason: fn(&[u8]) -> Option<String>,
    pub seeds: fn() -> Vec<Vec<u8>>,
}

pub const TARGETS: [Target; 1] =
    [Target { name: "native", check: checks::native, reason: native_reason, seeds: native_seeds }];

fn native_reason(bytes: &[u8]) -> Option<String> {
    let read = History::collect(&mut Reader::new("", bytes));
    read.map_or_else(|error| Some(error.fault.to_string()), |(_, torn)| torn.map(|torn| torn.fault.to_string()))
}

/// Small histories of every model.
fn native_seeds() -> Vec<Vec<u8>> {
    let recipes = Model::ALL.into_iter().flat_map(|model| {
        [Values::Unique, Values::Few(3)].map(|values| Recipe {
            operations: 8,
            clients: 3,
            indeterminate: 1,
            fail_percent: 10,
            values,
            ..Recipe::of(model)
        })
    });
    let file = |recipe: Recipe| {
        let mut file = Vec::new();
        make(&recipe).expect("no violation is asked for").write(&mut file).expect("a vector takes everything");
        file
    };
    recipes.map(file).collect()
}
