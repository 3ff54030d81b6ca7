//! The ordered map behind a table, in versions: a B+ tree whose nodes are never changed once a second version holds them.
//!
//! ```text
//!               ┌─ keys: m ────┐         A node is one piece of memory of just the size it needs: its rows or children,
//!               │ children: ●─●│─┐       and a handle on its keys. Keys are a piece of their own, because values change
//!               └──────────│───┘ │       far more often: the copies of a node that versions make share them.
//!   ┌─ keys: a c e ─┐◀─────┘     │
//!   │ rows:  1 2 3  │            ▼
//!   └───────────────┘   ┌─ keys: m x ┐
//!                       │ rows: 4 5  │
//!                       └────────────┘
//! ```
//!
//! What nobody else holds is changed in place. A table of a million accounts takes about 70 bytes for each: 24 for the key,
//! 32 for the row, the rest for nodes; and a version in which 1,000 of them changed about 600 for each of those.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::hint::black_box;
use std::ops::{BitXor, Bound};

use base::Seqno;
use triomphe::{Arc, ThinArc};

use crate::Blob;
use crate::blob::first;

/// Rows of a leaf, at most: more make the tree smaller, fewer make a version cheaper.
const ROWS_MAX: usize = 10;

/// Children of a branch, at most.
const CHILDREN_MAX: usize = 12;

/// A node with fewer rows or children is joined with the one beside it.
const FEW: usize = 4;

/// A row and the seqno that wrote it.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) version: Seqno,
    pub(crate) value: Blob,
}

/// A map in one version. A clone costs a reference count.
#[derive(Clone, Default)]
pub(crate) struct Map {
    root: Option<Node>,
    len: usize,
}

type Keys = ThinArc<(), Blob>;

#[derive(Clone)]
enum Node {
    /// As many rows as keys, one at least.
    Leaf(ThinArc<Keys, Row>),
    /// One child more than keys, two at least: keys before a key are left of it, that key and those after it are right.
    Branch(ThinArc<Keys, Node>),
}

/// A key that is looked for.
#[derive(Clone, Copy)]
pub(crate) struct Sought<'a> {
    first: u64,
    bytes: &'a [u8],
}

impl<'a> Sought<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { first: first(bytes), bytes }
    }

    /// How a key stands to this one.
    fn compare(&self, key: &Blob) -> Ordering {
        key.first().cmp(&self.first).then_with(|| key[..].cmp(self.bytes))
    }

    /// Where it is among keys, or would be.
    fn among(&self, keys: &[Blob]) -> Result<usize, usize> {
        keys.binary_search_by(|key| self.compare(key))
    }

    /// Which child of a branch is responsible for it.
    fn below(&self, keys: &[Blob]) -> usize {
        self.among(keys).map_or_else(|place| place, |place| place + 1)
    }
}

impl Map {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Row> {
        let key = Sought::new(key);
        let mut node = self.root.as_ref()?;
        loop {
            match node {
                Node::Leaf(leaf) => return Some(&leaf.slice[key.among(keys_of(leaf)).ok()?]),
                Node::Branch(branch) => node = &branch.slice[key.below(keys_of(branch))],
            }
        }
    }

    /// Brings what stands on the way to some keys into the processor's caches: on all ways at once, where one after the other
    /// would wait for memory at each step. For as many keys as the caches have room for.
    pub(crate) fn read_ahead(&self, keys: Vec<&Blob>) {
        let Some(root) = &self.root else { return };
        let mut ways: Vec<(&Node, Sought<'_>)> = keys.into_iter().map(|key| (root, Sought::new(key))).collect();
        loop {
            // All of a level before the first of it is searched, which must wait for what it reads.
            black_box(ways.iter().map(|(node, _)| node.touch()).fold(0, BitXor::bitxor));
            let mut deeper = false;
            for (node, key) in &mut ways {
                if let Node::Branch(branch) = *node {
                    *node = &branch.slice[key.below(keys_of(branch))];
                    deeper = true;
                }
            }
            if !deeper {
                return;
            }
        }
    }

    pub(crate) fn insert(&mut self, key: Blob, row: Row) {
        let Some(root) = &mut self.root else {
            self.root = Some(Node::leaf(vec![key], vec![row]));
            self.len = 1;
            return;
        };
        let (added, split) = root.insert(key, row);
        self.len += usize::from(added);
        if let Some((key, right)) = split {
            let left = root.clone();
            *root = Node::branch(vec![key], vec![left, right]);
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        if self.get(key).is_none() {
            return;
        }
        self.len -= 1;
        if self.len == 0 {
            self.root = None;
        } else if let Some(root) = &mut self.root {
            root.remove(&Sought::new(key));
            if let Node::Branch(branch) = &*root
                && let [only] = &branch.slice
            {
                *root = only.clone();
            }
        }
    }

    /// Rows in key order, from a bound to a bound.
    pub(crate) fn range<'a>(&'a self, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Range<'a> {
        let mut range = Range(VecDeque::new());
        if let Some(root) = &self.root {
            range.add(root, from.map(Sought::new), to.map(Sought::new));
        }
        range
    }
}

/// Lets a node's rows or children be changed; they are copied first if another version holds them.
fn change<T: Clone, R>(node: &mut ThinArc<Keys, T>, change: impl FnOnce(&mut [T]) -> R) -> R {
    if !node.with_arc(Arc::is_unique) {
        *node = ThinArc::from_header_and_iter(node.header.header.clone(), node.slice.iter().cloned());
    }
    node.with_arc_mut(|node| change(Arc::get_mut(node).expect("nobody else holds it").slice_mut()))
}

fn keys_of<T>(node: &ThinArc<Keys, T>) -> &[Blob] {
    &node.header.header.slice
}

/// A cache line has room for two rows, and for two keys and a half.
fn touch_keys<T>(node: &ThinArc<Keys, T>) -> u64 {
    keys_of(node).iter().step_by(2).fold(0, |sum, key| sum ^ key.first())
}

fn keys(keys: Vec<Blob>) -> Keys {
    ThinArc::from_header_and_iter((), keys.into_iter())
}

/// A copy with room for one more.
fn roomy<T: Clone>(items: &[T]) -> Vec<T> {
    let mut roomy = Vec::with_capacity(items.len() + 1);
    roomy.extend_from_slice(items);
    roomy
}

/// Where to part `len` things of which the one at `new` was just added. Who adds at the end will go on there: the left part
/// stays full. The right one gets `least`.
fn middle(len: usize, new: usize, least: usize) -> usize {
    if new + 1 == len { len - least } else { len / 2 }
}

impl Node {
    fn count(&self) -> usize {
        match self {
            Self::Leaf(leaf) => ThinArc::strong_count(leaf),
            Self::Branch(branch) => ThinArc::strong_count(branch),
        }
    }

