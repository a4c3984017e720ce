//! Was it right: whether a recorded history of any system is linearizable ([`linearizability`]) or keeps another promise
//! ([`consistency`]), what shows it, and the page to look at ([`picture`]).
//!
//! It knows histories and nothing else: no protocol, no explorer.

pub mod consistency;
pub mod linearizability;
pub mod picture;
pub mod verdict;
