//! What the rules of membership decide about sets is what the quorum algebra says.

use sextant_model::membership::by_id;
use sextant_model::membership::rules::MembershipRules;
use sextant_model::membership::world::World;
use sextant_model::quorum::Quorum;
use sextant_model::types::SegmentSet;

/// What the rules decide about sets is what the quorum algebra says about the configurations' quorums, over all sets.
#[test]
fn the_rules_agree_with_the_algebra() {
    let rules = MembershipRules::adopted();
    for bounds in [by_id("M36").unwrap().bounds, by_id("M43").unwrap().bounds, by_id("M44").unwrap().bounds] {
        let first = World::created(&bounds);
        let mut configurations = vec![*first.newest()];
        for exchange in bounds.exchanges.iter().flatten() {
            let next = configurations.last().and_then(|last| rules.begin(last, &[*exchange])).unwrap();
            configurations.push(next);
        }
        for configuration in &configurations {
            let (write, read): (Quorum, Quorum) =
                (configuration.write_quorum(), configuration.read_quorum(&first.hydrated()));
            for set in (0..256).map(SegmentSet) {
                assert_eq!(rules.is_write_quorum(configuration, set), write.is_met_by(set), "{write} {set}");
                assert_eq!(
                    rules.is_read_quorum(configuration, set, &first.hydrated()),
                    read.is_met_by(set),
                    "{read} {set}"
                );
            }
        }
    }
}
