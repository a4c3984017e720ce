//! What a managed RPO does not cover.

use sextant_model::area::{Area, Context};
use sextant_model::region::Regions;
use sextant_model::region::rules::RegionRules;
use sextant_model::region::world::{Action, Bounds, World};

/// The state after these actions, each of which must be possible, by the adopted rules.
fn after(bounds: &Bounds, actions: &[Action]) -> World {
    let (rules, bounds) = (RegionRules::adopted(), bounds.unreduced());
    let context = Context { rules: &rules, bounds: &bounds };
    actions.iter().fold(Regions::initial(context), |world, &action| {
        Regions::after(context, &world, action).unwrap_or_else(|| panic!("not possible: {action:?}"))
    })
}

fn acknowledged(world: &World, bounds: &Bounds, epoch: u8) -> u8 {
    world.acknowledged(&RegionRules::adopted(), bounds, epoch)
}

const RPO_OF_ONE: Bounds = Bounds::of(3, [1, 1, 1], 2).rpo(1);

/// A is the primary, and B has reported two records.
const REPORTED: [Action; 6] = [
    Action::Allocate { region: 0 },
    Action::Allocate { region: 0 },
    Action::Durable { region: 0 },
    Action::Deliver { epoch: 1, lsn: 1, region: 1 },
    Action::Deliver { epoch: 1, lsn: 2, region: 1 },
    Action::Report { region: 1, epoch: 1 },
];

/// What B inherited is on no other secondary when it is replaced itself.
#[test]
fn an_rpo_covers_one_promotion() {
    let first = after(&RPO_OF_ONE, &REPORTED);
    assert_eq!(acknowledged(&first, &RPO_OF_ONE, 1), 2);
    let twice = [Action::Promote { region: 1 }, Action::Follow { region: 2, epoch: 2 }, Action::Promote { region: 2 }];
    let last = after(&RPO_OF_ONE, &[&REPORTED[..], &twice].concat());
    assert_eq!(last.epoch(2).start, 2, "the first promotion loses nothing");
    assert_eq!(last.epoch(3).start, 0, "the second loses two, under an RPO of one");
}

/// A has been replaced and does not know it; C, which still follows it, vouches for what only the two of them have.
#[test]
fn an_rpo_does_not_cover_what_an_old_primary_goes_on_to_acknowledge() {
    let behind = [
        Action::Promote { region: 1 },
        Action::Allocate { region: 0 },
        Action::Durable { region: 0 },
        Action::Deliver { epoch: 1, lsn: 1, region: 2 },
        Action::Deliver { epoch: 1, lsn: 2, region: 2 },
        Action::Deliver { epoch: 1, lsn: 3, region: 2 },
        Action::Report { region: 2, epoch: 1 },
    ];
    // B had reported nothing when it was promoted.
    let last = after(&RPO_OF_ONE, &[&REPORTED[..3], &behind].concat());
    assert_eq!((last.epoch(2).start, last.epoch(2).ghost.lost), (0, 1), "one is lost of what was acknowledged then");
    assert_eq!(acknowledged(&last, &RPO_OF_ONE, 1), 3, "three are lost in the end");
}
