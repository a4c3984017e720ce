//! Promises other than linearizability, against their definitions: every verdict on thousands of small random histories
//! is compared with a search of all orders that knows nothing of graphs; named anomalies from examples of the
//! literature; the corpus.

mod adya;
mod brute;
mod corpus;
mod examples;
mod random;
mod sequential;
mod sessions;
mod snapshots;
mod transactions;
mod weak;
