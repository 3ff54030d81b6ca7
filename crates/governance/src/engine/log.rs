//! What a script says on its console.

/// Lines as far as there is room; more are dropped.
pub(crate) struct Log {
    bytes_left: usize,
    lines: Vec<String>,
}

/// Between a level and what is said.
const COLON: &str = ": ";

impl Log {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_left: bytes_max, lines: Vec::new() }
    }

    pub(crate) fn say(&mut self, level: &str, line: &str) {
        if self.room(level.len() + line.len()) {
            self.lines.push([level, COLON, line].concat());
        }
    }

    /// Takes lines of another log, within the bounds of this one.
    pub(crate) fn take<'a>(mut self, lines: impl IntoIterator<Item = &'a str>) -> Self {
        for line in lines {
            // Even an empty one costs something to keep.
            if self.room(line.len().saturating_sub(COLON.len()).max(1)) {
                self.lines.push(line.to_owned());
            }
        }
        self
    }

    fn room(&mut self, bytes: usize) -> bool {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.unwrap_or(self.bytes_left);
        left.is_some()
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
