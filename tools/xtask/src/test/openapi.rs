//! Schemathesis against a network: what nodes serve is what their OpenAPI documents say.

use std::fs;

use anyhow::{Context as _, bail};

use super::Context;
use super::count::Count;
use super::network::Network;
use crate::command::{Tool, repository};

pub fn openapi(context: &Context) -> anyhow::Result<Count> {
    let here = repository().join("clients/schemathesis");
    let environment = context.metadata.python_environment("schemathesis");
    let requirements = here.join("requirements.txt");
    let wanted = fs::read(&requirements).context("clients/schemathesis has no requirements")?;
    let stamp = environment.join("installed");
    if fs::read(&stamp).ok().as_ref() != Some(&wanted) {
        Tool::new("python3").args(&["-m", "venv", "--clear"]).arg(&environment).must()?;
        let pip = Tool::new(environment.join("bin/pip")).args(&["install", "--quiet", "--disable-pip-version-check"]);
        // The list is whole; and CCF's package asks for Python 3.12 and runs on 3.11.
        pip.args(&["--no-deps", "--ignore-requires-python", "--requirement"]).arg(&requirements).must()?;
        fs::write(&stamp, &wanted)?;
    }
    let network = Network::start(context, "openapi", &[])?;
    let python = Tool::new(environment.join("bin/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    let (text, succeeded) = python.arg(here.join("run.py")).arg(network.ready_file()).tee()?;
    let Some(count) = Count::last_of(&text) else { bail!("the runner did not say how many operations held") };
    if !succeeded {
        context.tell_at_the_end(network.post_mortem());
    }
    network.stop()?;
    Ok(count.and_succeeded(succeeded))
}