    fn leaf(own: Vec<Blob>, rows: Vec<Row>) -> Self {
        Self::Leaf(ThinArc::from_header_and_iter(keys(own), rows.into_iter()))
    }

    fn branch(own: Vec<Blob>, children: Vec<Self>) -> Self {
        Self::Branch(ThinArc::from_header_and_iter(keys(own), children.into_iter()))
    }

    /// A leaf, or two with the key that parts them.
    fn leaves(mut keys: Vec<Blob>, mut rows: Vec<Row>, new: usize) -> (Self, Option<(Blob, Self)>) {
        if keys.len() <= ROWS_MAX {
            return (Self::leaf(keys, rows), None);
        }
        let at = middle(keys.len(), new, 1);
        let right = Self::leaf(keys.split_off(at), rows.split_off(at));
        let Self::Leaf(leaf) = &right else { return (right, None) };
        let key = keys_of(leaf)[0].clone();
        (Self::leaf(keys, rows), Some((key, right)))
    }

    /// A branch, or two with the key that parts them.
    fn branches(mut keys: Vec<Blob>, mut children: Vec<Self>, new: usize) -> (Self, Option<(Blob, Self)>) {
        if children.len() > CHILDREN_MAX {
            let at = middle(children.len(), new, 2);
            let right = (keys.split_off(at), children.split_off(at));
            if let Some(key) = keys.pop() {
                return (Self::branch(keys, children), Some((key, Self::branch(right.0, right.1))));
            }
        }
        (Self::branch(keys, children), None)
    }

    /// Reads a little of each cache line that a search in this node reads, and of a leaf all rows in place, which a copy reads.
    fn touch(&self) -> u64 {
        match self {
            Self::Leaf(leaf) => leaf.slice.iter().step_by(2).fold(touch_keys(leaf), |sum, row| sum ^ row.version.0),
            Self::Branch(branch) => touch_keys(branch),
        }
    }

    /// Whether the key is new, and what has to stand right of this node from now on.
    fn insert(&mut self, key: Blob, row: Row) -> (bool, Option<(Blob, Self)>) {
        let sought = Sought::new(&key);
        match self {
            Self::Leaf(leaf) => match sought.among(keys_of(leaf)) {
                Ok(place) => {
                    change(leaf, |rows| rows[place] = row);
                    (false, None)
                }
                Err(place) => {
                    let (mut keys, mut rows) = (roomy(keys_of(leaf)), roomy(&leaf.slice));
                    keys.insert(place, key);
                    rows.insert(place, row);
                    let (left, split) = Self::leaves(keys, rows, place);
                    *self = left;
                    (true, split)
                }
            },
            Self::Branch(branch) => {
                let place = sought.below(keys_of(branch));
                if !branch.with_arc(Arc::is_unique) {
                    // A copy counts a reference to each child, and would wait for each alone.
                    black_box(branch.slice.iter().map(Self::count).fold(0, BitXor::bitxor));
                }
                let (added, split) = change(branch, |children| children[place].insert(key, row));
                let Some((key, right)) = split else { return (added, None) };
                let (mut keys, mut children) = (roomy(keys_of(branch)), roomy(&branch.slice));
                keys.insert(place, key);
                children.insert(place + 1, right);
                let (left, split) = Self::branches(keys, children, place + 1);
                *self = left;
                (added, split)
            }
        }
    }

