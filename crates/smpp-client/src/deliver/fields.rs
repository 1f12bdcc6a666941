//! Reads the fields of a body one after another (SMPP 3.4 §3.1, §3.2.4).

/// A mandatory field ends after the PDU does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a mandatory field ends after the PDU")]
pub(crate) struct Truncated;

/// What is left to read of a body.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) const fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    pub(super) fn octet(&mut self) -> Result<u8, Truncated> {
        let (&octet, rest) = self.0.split_first().ok_or(Truncated)?;
        self.0 = rest;
        Ok(octet)
    }

    /// A C-octet string of any length, without its NUL.
    pub(super) fn text(&mut self) -> Result<&'a [u8], Truncated> {
        let end = self.0.iter().position(|&octet| octet == 0).ok_or(Truncated)?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        Ok(text)
    }

    /// So many octets, or as many as there are.
    pub(super) fn up_to(&mut self, length: usize) -> &'a [u8] {
        let (octets, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        octets
    }

    /// The optional parameters, tag and value, up to one that ends after the body.
    pub(super) fn tlvs(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let (&[a, b, c, d], rest) = left.split_first_chunk::<4>()?;
            let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([c, d])))?;
            left = rest;
            Some((u16::from_be_bytes([a, b]), value))
        })
    }
}
