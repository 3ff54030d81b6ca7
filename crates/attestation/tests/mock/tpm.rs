//! A TPM's quote, right or wrong.

pub struct Attest<'a> {
    pub magic: u32,
    pub kind: u16,
    pub nonce: &'a [u8],
    pub bank: u16,
    /// Bitmap of PCRs 0 to 23.
    pub selection: [u8; 3],
    pub digest: [u8; 32],
}

impl Attest<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let mut message = [&self.magic.to_be_bytes()[..], &self.kind.to_be_bytes(), &[0, 4, 1, 2, 3, 4]].concat();
        message.extend((self.nonce.len() as u16).to_be_bytes());
        message.extend(self.nonce);
        message.extend([0; 17]); // clock
        message.extend([0; 8]); // firmware
        message.extend([0, 0, 0, 1]);
        message.extend(self.bank.to_be_bytes());
        message.push(3);
        message.extend(self.selection);
        message.extend([0, 32]);
        message.extend(self.digest);
        message
    }
}
