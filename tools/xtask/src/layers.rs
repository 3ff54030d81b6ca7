//! The layer test: `layers.toml` against what the crates really use.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::metadata::{Metadata, Uses, reached, uses};

type Lists = BTreeMap<String, Vec<String>>;

/// `layers.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layers {
    layers: toml::Table,
    never: Lists,
    only: Lists,
    banned: Banned,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Banned {
    crates: Vec<String>,
}

/// What crosses a wall, a sentence each.
pub fn crossings() -> anyhow::Result<Vec<String>> {
    let layers: Layers = toml::from_str(include_str!("../layers.toml"))?;
    let allowed: Lists = layers.layers.clone().try_into()?;
    let metadata = Metadata::read()?;
    let members: BTreeSet<&str> = metadata.members().keys().copied().collect();
    let uses = uses()?;
    let mut found = order(include_str!("../layers.toml"), &allowed);
    found.extend(unlisted(&members, &allowed));
    found.extend(upward(&members, &uses, &allowed));
    found.extend(forbidden(&members, &uses, &layers));
    found.extend(outside(&members, &uses, &layers.only));
    Ok(found)
}

/// Lowest layer first, so there is no circle: each line names only crates of the lines above it.
fn order(text: &str, allowed: &Lists) -> Vec<String> {
    let place = |name: &str| text.find(&format!("\n{name} = ["));
    let mut found = Vec::new();
    for (name, lower) in allowed {
        for low in lower.iter().filter(|low| place(low) >= place(name)) {
            found.push(format!("layers.toml: {low} must stand above {name}, which may use it"));
        }
    }
    found
}

fn unlisted(members: &BTreeSet<&str>, allowed: &Lists) -> Vec<String> {
    let listed: BTreeSet<&str> = allowed.keys().map(String::as_str).collect();
    let missing = members.difference(&listed).map(|name| format!("layers.toml has no line for {name}"));
    missing
        .chain(listed.difference(members).map(|name| format!("layers.toml names {name}, which does not exist")))
        .collect()
}

fn upward(members: &BTreeSet<&str>, uses: &Uses, allowed: &Lists) -> Vec<String> {
    let mut found = Vec::new();
    for name in members {
        let may: BTreeSet<&str> = allowed.get(*name).into_iter().flatten().map(String::as_str).collect();
        let used = uses.get(*name).into_iter().flatten().map(String::as_str).filter(|used| members.contains(used));
        found.extend(used.filter(|used| !may.contains(used)).map(|used| format!("{name} uses {used}: may it?")));
    }
    found
}

fn forbidden(members: &BTreeSet<&str>, uses: &Uses, layers: &Layers) -> Vec<String> {
    let mut found = Vec::new();
    for name in members {
        let never = layers.never.get(*name).into_iter().flatten().chain(&layers.banned.crates);
        let reach = reached(uses, name);
        found.extend(never.filter_map(|bad| {
            reach.get(bad.as_str()).map(|way| format!("{name} must never reach {bad}, and does: {}", way.join(" → ")))
        }));
    }
    found
}

fn outside(members: &BTreeSet<&str>, uses: &Uses, only: &Lists) -> Vec<String> {
    let mut found = Vec::new();
    for (library, owners) in only {
        let users = members.iter().filter(|name| uses.get(**name).is_some_and(|used| used.contains(library)));
        let strangers = users.filter(|name| !owners.iter().any(|owner| owner == *name));
        found.extend(strangers.map(|name| format!("{name} uses {library}, which is {}'s", owners.join(" and "))));
    }
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_crate_crosses_a_wall() {
        let found = super::crossings().unwrap();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn a_line_that_names_a_higher_layer_is_found() {
        let text = "[layers]\nlow = [\"high\"]\nhigh = []\n";
        let allowed = [("low".to_owned(), vec!["high".to_owned()]), ("high".to_owned(), vec![])].into();
        assert_eq!(super::order(text, &allowed), ["layers.toml: high must stand above low, which may use it"]);
    }
}
