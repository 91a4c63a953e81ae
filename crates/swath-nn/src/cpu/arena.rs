//! Where values lie in one block of memory.
//!
//! Each image is alive from the node that first writes it to the last that reads it; images that are alive at
//! different times may share memory. Placing the largest first, each at the lowest place that is free while it
//! is alive, comes within a few percent of the least possible size (Pisarchyk and Lee, *Efficient Memory Management
//! for Deep Neural Net Inference*, MLSys 2020, <https://arxiv.org/abs/2001.03288>).

use std::ops::Range;

/// Floats between the beginnings of two images are multiples of this: a page, so that huge pages and cache lines fall alike.
const STEP: usize = 1024;

/// Something that needs memory for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tenant {
    /// Floats.
    pub(super) len: usize,
    /// The first and the last node that use it.
    pub(super) alive: [usize; 2],
}

/// The first float of each tenant, and how many floats all need together.
pub(super) fn arrange(tenants: &[Tenant]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..tenants.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(tenants[index].len));
    let mut starts = vec![0; tenants.len()];
    let mut total = 0;
    for (done, &index) in order.iter().enumerate() {
        let meets = |other: &usize| {
            let (a, b) = (tenants[*other].alive, tenants[index].alive);
            a[0] <= b[1] && b[0] <= a[1]
        };
        let mut taken: Vec<Range<usize>> = order[..done]
            .iter()
            .filter(|other| meets(other))
            .map(|&other| starts[other]..starts[other] + tenants[other].len)
            .collect();
        taken.sort_by_key(|range| range.start);
        let mut start = 0;
        for range in taken {
            if start + tenants[index].len <= range.start {
                break;
            }
            start = start.max(range.end.next_multiple_of(STEP));
        }
        starts[index] = start;
        total = total.max(start + tenants[index].len);
    }
    (starts, total)
}

/// A range to write and others to read, which must not overlap it.
///
/// # Panics
/// When they do.
pub(super) fn split<const W: usize, const R: usize>(
    arena: &mut [f32],
    write: [Range<usize>; W],
    read: [Range<usize>; R],
) -> ([&mut [f32]; W], [&[f32]; R]) {
    let mut order: [usize; W] = std::array::from_fn(|index| index);
    order.sort_by_key(|index| write[*index].start);
    let mut outs = [(); W].map(|()| Default::default());
    // What lies before, between and behind the parts to write, with its place in the arena.
    let mut others: Vec<(usize, &[f32])> = Vec::with_capacity(W + 1);
    let (mut rest, mut start) = (arena, 0);
    for index in order {
        let Range { start: first, end } = write[index];
        let gap = first.checked_sub(start).expect("an operation does not write the same twice");
        let (before, behind) = rest.split_at_mut(gap);
        let (out, behind) = behind.split_at_mut(end - first);
        others.push((start, before));
        outs[index] = out;
        (rest, start) = (behind, end);
    }
    others.push((start, rest));
    let inputs = read.map(|range| {
        let found =
            others.iter().find_map(|(start, part)| part.get(range.start.checked_sub(*start)?..range.end - start));
        found.expect("an operation does not write what it reads")
    });
    (outs, inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_share_memory_unless_they_meet() {
        let tenant = |len, alive| Tenant { len, alive };
        // A chain: each is made from the one before.
        let chain = [tenant(5000, [0, 1]), tenant(3000, [1, 2]), tenant(5000, [2, 3]), tenant(100, [3, 4])];
        let (starts, total) = arrange(&chain);
        assert_eq!(total, 5 * STEP + 3000);
        for (a, first) in chain.iter().enumerate() {
            for (b, second) in chain.iter().enumerate().skip(a + 1) {
                let meet = first.alive[0] <= second.alive[1] && second.alive[0] <= first.alive[1];
                let apart = starts[a] + first.len <= starts[b] || starts[b] + second.len <= starts[a];
                assert!(!meet || apart, "{a} and {b} overlap: {starts:?}");
            }
        }
    }

    #[test]
    fn a_gap_is_used() {
        let tenant = |len, alive| Tenant { len, alive };
        let (starts, total) = arrange(&[
            tenant(4 * STEP, [0, 1]),
            tenant(3 * STEP, [0, 9]),
            tenant(2 * STEP, [2, 9]),
            tenant(STEP, [3, 9]),
        ]);
        assert_eq!((starts, total), (vec![0, 4 * STEP, 0, 2 * STEP], 7 * STEP));
    }

    #[test]
    fn parts_to_write_come_in_any_order() {
        let mut arena: Vec<f32> = (0..10).map(|value| value as f32).collect();
        let ([a, b], [c, d]) = split(&mut arena, [6..8, 1..3], [3..5, 4..6]);
        assert_eq!((&*a, &*b, c, d), (&[6.0, 7.0][..], &[1.0, 2.0][..], &[3.0, 4.0][..], &[4.0, 5.0][..]));
    }

    #[test]
    #[should_panic(expected = "does not write what it reads")]
    fn what_is_written_cannot_be_read() {
        split(&mut [0.0; 10], [2..5, 8..9], [0..2, 4..6]);
    }
}
