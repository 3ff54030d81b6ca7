//! Ballots of members who mean ill. None is ever a vote.

/// What they are after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attack {
    /// Time, memory, stack and log, each up to the bound that the engine keeps.
    Bounds,
    /// Built-in functions that take long and are called again and again: the engine looks at its clock only between them, and
    /// seldom, so whoever runs such a script can but leave it behind.
    Strays,
}

const BOUNDS: [&str; 5] = [
    "export function vote() { while (true) {} }",
    "export function vote() { const kept = []; while (true) kept.push([kept.length, {}]); }",
    "export function vote() { let text = 'x'; while (true) text += text; }",
    "export function vote() { const down = (n) => down(n + 1) + 1; return down(0) > 0; }",
    "export function vote() { while (true) console.log('x'.repeat(1 << 12)); }",
];

const STRAYS: [&str; 2] = [
    "export function vote() { while (true) { try { new Uint8Array(1 << 26).fill(1); } catch { } } }",
    "export function vote() { return 'x'.repeat(1 << 22).includes('x'.repeat(1 << 21) + 'y'); }",
];

/// One after another.
pub fn script(attack: Attack, number: usize) -> &'static str {
    match attack {
        Attack::Bounds => BOUNDS[number % BOUNDS.len()],
        Attack::Strays => STRAYS[number % STRAYS.len()],
    }
}
