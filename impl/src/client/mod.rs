//! The clients' side, for whoever drives some: what they ask for ([`workload`]), and what an end means ([`contract`]).

pub mod contract;
pub mod workload;
