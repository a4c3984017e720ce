//! Packed states as words, in which they are worked with, and as bytes, in which they are kept.

use super::mix::BYTES_MIN;
use super::{Packed, Reader, Writer};

/// How long a model's packed states are.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub bytes: usize,
    pub words: usize,
}

impl Shape {
    #[must_use]
    pub fn of<M: Packed>(model: &M) -> Self {
        let bytes = (model.bits().div_ceil(8) as usize).max(BYTES_MIN);
        Shape { bytes, words: bytes.div_ceil(8) }
    }

    #[must_use]
    pub fn words(self) -> Vec<u64> {
        vec![0; self.words]
    }

    /// Words of a packed state. `W` says them where they are known while compiling, and is 0 where they are not: the inner
    /// loops are compiled for each.
    #[must_use]
    #[inline]
    pub fn width<const W: usize>(self) -> usize {
        if W == 0 { self.words } else { W }
    }

    /// The state's canonical form as words.
    #[inline(always)]
    pub fn pack<M: Packed>(self, model: &M, state: M::State, words: &mut [u64]) {
        let mut writer = Writer::new(words);
        model.pack(&model.canonical(state), &mut writer);
        let put = writer.position();
        assert!(put as usize <= 8 * self.bytes, "{put} bits were packed, more than the model says");
        writer.finish();
    }

    #[must_use]
    pub fn unpack<M: Packed>(self, model: &M, bytes: &[u8]) -> M::State {
        let mut words = self.words();
        self.widen(bytes, &mut words);
        model.unpack(&mut Reader::new(&words))
    }

    /// Bytes to words.
    #[inline]
    pub fn widen(self, bytes: &[u8], words: &mut [u64]) {
        let (whole, short) = bytes.as_chunks::<8>();
        words.iter_mut().zip(whole).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
        if !short.is_empty() {
            words[whole.len()] = short.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        }
    }

    /// Words to bytes, behind what is there.
    #[inline]
    pub fn append(self, words: &[u64], out: &mut Vec<u8>) {
        let end = out.len() + self.bytes;
        words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        out.truncate(end);
    }
}
