//! Delta debugging of a sequence (Zeller and Hildebrandt 2002): parts are left out for as long as what is left passes a test.

/// Leaves out what can be left out; law: `items` pass. What is left passes, and nothing of it can be left out alone.
pub(super) fn minimise<T: Copy>(items: Vec<T>, passes: &mut impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut left = items;
    let mut size = left.len().div_ceil(2).max(1);
    loop {
        let before = left.len();
        leave_out_stretches(&mut left, size, passes);
        if size > 1 {
            size = size.div_ceil(2);
        } else if left.len() == before {
            return left;
        }
    }
}

/// One stretch of `size` after the other, from the end: what comes late depends on what comes early.
fn leave_out_stretches<T: Copy>(left: &mut Vec<T>, size: usize, passes: &mut impl FnMut(&[T]) -> bool) {
    let mut end = left.len();
    while end > 0 {
        let begin = end.saturating_sub(size);
        let without: Vec<T> = left[..begin].iter().chain(&left[end..]).copied().collect();
        if passes(&without) {
            *left = without;
        }
        end = begin;
    }
}

/// The same with all choices of up to `together` items at once. What is left passes, and no so many of it can be left out.
pub(super) fn minimise_together<T: Copy>(
    items: Vec<T>,
    together: usize,
    passes: &mut impl FnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut left = minimise(items, passes);
    let mut count = 2;
    while count <= together {
        match without_some(&left, count, passes) {
            Some(fewer) => {
                left = minimise(fewer, passes);
                count = 2;
            }
            None => count += 1,
        }
    }
    left
}

/// The first way to leave out `count` items.
fn without_some<T: Copy>(items: &[T], count: usize, passes: &mut impl FnMut(&[T]) -> bool) -> Option<Vec<T>> {
    if items.len() < count {
        return None;
    }
    let mut chosen: Vec<usize> = (0..count).collect();
    loop {
        let left = items.iter().enumerate().filter(|(at, _)| !chosen.contains(at));
        let left: Vec<T> = left.map(|(_, item)| *item).collect();
        if passes(&left) {
            return Some(left);
        }
        // The next choice, in the order of their numbers.
        let turned = (0..count).rev().find(|&place| chosen[place] < items.len() - count + place)?;
        chosen[turned] += 1;
        for place in turned + 1..count {
            chosen[place] = chosen[place - 1] + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_stays_in_its_order() {
        let mut tests = 0;
        let left = minimise((0..1000).collect(), &mut |items: &[i32]| {
            tests += 1;
            [13, 400, 401, 999].iter().all(|needed| items.contains(needed))
        });
        assert_eq!(left, [13, 400, 401, 999]);
        assert!(tests < 200, "{tests} tests");
        assert!(minimise(vec![1, 2, 3], &mut |_| true).is_empty());
        assert_eq!(minimise(vec![1, 2, 3], &mut |items| items.len() == 3), [1, 2, 3]);
    }

    /// What can only be left out together needs choices of more than one.
    #[test]
    fn pairs_are_left_out_where_that_is_asked_for() {
        let balanced = |items: &[i32]| items.contains(&5) && items.iter().filter(|item| **item != 5).sum::<i32>() == 0;
        let items = vec![1, 2, 5, -1, 3, -2, -3];
        assert_eq!(minimise(items.clone(), &mut { balanced }).len(), 7);
        assert_eq!(minimise_together(items, 2, &mut { balanced }), [5]);
        let three = vec![4, 5, -1, -3];
        assert_eq!(minimise_together(three.clone(), 2, &mut { balanced }).len(), 4);
        assert_eq!(minimise_together(three, 3, &mut { balanced }), [5]);
    }
}
