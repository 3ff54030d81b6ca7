//! What members are called: by what the network recorded of them, or by the files in its directory, or by the beginning of their id.

use std::collections::BTreeMap;
use std::fs;

use crypto::ForeignCertificate;
use development::Layout;

use super::signer::certificates;
use super::{Member, plain, short};

/// No name is longer than a person reads.
const NAME_CHARS_MAX: usize = 40;

pub struct People {
    pub members: Vec<Member>,
    names: BTreeMap<String, String>,
}

/// As members are shown: by what they are called, and those who share a name by their id.
fn in_order(members: &mut [Member], names: &BTreeMap<String, String>) {
    members.sort_by_cached_key(|member| {
        (names.get(&member.member_id).cloned().unwrap_or_else(|| member.member_id.clone()), member.member_id.clone())
    });
}

impl People {
    pub fn new(mut members: Vec<Member>, layout: Option<&Layout>) -> Self {
        let mut names = layout.map(names_of_files).unwrap_or_default();
        for member in &members {
            if let Some(name) = member.member_data["name"].as_str().filter(|name| !name.is_empty()) {
                names.insert(member.member_id.clone(), plain(&name.chars().take(NAME_CHARS_MAX).collect::<String>()));
            }
        }
        in_order(&mut members, &names);
        Self { members, names }
    }

    /// For proposals that are decided: who was a member before them is not known any more, but names are.
    pub fn names_only(&self) -> Self {
        Self { members: Vec::new(), names: self.names.clone() }
    }

    /// What a member is called.
    pub fn name(&self, id: &str) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| short(id))
    }

    /// What a member is called, and the beginning of its id so that it cannot be mistaken.
    pub fn full(&self, id: &str) -> String {
        match self.names.get(id) {
            Some(name) => format!("{name} ({})", short(id)),
            None => short(id),
        }
    }

    pub fn has(&self, id: &str) -> bool {
        self.members.iter().any(|member| member.member_id == id)
    }

    pub fn active(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.is_active())
    }
}

fn names_of_files(layout: &Layout) -> BTreeMap<String, String> {
    let read = |name: String| {
        let text = fs::read_to_string(layout.member_certificate(&name)).ok()?;
        let certificate = ForeignCertificate::from_pem(&text).ok()?;
        Some((crypto::sha256(certificate.der()).to_string(), name))
    };
    certificates(layout).into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_called_by_their_data_or_by_their_id() {
        let member = |id: &str, data| Member {
            member_id: id.repeat(64),
            status: "Active".into(),
            member_data: data,
            certificate: String::new(),
            recovery_role: None,
        };
        let members = vec![member("a", json!({"name": "Ann\u{1b}[1m"})), member("b", json!(null))];
        let people = People::new(members, None);
        assert_eq!(people.name(&"a".repeat(64)), r"Ann\u{1b}[1m");
        assert_eq!(people.name(&"b".repeat(64)), "bbbbbbbbbbbb");
        assert_eq!(people.full(&"a".repeat(64)), r"Ann\u{1b}[1m (aaaaaaaaaaaa)");
        assert_eq!(people.active().count(), 2);
    }
}
