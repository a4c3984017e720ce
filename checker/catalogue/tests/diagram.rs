//! The pictures of real counterexamples.

use sextant_catalogue::diagram::{page, svg};
use sextant_catalogue::{Walk, mutant, open};
use sextant_model::area::Mark;

fn counterexample(id: &str) -> (Walk, String) {
    let mutant = mutant(id).unwrap();
    let model = mutant.area.open(&mutant.rules, &mutant.bounds).unwrap();
    let found = model.shortest(mutant.breaks[0], 1).unwrap().expect("the mutant is caught");
    (open(&found.case).unwrap().walk(&found.case.actions).unwrap(), found.case.to_string())
}

#[test]
fn every_action_is_drawn_and_every_lane_has_a_name() {
    for id in ["M1", "M5", "M45", "M36"] {
        let (walk, _) = counterexample(id);
        let svg = svg(&walk);
        for lane in &walk.lanes {
            assert!(svg.contains(&format!(">{}</text>", lane.name)), "{id}: {}", lane.name);
        }
        let messages = walk.steps.iter().filter(|step| matches!(step.mark, Mark::Message { .. })).count();
        assert_eq!(svg.matches("marker-end").count(), messages, "{id}");
        assert_eq!(svg.matches("class=\"number\"").count(), walk.steps.len(), "{id}");
        let faults = walk.steps.iter().filter(|step| matches!(step.mark, Mark::Fault { .. })).count();
        assert_eq!(svg.matches("class=\"fault\"").count(), 2 * faults, "{id}");
        assert!(svg.contains("violated: "), "{id}");
    }
}

#[test]
fn a_title_is_no_markup() {
    let (walk, case) = counterexample("M45");
    let page = page("<script>", &walk, &case);
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
}
