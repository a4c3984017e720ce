//! Keys of packed states: a hash for fingerprints, and an invertible mix for exact storage.

/// The fewest bytes of a packed state that the engine works with; shorter ones are padded.
pub const BYTES_MIN: usize = 4;

const A: u64 = 0x9e37_79b9_7f4a_7c15;
const B: u64 = 0xbf58_476d_1ce4_e5b9;
const C: u64 = 0x94d0_49bb_1331_11eb;

/// A bijection on 64 bits in which every bit of the result depends on every bit of `x` (splitmix64).
#[inline]
fn mix64(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(B);
    let x = (x ^ x >> 27).wrapping_mul(C);
    x ^ x >> 31
}

/// 64 bits for a packed state. Of one word two different ones never have the same; of more words two that differ in one
/// never do.
#[inline]
pub fn fingerprint(state: &[u64]) -> u64 {
    state.iter().fold(0, |hash, word| mix64(hash.wrapping_add(A) ^ word))
}

/// Whether two states of this many bytes can have one fingerprint.
#[must_use]
pub fn can_collide(bytes: usize) -> bool {
    bytes > 8
}

/// The first word mixed with all others: of a state of `bytes` bytes, the head and the other words tell all. Of a state of
/// less than eight bytes it has as many bits as the state, and they are its most significant ones.
#[inline]
pub fn head(state: &[u64], bytes: usize) -> u64 {
    if bytes < 8 {
        let bits = 8 * bytes as u32;
        return mix_bits(state[0], bits) << (64 - bits);
    }
    let rest = if state.len() > 1 { fingerprint(&state[1..]) } else { 0 };
    mix64(state[0] ^ rest)
}

/// A bijection on numbers of `bits` bits.
#[inline]
fn mix_bits(x: u64, bits: u32) -> u64 {
    let mask = (1 << bits) - 1;
    let half = bits.div_ceil(2);
    let x = (x ^ x >> half).wrapping_mul(A) & mask;
    let x = (x ^ x >> half).wrapping_mul(B) & mask;
    let x = (x ^ x >> half).wrapping_mul(C) & mask;
    x ^ x >> half
}

/// How many pairs of `states` states are expected to share a 64-bit fingerprint, if fingerprints are as good as random:
/// n (n − 1) / 2⁶⁵.
#[must_use]
pub fn expected_collisions(states: u64, bytes: usize) -> f64 {
    let n = states as f64;
    if can_collide(bytes) { n * (n - 1.0).max(0.0) / 2f64.powi(65) } else { 0.0 }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inverse(odd: u64) -> u64 {
        // Newton's iteration doubles the correct low bits.
        (0..6).fold(odd, |x, _| x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x))))
    }

    fn unshift(x: u64, by: u32) -> u64 {
        let mut out = x;
        for _ in 0..64 / by {
            out = x ^ out >> by;
        }
        out
    }

    fn unmix64(x: u64) -> u64 {
        let x = unshift(unshift(x, 31).wrapping_mul(inverse(C)), 27);
        unshift(x.wrapping_mul(inverse(B)), 30)
    }

    fn unmix_bits(x: u64, bits: u32) -> u64 {
        let (mask, half) = ((1 << bits) - 1, bits.div_ceil(2));
        let undo = |x: u64, odd: u64| unshift(x.wrapping_mul(inverse(odd)) & mask, half);
        undo(undo(undo(unshift(x, half), C), B), A)
    }

    /// The state of `bytes` bytes that has this head and these words behind the first.
    pub fn unhead(head: u64, bytes: usize, rest: &[u64]) -> Vec<u64> {
        if bytes < 8 {
            let bits = 8 * bytes as u32;
            return vec![unmix_bits(head >> (64 - bits), bits)];
        }
        let of_rest = if rest.is_empty() { 0 } else { fingerprint(rest) };
        [&[unmix64(head) ^ of_rest], rest].concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn the_head_is_invertible(words in proptest::collection::vec(any::<u64>(), 1..5), short in BYTES_MIN..=8) {
            prop_assert_eq!(unhead(head(&words, 8 * words.len()), 8 * words.len(), &words[1..]), &words[..]);
            let cut = if short < 8 { words[0] & ((1 << (8 * short)) - 1) } else { words[0] };
            prop_assert_eq!(unhead(head(&[cut], short), short, &[]), [cut]);
        }
    }

    /// Counters, single bits and pairs of bits: what packed states look like. A good hash cut to 32 bits collides about as
    /// often as random numbers do.
    #[test]
    fn regular_states_collide_no_more_than_random_ones() {
        let counters = (0..60_000u64).map(|i| [i, i / 7]);
        let triples = (0..72usize).flat_map(|i| (0..i).flat_map(move |j| (0..j).map(move |k| (i, j, k))));
        let sparse = triples.map(|(i, j, k)| {
            let mut state = [0; 2];
            [i, j, k].into_iter().for_each(|bit| state[bit / 64] |= 1 << (bit % 64));
            state
        });
        let states: std::collections::BTreeSet<[u64; 2]> = counters.chain(sparse).collect();
        type Hash = fn(&[u64]) -> u64;
        let hashes: [(&str, Hash); 2] = [("fingerprint", fingerprint), ("head", |state| head(state, 16))];
        for (name, hash) in hashes {
            for shift in [0, 16, 32] {
                let mut cut: Vec<u32> = states.iter().map(|s| (hash(s) >> shift) as u32).collect();
                cut.sort_unstable();
                let collisions = cut.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64;
                let n = states.len() as f64;
                let expected = n * n / 2f64.powi(33);
                assert!(collisions < 3.0 * expected + 6.0, "{name} >> {shift}: {collisions} for {expected:.1}");
            }
        }
    }
}
