//! What the processes of a cluster print on standard output: one protocol event a line.

use std::net::SocketAddr;

/// An event line. What is not one (a later version may print more) is `None` of [`Line::parse`] and goes to the journal
/// only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It listens; a writer does not serve yet.
    Ready { address: SocketAddr },
    /// A writer serves.
    Open { epoch: u64 },
    /// A writer knows that it was replaced.
    Deposed,
}

impl Line {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        match words.next()? {
            "ready" => words.find_map(|word| word.parse().ok()).map(|address| Self::Ready { address }),
            "open" => words.next()?.strip_prefix('e')?.parse().ok().map(|epoch| Self::Open { epoch }),
            "deposed" => Some(Self::Deposed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_contract() {
        let address: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        for (line, expected) in [
            ("ready meta 127.0.0.1:4711", Some(Line::Ready { address })),
            ("ready node a1 127.0.0.1:4711 records=3 scl=@3 fenced=e2 torn=0", Some(Line::Ready { address })),
            ("ready writer w1 127.0.0.1:4711", Some(Line::Ready { address })),
            ("open e2 vdl=@17 recovery-ms=12", Some(Line::Open { epoch: 2 })),
            ("deposed e2 by e3", Some(Line::Deposed)),
            ("open 2", None),
            ("ready node a1", None),
            ("gossip with b2", None),
            ("", None),
        ] {
            assert_eq!(Line::parse(line), expected, "{line:?}");
        }
    }
}
