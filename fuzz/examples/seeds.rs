//! Writes the seeds of every target, for libFuzzer to start from: `seeds DIR` makes a folder for each.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let name = env::args().nth(1).ok_or_else(|| io::Error::other("usage: seeds DIR"))?;
    for target in fuzz::TARGETS {
        let folder = Path::new(&name).join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
