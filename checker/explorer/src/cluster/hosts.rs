//! Which processes take part.

use std::path::Path;

/// The processes of a search, and which of them this one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    addresses: Vec<String>,
    process: usize,
}

impl Hosts {
    /// Process `process`, from 0, of those that listen at `addresses`, each a `host:port`.
    ///
    /// # Errors
    /// If there are not so many, or if one is no address: a sentence that says why.
    pub fn new(addresses: Vec<String>, process: usize) -> Result<Self, String> {
        if let Some(wrong) = addresses.iter().find_map(|address| wrong_with(address)) {
            return Err(wrong);
        }
        if process >= addresses.len() {
            return Err(out_of_range(process, addresses.len()));
        }
        Ok(Hosts { addresses, process })
    }

    /// Reads a file with one `host:port` a line. Empty lines and lines that begin with `#` say nothing.
    ///
    /// # Errors
    /// If it cannot be read, is no list of addresses or has no line for `process`: file, line and reason.
    pub fn read(path: &Path, process: usize) -> Result<Self, String> {
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {name}: {e}"))?;
        let mut addresses: Vec<(usize, &str)> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let (number, line) = (at + 1, line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(reason) = wrong_with(line) {
                return Err(format!("{name}:{number}: {reason}"));
            }
            if let Some((before, _)) = addresses.iter().find(|(_, other)| *other == line) {
                return Err(format!("{name}:{number}: {line} is the address of line {before} already"));
            }
            addresses.push((number, line));
        }
        let last = text.lines().count().max(1);
        if addresses.is_empty() {
            return Err(format!("{name}:{last}: there is no host: write one host:port a line"));
        }
        if process >= addresses.len() {
            return Err(format!("{name}:{last}: {}", out_of_range(process, addresses.len())));
        }
        Ok(Hosts { addresses: addresses.into_iter().map(|(_, address)| address.to_owned()).collect(), process })
    }

    #[must_use]
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// This process's place among the addresses.
    #[must_use]
    pub fn process(&self) -> usize {
        self.process
    }
}

fn out_of_range(process: usize, processes: usize) -> String {
    format!("process {process} is out of range: there are {processes} hosts, from 0 to {}", processes.saturating_sub(1))
}

fn wrong_with(address: &str) -> Option<String> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Some(format!("{address:?} is no host:port"));
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Some(format!("{address:?} has no host before its port"));
    }
    match port.parse::<u16>() {
        Ok(1..) => None,
        Ok(0) | Err(_) => Some(format!("{port:?} is no port: it is a number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_hosts_is_read_and_what_is_wrong_with_it_told_by_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        let read = |text: &str, process| {
            std::fs::write(&path, text).unwrap();
            Hosts::read(&path, process).map_err(|e| e.replace(&format!("{}:", path.display()), ""))
        };
        let hosts = read("# two\na.example:2101\n\n[::1]:2102\n", 1).unwrap();
        assert_eq!((hosts.addresses(), hosts.process()), (&["a.example:2101".into(), "[::1]:2102".into()][..], 1));
        let cases = [
            ("", 0, "1: there is no host: write one host:port a line"),
            ("a:1\nb\n", 0, "2: \"b\" is no host:port"),
            ("a:1\n:2\n", 0, "2: \":2\" has no host before its port"),
            ("a:1\nb:70000\n", 0, "2: \"70000\" is no port: it is a number from 1 to 65535"),
            ("a:1\n\na:1\n", 0, "3: a:1 is the address of line 1 already"),
            ("a:1\nb:1\n", 2, "2: process 2 is out of range: there are 2 hosts, from 0 to 1"),
        ];
        for (text, process, reason) in cases {
            assert_eq!(read(text, process), Err(reason.to_owned()), "{text:?}");
        }
    }
}
