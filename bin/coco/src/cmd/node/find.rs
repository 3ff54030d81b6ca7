//! Which node is meant: by its number, its id, or how that begins.

use crate::failure::Failure;
use crate::governance::{Node, plain, short};

/// Numbers have at most so many digits; what is longer is the beginning of an id.
const NUMBER_DIGITS_MAX: usize = 6;

pub fn find(nodes: &[Node], text: &str) -> Result<Node, Failure> {
    let is_number = text.len() <= NUMBER_DIGITS_MAX && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse::<u64>().ok().filter(|_| is_number);
    if let Some(node) = nodes.iter().find(|node| Some(node.number) == number) {
        return Ok(node.clone());
    }
    let beginning = text.to_ascii_lowercase();
    if beginning.is_empty() || !beginning.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Failure::new(format!("{} is no node's id or number", plain(text)))
            .hint("an id is 64 hexadecimal characters, and its beginning is enough; `coco node list` has them"));
    }
    let found: Vec<&Node> = nodes.iter().filter(|node| node.node_id.starts_with(&beginning)).collect();
    match found.as_slice() {
        [node] => Ok((*node).clone()),
        [] => Err(Failure::new(format!("the network has no node {beginning}"))
            .hint("`coco node list` has those that there are, by number and by id")),
        several => {
            let ids: Vec<String> = several.iter().map(|node| short(&node.node_id)).collect();
            Err(Failure::new(format!("{} nodes begin with {beginning}", ids.len()))
                .hint(format!("say more of the id: {}", ids.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_found_by_number_and_by_the_beginning_of_its_id() {
        let node = |number: u64, id: &str| {
            serde_json::from_value(json!({ "nodeId": id.repeat(32), "number": number, "status": "Trusted" })).unwrap()
        };
        let nodes: Vec<Node> = vec![node(1, "4a"), node(2, "4b"), node(12, "c1")];
        for (text, number) in [("1", 1), ("12", 12), ("4B4b", 2), ("c", 12)] {
            assert_eq!(find(&nodes, text).unwrap().number, number, "{text}");
        }
        for (text, said) in
            [("4", "2 nodes begin"), ("9", "no node 9"), ("x", "is no node's id"), ("", "is no node's id")]
        {
            assert!(find(&nodes, text).unwrap_err().message.contains(said), "{text}");
        }
    }
}
