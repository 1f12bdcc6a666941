//! Packing septets of the GSM alphabet, eight into seven octets (3GPP TS 23.038 §6.1.2.1).
//!
//! SMPP counts octets, so that seven bits left over at the end look like one septet more. They hold a carriage return (§6.1.2.3.1), and one that stands there
//! is no part of the text.

const CARRIAGE_RETURN: u8 = 0x0d;

/// Bits between a user data header of so many octets and the first septet behind it (3GPP TS 23.040 §9.2.3.24).
pub(crate) const fn fill(header: usize) -> usize {
    (7 - header * 8 % 7) % 7
}

/// Packs septets behind so many fill bits.
pub(crate) fn pack(septets: &[u8], fill: usize) -> Vec<u8> {
    let bits = fill + 7 * septets.len();
    let mut octets = Vec::with_capacity(bits.div_ceil(8));
    let padding = (bits % 8 == 1).then_some(CARRIAGE_RETURN);
    let (mut held, mut count) = (0_u16, fill);
    for &septet in septets.iter().chain(&padding) {
        held |= u16::from(septet & 0x7f) << count;
        count += 7;
        if count >= 8 {
            octets.push(held.to_le_bytes()[0]);
            held >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        octets.push(held.to_le_bytes()[0]);
    }
    octets
}

/// The septets behind so many fill bits; bits at the end that are no whole septet are left.
pub(crate) fn unpack(octets: &[u8], fill: usize) -> Vec<u8> {
    let count = (octets.len() * 8).saturating_sub(fill) / 7;
    let septet = |number: usize| {
        let bit = fill + 7 * number;
        let at = |place: usize| octets.get(place).copied().unwrap_or(0);
        let [low, _] = (u16::from_le_bytes([at(bit / 8), at(bit / 8 + 1)]) >> (bit % 8)).to_le_bytes();
        low & 0x7f
    };
    let mut septets: Vec<u8> = (0..count).map(septet).collect();
    if (fill + 7 * count).is_multiple_of(8) && septets.last() == Some(&CARRIAGE_RETURN) {
        septets.pop();
    }
    septets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn septets_are_packed_as_the_standard_draws_them() {
        assert_eq!(pack(b"hellohello", 0), [0xe8, 0x32, 0x9b, 0xfd, 0x46, 0x97, 0xd9, 0xec, 0x37]);
        assert_eq!(pack(b"", 0), [0; 0]);
        assert_eq!(pack(b"A", 1), [0x82]);
        assert_eq!(unpack(&[0x82], 1), b"A");
    }

    #[test]
    fn seven_bits_left_over_are_a_carriage_return() {
        let packed = pack(b"1234567", 0);
        assert_eq!((packed.len(), packed[6] >> 1), (7, CARRIAGE_RETURN));
        assert_eq!(unpack(&packed, 0), b"1234567");
        assert_eq!(unpack(&pack(b"12345678", 0), 0), b"12345678");
        assert_eq!(unpack(&[0x31, 0xd9, 0x8c, 0x56, 0xb3, 0xdd, 0x00], 0), b"1234567\0");
    }

    #[test]
    fn a_full_part_fills_its_message() {
        for (header, septets) in [(0, 160), (6, 153), (7, 152)] {
            assert_eq!(header + pack(&vec![b'a'; septets], fill(header)).len(), 140, "{header}");
        }
        assert_eq!([0, 6, 7].map(fill), [0, 1, 0]);
    }

    proptest! {
        #[test]
        fn packed_septets_come_back(septets in proptest::collection::vec(0_u8..128, 0..170), fill in 0_usize..7) {
            // A carriage return at the end of the last octet can't be told from padding.
            prop_assume!(septets.last() != Some(&CARRIAGE_RETURN));
            prop_assert_eq!(unpack(&pack(&septets, fill), fill), septets);
        }

        #[test]
        fn no_octets_make_the_reader_panic(octets in proptest::collection::vec(any::<u8>(), 0..300), fill in 0_usize..7) {
            prop_assert!(unpack(&octets, fill).iter().all(|septet| *septet < 128));
        }
    }
}