    /// Removes a key that is there. The node may be left with a single child, or with nothing.
    fn remove(&mut self, key: &Sought<'_>) {
        match self {
            Self::Leaf(leaf) => {
                let Ok(place) = key.among(keys_of(leaf)) else { return };
                let (mut keys, mut rows) = (keys_of(leaf).to_vec(), leaf.slice.to_vec());
                keys.remove(place);
                rows.remove(place);
                *self = Self::leaf(keys, rows);
            }
            Self::Branch(branch) => {
                let place = key.below(keys_of(branch));
                let few = change(branch, |children| {
                    children[place].remove(key);
                    children[place].size() < FEW
                });
                if few {
                    let place = place.saturating_sub(1);
                    let (mut keys, mut children) = (keys_of(branch).to_vec(), branch.slice.to_vec());
                    let (left, split) = children[place].joined(&keys[place], &children[place + 1]);
                    children[place] = left;
                    match split {
                        Some((key, right)) => (keys[place], children[place + 1]) = (key, right),
                        None => {
                            keys.remove(place);
                            children.remove(place + 1);
                        }
                    }
                    *self = Self::branch(keys, children);
                }
            }
        }
    }

    /// Rows or children.
    fn size(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.slice.len(),
            Self::Branch(branch) => branch.slice.len(),
        }
    }

    /// This node and the one right of it as one, or as two of the same size.
    fn joined(&self, key: &Blob, right: &Self) -> (Self, Option<(Blob, Self)>) {
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right)) => {
                Self::leaves([keys_of(left), keys_of(right)].concat(), [&left.slice, &right.slice].concat(), 0)
            }
            (Self::Branch(left), Self::Branch(right)) => Self::branches(
                [keys_of(left), std::slice::from_ref(key), keys_of(right)].concat(),
                [&left.slice, &right.slice].concat(),
                0,
            ),
            // All leaves are equally deep.
            _ => (self.clone(), Some((key.clone(), right.clone()))),
        }
    }
}

/// What is still to come of a range: pieces of nodes, in order.
#[derive(Default)]
pub(crate) struct Range<'a>(VecDeque<Piece<'a>>);

enum Piece<'a> {
    Rows(&'a [Blob], &'a [Row]),
    Nodes(&'a [Node]),
}

impl<'a> Piece<'a> {
    fn of(node: &'a Node) -> Self {
        match node {
            Node::Leaf(leaf) => Self::Rows(keys_of(leaf), &leaf.slice),
            Node::Branch(branch) => Self::Nodes(&branch.slice),
        }
    }
}

impl<'a> Range<'a> {
    fn add(&mut self, node: &'a Node, from: Bound<Sought<'_>>, to: Bound<Sought<'_>>) {
        match node {
            Node::Leaf(leaf) => {
                let keys = keys_of(leaf);
                let start = match &from {
                    Bound::Unbounded => 0,
                    Bound::Included(key) => key.among(keys).unwrap_or_else(|place| place),
                    Bound::Excluded(key) => key.below(keys),
                };
                let end = match &to {
                    Bound::Unbounded => keys.len(),
                    Bound::Included(key) => key.below(keys),
                    Bound::Excluded(key) => key.among(keys).unwrap_or_else(|place| place),
                };
                if start < end {
                    self.0.push_back(Piece::Rows(&keys[start..end], &leaf.slice[start..end]));
                }
            }
            Node::Branch(branch) => {
                let child = |bound: &Bound<Sought<'_>>, open| match bound {
                    Bound::Unbounded => open,
                    Bound::Included(key) | Bound::Excluded(key) => key.below(keys_of(branch)),
                };
                let (start, end) = (child(&from, 0), child(&to, branch.slice.len() - 1));
                if start == end {
                    return self.add(&branch.slice[start], from, to);
                }
                if start < end {
                    self.add(&branch.slice[start], from, Bound::Unbounded);
                    self.0.push_back(Piece::Nodes(&branch.slice[start + 1..end]));
                    self.add(&branch.slice[end], Bound::Unbounded, to);
                }
            }
        }
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = (&'a Blob, &'a Row);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let inner = match self.0.front_mut()? {
                Piece::Rows(keys, rows) => match (keys.split_off_first(), rows.split_off_first()) {
                    (Some(key), Some(row)) => return Some((key, row)),
                    _ => None,
                },
                Piece::Nodes(nodes) => nodes.split_off_first().map(Piece::of),
            };
            match inner {
                Some(inner) => self.0.push_front(inner),
                None => _ = self.0.pop_front(),
            }
        }
    }
}

impl DoubleEndedIterator for Range<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            let inner = match self.0.back_mut()? {
                Piece::Rows(keys, rows) => match (keys.split_off_last(), rows.split_off_last()) {
                    (Some(key), Some(row)) => return Some((key, row)),
                    _ => None,
                },
                Piece::Nodes(nodes) => nodes.split_off_last().map(Piece::of),
            };
            match inner {
                Some(inner) => self.0.push_back(inner),
                None => _ = self.0.pop_back(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
