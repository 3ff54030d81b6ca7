//! An input as its parts: bytes that choose, and pieces of which each has its length in front.

/// What is left of an input.
#[derive(Clone, Copy)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte; zero when there is none.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// The next piece: so many bytes as the two in front say, or what is left.
    pub fn piece(&mut self) -> &'a [u8] {
        let length = u16::from_le_bytes([self.byte(), self.byte()]);
        let (piece, rest) = self.0.split_at(self.0.len().min(usize::from(length)));
        self.0 = rest;
        piece
    }
}

/// Pieces as [`Input::piece`] reads them; the last one has no length in front.
pub fn pieces(choice: u8, pieces: &[&[u8]], last: &[u8]) -> Vec<u8> {
    let mut bytes = vec![choice];
    for piece in pieces {
        let length = u16::try_from(piece.len()).expect("a seed's pieces are short");
        bytes.extend(length.to_le_bytes());
        bytes.extend_from_slice(piece);
    }
    bytes.extend_from_slice(last);
    bytes
}
