//! rusmpp's codec alone on a socket: each message is built and encoded anew; nothing is kept of it but that it is unanswered.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use rusmpp::pdus::{BindTransceiver, SubmitSm};
use rusmpp::tokio_codec::CommandCodec;
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{EsmClass, InterfaceVersion, Npi, RegisteredDelivery, Ton};
use rusmpp::{Command, CommandId, CommandStatus, Pdu};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

use crate::load::{FROM, Load, Progress, TEXT, TO};

/// One task for each bind.
pub(crate) fn run(load: &Load, progress: &Arc<Progress>) -> Result<()> {
    load.runtime()?.block_on(async {
        let session = |_| tokio::spawn(session(load.port, load.window, Arc::clone(progress)));
        let sessions: Vec<_> = (0..load.binds).map(session).collect();
        for session in sessions {
            session.await??;
        }
        Ok(())
    })
}

async fn session(port: u16, window: usize, progress: Arc<Progress>) -> Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut framed = Framed::new(stream, CommandCodec::new());
    framed.send(Command::new(CommandStatus::EsmeRok, 1, bind()?)).await?;
    framed.next().await.context("no answer to the bind")??;
    let (mut sequence, mut in_flight) = (1, 0);
    loop {
        while in_flight < window && !progress.is_over() {
            sequence += 1;
            framed.feed(Command::new(CommandStatus::EsmeRok, sequence, submit()?)).await?;
            in_flight += 1;
        }
        futures_util::SinkExt::<Command>::flush(&mut framed).await?;
        if in_flight == 0 {
            return Ok(());
        }
        let first = framed.next().await;
        let mut answers = 0;
        let mut next = Some(first);
        while let Some(answer) = next {
            is_accepted(&answer.context("the sink closed")??)?;
            answers += 1;
            next = if answers < in_flight { framed.next().now_or_never() } else { None };
        }
        in_flight -= answers;
        progress.add(u64::try_from(answers)?);
    }
}

fn is_accepted(answer: &Command) -> Result<()> {
    ensure!(answer.status() == CommandStatus::EsmeRok, "refused: {answer:?}");
    if answer.id() != CommandId::SubmitSmResp {
        bail!("not an answer to a submit: {answer:?}");
    }
    Ok(())
}

/// The bind of every client but ours.
pub(crate) fn bind() -> Result<Pdu> {
    Ok(BindTransceiver::builder()
        .system_id(COctetString::from_static_slice(b"bench\0")?)
        .password(COctetString::from_static_slice(b"secret\0")?)
        .interface_version(InterfaceVersion::Smpp3_4)
        .build()
        .into())
}

/// The message that every client submits.
pub(crate) fn submit() -> Result<Pdu> {
    Ok(SubmitSm::builder()
        .source_addr_ton(Ton::Alphanumeric)
        .source_addr_npi(Npi::Unknown)
        .source_addr(COctetString::from_string(FROM.to_owned())?)
        .dest_addr_ton(Ton::International)
        .dest_addr_npi(Npi::Isdn)
        .destination_addr(COctetString::from_string(TO.to_owned())?)
        .esm_class(EsmClass::from(0u8))
        .registered_delivery(RegisteredDelivery::from(1u8))
        .short_message(OctetString::from_vec(TEXT.as_bytes().to_vec())?)
        .build()
        .into())
}
