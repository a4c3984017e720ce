//! What a run has been through, in shapes ([`sextant_model::shape`]): how often each was met, and the steps between them.

use std::collections::{HashMap, HashSet};

use sextant_model::shape::Shape;

/// Of one run, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visited {
    /// How often.
    pub shapes: HashMap<Shape, u64>,
    pub steps: HashSet<(Shape, Shape)>,
    last: Option<Shape>,
}

impl Visited {
    /// The run is in a state of this shape; none before anybody has opened the volume.
    pub fn see(&mut self, shape: Option<Shape>) {
        let Some(shape) = shape else { return };
        *self.shapes.entry(shape).or_default() += 1;
        if let Some(last) = self.last.replace(shape).filter(|last| *last != shape) {
            self.steps.insert((last, shape));
        }
    }

    /// Another order of the same run begins, or another run.
    pub fn begin_again(&mut self) {
        self.last = None;
    }

    /// Everything of both.
    pub fn extend(&mut self, other: &Visited) {
        other.shapes.iter().for_each(|(shape, times)| *self.shapes.entry(*shape).or_default() += times);
        self.steps.extend(&other.steps);
    }
}
