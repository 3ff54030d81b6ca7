//! What was asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

pub const USAGE: &str = "\
usage: crash [--cycles N] [--nodes N] [--clients N] [--accounts N] [--rate N] [--seed N] [--median-ms N] [--dir DIR] [--coco FILE]
  --cycles N      kills, in turn of the primary, of a backup, of all nodes [20]
  --nodes N       nodes of the network [3]
  --clients N     clients, each with one transfer under way [8]
  --accounts N    accounts of each client [8]
  --rate N        transfers a second from all clients together; 0 = as fast as they are answered [400]
  --seed N        of everything that is left to chance but time [1]
  --median-ms N   service must be back within this, in the median of the cycles of each kind [2000]
  --dir DIR       of the network, a new one [a temporary directory, kept if a check fails]
  --coco FILE     the command line program, with coco-node beside it [beside this program]";

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    pub cycles: u64,
    pub nodes: u64,
    pub clients: usize,
    pub accounts: usize,
    pub rate: u64,
    pub seed: u64,
    pub median: Duration,
    pub dir: Option<PathBuf>,
    pub coco: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cycles: 20,
            nodes: 3,
            clients: 8,
            accounts: 8,
            rate: 400,
            seed: 1,
            median: Duration::from_millis(2_000),
            dir: None,
            coco: None,
        }
    }
}

impl Options {
    /// Between two transfers of one client.
    pub fn pause(&self) -> Duration {
        match self.rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs_f64(self.clients as f64 / rate as f64),
        }
    }

    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let (pairs, rest) = arguments.as_chunks::<2>();
        if let [lone] = rest {
            return Err(format!("{lone}: an option has a name and a value"));
        }
        for [name, value] in pairs {
            let number = || value.parse::<u64>().map_err(|_| format!("{name} {value}: this is no number"));
            let some = || match number()? {
                n @ 1..=1_000 => Ok(n as usize),
                _ => Err(format!("{name} {value}: it is from 1 to 1000")),
            };
            match name.as_str() {
                "--cycles" => options.cycles = number()?,
                "--nodes" => {
                    options.nodes = number()?;
                    if options.nodes < 3 || options.nodes.is_multiple_of(2) {
                        return Err("--nodes: an odd number from 3, or there is no majority to go on with".into());
                    }
                }
                "--clients" => options.clients = some()?,
                "--accounts" => options.accounts = some()?,
                "--rate" => options.rate = number()?,
                "--seed" => options.seed = number()?,
                "--median-ms" => options.median = Duration::from_millis(number()?),
                "--dir" => options.dir = Some(value.into()),
                "--coco" => options.coco = Some(value.into()),
                _ => return Err(format!("{name}: there is no such option")),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn clients_share_the_rate() {
        assert_eq!(parse("--clients 10 --rate 500").unwrap().pause(), Duration::from_millis(20));
        assert_eq!(parse("--rate 0").unwrap().pause(), Duration::ZERO);
    }

    #[test]
    fn options_are_read_or_refused_with_a_reason() {
        assert_eq!(parse(""), Ok(Options::default()));
        assert_eq!(parse("--cycles 200 --nodes 5"), Ok(Options { cycles: 200, nodes: 5, ..Options::default() }));
        for (line, why) in [
            ("--cycles", "a name and a value"),
            ("--cycles x", "no number"),
            ("--nodes 2", "odd"),
            ("--nodes 1", "majority"),
            ("--clients 0", "from 1"),
            ("--speed 9", "no such option"),
        ] {
            assert!(parse(line).unwrap_err().contains(why), "{line}");
        }
    }
}
