//! Ballots of members who mean ill. Each hits another bound of the engine that runs them; none is ever a vote.

const SCRIPTS: [&str; 6] = [
    // Time and steps.
    "export function vote() { while (true) {} }",
    // Memory, in many pieces.
    "export function vote() { const kept = []; while (true) kept.push([kept.length, {}]); }",
    // Memory, in few large ones.
    "export function vote() { let text = 'x'; while (true) text += text; }",
    // Stack.
    "export function vote() { const down = (n) => down(n + 1) + 1; return down(0) > 0; }",
    // What is tried again after each refusal of memory.
    "export function vote() { while (true) { try { new Uint8Array(1 << 26).fill(1); } catch { } } }",
    // Text for the log.
    "export function vote() { while (true) console.log('x'.repeat(1 << 16)); }",
];

/// One after another.
pub fn script(number: usize) -> &'static str {
    SCRIPTS[number % SCRIPTS.len()]
}
