//! Explorers, checkers of histories, the harness, and the `sextant` command.
