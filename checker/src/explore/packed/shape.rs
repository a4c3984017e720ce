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

    /// The state's canonical form as words.
    #[inline]
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
        for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(whole);
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
