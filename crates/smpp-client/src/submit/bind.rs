//! The PDU that binds a link (SMPP 3.4 §4.1).

use bytes::BytesMut;
use rusmpp::CommandId;

use crate::pdu::Pdu;
use crate::settings::{Bind, LinkSettings, SettingsError, Version};

/// The bind of a link, with sequence number 0.
///
/// # Errors
/// When a setting doesn't fit its field.
pub(crate) fn bind(settings: &LinkSettings) -> Result<BytesMut, SettingsError> {
    settings.check()?;
    let id = match settings.bind {
        Bind::Transceiver => CommandId::BindTransceiver,
        Bind::Transmitter => CommandId::BindTransmitter,
        Bind::Receiver => CommandId::BindReceiver,
    };
    let version = match settings.version {
        Version::V3_3 => 0x33,
        Version::V3_4 => 0x34,
        Version::V5_0 => 0x50,
    };
    let mut pdu = Pdu::begin(id, 80);
    pdu.text(settings.system_id.as_bytes()).text(settings.password.reveal().as_bytes());
    pdu.text(settings.system_type.as_bytes()).octet(version);
    pdu.octet(0).octet(0).text(settings.address_range.as_bytes());
    Ok(pdu.end())
}

#[cfg(test)]
mod tests {
    use model::Secret;

    use super::*;

    #[test]
    fn a_bind_is_laid_out_octet_by_octet() {
        let mut settings = crate::settings_for_tests();
        settings.system_type = "mca".into();
        settings.address_range = "^125".into();
        for (bind, id) in [(Bind::Receiver, 1), (Bind::Transmitter, 2), (Bind::Transceiver, 9)] {
            for (version, octet) in [(Version::V3_3, 0x33), (Version::V3_4, 0x34), (Version::V5_0, 0x50)] {
                (settings.bind, settings.version) = (bind, version);
                if settings.check().is_err() {
                    assert_eq!((bind, version), (Bind::Transceiver, Version::V3_3));
                    continue;
                }
                let mut expected = vec![0, 0, 0, 0, 0, 0, 0, id, 0, 0, 0, 0, 0, 0, 0, 0];
                expected.extend(b"afterring\0secret\0mca\0");
                expected.extend([octet, 0, 0]);
                expected.extend(b"^125\0");
                expected[3] = u8::try_from(expected.len()).unwrap();
                assert_eq!(super::bind(&settings).unwrap()[..], expected);
            }
        }
    }

    #[test]
    fn a_setting_that_does_not_fit_is_told() {
        let mut settings = crate::settings_for_tests();
        settings.password = Secret::new("123456789".into());
        assert_eq!(bind(&settings), Err(SettingsError::Password));
        let mut settings = crate::settings_for_tests();
        settings.writing.of_mut(model::Kind::Teaser).service_type = "ADVERT".into();
        assert_eq!(bind(&settings), Err(SettingsError::ServiceType));
    }
}
