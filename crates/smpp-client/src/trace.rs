//! Writes down the PDUs of a link, for support: one line each, in files that are begun anew at a size.
//!
//! The link never waits for the disk: what a slow one can't take is left out, and the file says how many lines are missing.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use model::{Clock, LinkName, ShortNumber, Timestamp};
use rusmpp::CommandId;

use crate::frame::{self, Frame};
use crate::settings::TraceSettings;

/// Lines that wait for the disk: a few tenths of a second of a fast link.
const WAITING: usize = 4_096;

/// How long the last lines may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Digits that are no more than a service code.
const CODE: usize = 6;

/// Which way a PDU went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Out,
    In,
}

/// Writes down PDUs.
#[derive(Debug)]
pub(crate) struct Trace {
    clock: Clock,
    numbers: bool,
    /// Always there but for the end.
    lines: Option<SyncSender<String>>,
    missed: Arc<AtomicU64>,
    writer: JoinHandle<()>,
}

impl Trace {
    /// Starts to write, on a thread of its own that ends with the link. `None` where there can't be one: the link does without.
    pub(crate) fn start(settings: &TraceSettings, link: &LinkName, clock: Clock) -> Option<Self> {
        let (lines, to_write) = sync_channel(WAITING);
        let missed = Arc::new(AtomicU64::new(0));
        let file = Rotated::new(settings, link);
        let (counted, of) = (Arc::clone(&missed), link.clone());
        let thread = std::thread::Builder::new().name("pdu-trace".to_owned());
        match thread.spawn(move || write_down(file, &to_write, &counted, &of)) {
            Ok(writer) => Some(Self { clock, numbers: settings.numbers, lines: Some(lines), missed, writer }),
            Err(error) => {
                tracing::warn!(%link, %error, "PDUs can't be written down");
                None
            }
        }
    }

    /// Writes down every whole PDU of these octets.
    pub(crate) fn pdus(&self, way: Way, mut octets: &[u8]) {
        while let Ok(Some((frame, length))) = frame::cut(octets) {
            let (pdu, rest) = octets.split_at(length.min(octets.len()));
            self.pdu(way, frame, pdu);
            octets = rest;
        }
    }

    /// Writes down one PDU.
    pub(crate) fn pdu(&self, way: Way, frame: Frame<'_>, octets: &[u8]) {
        let line = line((self.clock)(), way, frame, octets, self.numbers);
        if self.lines.as_ref().is_none_or(|lines| lines.try_send(line).is_err()) {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The last lines say why a session ended: they are waited for, unless the disk hangs.
impl Drop for Trace {
    fn drop(&mut self) {
        self.lines = None;
        let until = Instant::now() + LAST_LINES;
        while !self.writer.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// One PDU in one line. Texts and numbers, and with them all octets, only where `numbers` are wanted; passwords never.
pub(crate) fn line(at: Timestamp, way: Way, frame: Frame<'_>, octets: &[u8], numbers: bool) -> String {
    let arrow = match way {
        Way::Out => '>',
        Way::In => '<',
    };
    let Frame { id, status, sequence, .. } = frame;
    let mut line = format!("{at} {arrow} {id:?} sequence={sequence} status={status:#x} length={}", octets.len());
    let described = describe(&mut line, frame, numbers);
    if described.is_none() {
        line.push_str(" (cut short)");
    }
    if numbers && !holds_password(id) {
        line.push_str(" octets=");
        for octet in octets {
            // Writing to a string never fails.
            let _ = write!(line, "{octet:02x}");
        }
    }
    line.push('\n');
    line
}

const fn holds_password(id: CommandId) -> bool {
    matches!(id, CommandId::BindReceiver | CommandId::BindTransmitter | CommandId::BindTransceiver | CommandId::Outbind)
}

/// The fields that are asked for first; `None` where the PDU ends before they do.
fn describe(line: &mut String, frame: Frame<'_>, numbers: bool) -> Option<()> {
    let mut body = frame.body;
    match frame.id {
        id if holds_password(id) => _ = write!(line, " system_id={}", text(&mut body)?),
        CommandId::SubmitSm | CommandId::DeliverSm | CommandId::DataSm => {
            let service_type = text(&mut body)?;
            let source = address(&mut body, numbers)?;
            let destination = address(&mut body, numbers)?;
            let esm_class = octet(&mut body)?;
            let _ = write!(
                line,
                " service_type={service_type:?} source={source} destination={destination} esm_class={esm_class:#04x}"
            );
            if frame.id != CommandId::DataSm {
                let (_protocol, _priority) = (octet(&mut body)?, octet(&mut body)?);
                let (_schedule, validity) = (text(&mut body)?, text(&mut body)?);
                let _ = write!(line, " validity={validity:?}");
            }
            let registered = octet(&mut body)?;
            if frame.id != CommandId::DataSm {
                octet(&mut body)?;
            }
            let coding = octet(&mut body)?;
            let _ = write!(line, " registered_delivery={registered} data_coding={coding:#04x}");
        }
        CommandId::QuerySm | CommandId::ReplaceSm => _ = write!(line, " message_id={}", text(&mut body)?),
        CommandId::CancelSm => {
            text(&mut body)?;
            let _ = write!(line, " message_id={}", text(&mut body)?);
        }
        CommandId::SubmitSmResp | CommandId::QuerySmResp if !body.is_empty() => {
            let id = text(&mut body).unwrap_or_else(|| String::from_utf8_lossy(frame.body).escape_debug().to_string());
            let _ = write!(line, " message_id={id}");
        }
        _ => {}
    }
    Some(())
}

fn octet(body: &mut &[u8]) -> Option<u8> {
    let (octet, rest) = body.split_first()?;
    *body = rest;
    Some(*octet)
}

/// A C-octet string, with nothing in it that could end a line.
fn text(body: &mut &[u8]) -> Option<String> {
    let end = body.iter().position(|octet| *octet == 0)?;
    let (text, rest) = body.split_at(end);
    *body = rest.get(1..)?;
    Some(String::from_utf8_lossy(text).escape_debug().to_string())
}

/// `ton/npi/address`; a number is masked as everywhere.
fn address(body: &mut &[u8], numbers: bool) -> Option<String> {
    let (ton, npi, address) = (octet(body)?, octet(body)?, text(body)?);
    let digits = address.bytes().filter(u8::is_ascii_digit).count();
    let shown = match ShortNumber::parse(address.trim_start_matches('+')) {
        Ok(number) if !numbers => number.to_string(),
        // A name is short and has few digits, the rest may be anything.
        Err(_) if !numbers && (address.len() > 11 || digits > CODE) => "***".to_owned(),
        Ok(_) | Err(_) => address,
    };
    Some(format!("{ton}/{npi}/{shown}"))
}

/// A file that is begun anew at a size; a few full ones are kept beside it, `.1` the newest.
#[derive(Debug)]
struct Rotated {
    path: PathBuf,
    size: u64,
    kept: u32,
    open: Option<(BufWriter<File>, u64)>,
}

impl Rotated {
    fn new(settings: &TraceSettings, link: &LinkName) -> Self {
        let name = link.0.replace(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-'), "_");
        let path = settings.dir.join(format!("{name}.log"));
        Self { path, size: settings.file_size, kept: settings.files, open: None }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|(_, written)| *written >= self.size) {
            self.begin_anew()?;
        }
        let (file, written) = match &mut self.open {
            Some(open) => open,
            none => none.insert(open(&self.path)?),
        };
        *written += u64::try_from(line.len()).unwrap_or(0);
        file.write_all(line.as_bytes())
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        if let Some((mut file, _)) = self.open.take() {
            file.flush()?;
        }
        let numbered = |number: u32| self.path.with_extension(format!("log.{number}"));
        for number in (1..self.kept).rev() {
            match fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        if self.kept == 0 { fs::remove_file(&self.path) } else { fs::rename(&self.path, numbered(1)) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |(file, _)| file.flush())
    }
}

fn open(path: &Path) -> io::Result<(BufWriter<File>, u64)> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    // For those who run the gateway, since there may be numbers in it.
    let file = OpenOptions::new().create(true).append(true).mode(0o640).open(path)?;
    let written = file.metadata()?.len();
    Ok((BufWriter::new(file), written))
}

/// Until the link is gone. A disk that fails is told once, and tried again with the next line.
fn write_down(mut file: Rotated, lines: &Receiver<String>, missed: &AtomicU64, link: &LinkName) {
    let mut failing = false;
    while let Ok(first) = lines.recv() {
        let written = write_all(&mut file, &first, lines, missed);
        match written {
            Ok(()) => failing = false,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%link, %error, path = %file.path.display(), "PDUs can't be written down");
                }
                file.open = None;
            }
        }
    }
}

fn write_all(file: &mut Rotated, first: &str, lines: &Receiver<String>, missed: &AtomicU64) -> io::Result<()> {
    let gone = missed.swap(0, Ordering::Relaxed);
    if gone > 0 {
        file.write(&format!("({gone} PDUs were not written down: the disk is too slow)\n"))?;
    }
    file.write(first)?;
    while let Ok(line) = lines.try_recv() {
        file.write(&line)?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn submit() -> BytesMut {
        let body = b"\0\x03\x0012599\0\x01\x018613800000001\0\0\0\0\x00000001000000000R\0\x01\0\x08\0\x02\x67\xe5";
        let mut pdu = BytesMut::new();
        frame::put(&mut pdu, CommandId::SubmitSm, 0, 7, body);
        pdu
    }

    fn written(octets: &[u8], numbers: bool) -> String {
        let (frame, _) = frame::cut(octets).unwrap().unwrap();
        line(AT, Way::Out, frame, octets, numbers)
    }

    #[test]
    fn a_line_says_what_support_asks_for_and_masks_numbers() {
        let line = written(&submit(), false);
        assert!(line.contains("> SubmitSm sequence=7 status=0x0"), "{line}");
        assert!(line.contains("source=3/0/12599 destination=1/1/86*********01 esm_class=0x00"), "{line}");
        assert!(
            line.contains("data_coding=0x08") && !line.contains("8613800000001") && !line.contains("67e5"),
            "{line}"
        );
        let open = written(&submit(), true);
        assert!(open.contains("8613800000001") && open.ends_with("67e5\n"), "{open}");
    }

    #[test]
    fn a_password_is_never_written() {
        let mut bind = BytesMut::new();
        frame::put(&mut bind, CommandId::BindTransceiver, 0, 1, b"id\0s3cret\0\0\x34\0\0\0");
        let line = written(&bind, true);
        assert!(line.contains("system_id=id") && !line.contains("s3cret") && !line.contains("733363"), "{line}");
    }

    #[test]
    fn what_is_cut_short_is_one_line_too() {
        let whole = submit();
        for end in 16..whole.len() {
            let mut pdu = BytesMut::from(&whole[..end]);
            let length = u32::try_from(end).unwrap();
            pdu[..4].copy_from_slice(&length.to_be_bytes());
            assert_eq!(written(&pdu, false).matches('\n').count(), 1);
        }
        let mut odd = BytesMut::new();
        frame::put(&mut odd, CommandId::SubmitSmResp, 0, 1, b"id\nwithout end");
        assert!(written(&odd, false).contains("message_id=id\\nwithout end"));
    }

    #[test]
    fn files_are_begun_anew_at_their_size_and_few_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let settings = TraceSettings { dir: dir.path().join("made"), file_size: 20, files: 2, numbers: false };
        let mut file = Rotated::new(&settings, &LinkName("smsc:2775/1".into()));
        for number in 0..7 {
            file.write(&format!("line {number} .\n")).unwrap();
        }
        file.flush().unwrap();
        let read = |name: &str| fs::read_to_string(settings.dir.join(name)).unwrap();
        assert_eq!(read("smsc_2775_1.log"), "line 6 .\n");
        assert_eq!(read("smsc_2775_1.log.1"), "line 3 .\nline 4 .\nline 5 .\n");
        assert_eq!(read("smsc_2775_1.log.2"), "line 0 .\nline 1 .\nline 2 .\n");
        assert_eq!(fs::read_dir(&settings.dir).unwrap().count(), 3);
    }

    #[test]
    fn a_link_writes_what_it_says_and_hears() {
        let dir = tempfile::tempdir().unwrap();
        let settings = TraceSettings { dir: dir.path().to_owned(), file_size: 1 << 20, files: 1, numbers: false };
        let trace = Trace::start(&settings, &LinkName("a/1".into()), || AT).unwrap();
        trace.pdus(Way::In, &[submit(), submit()].concat());
        drop(trace);
        assert_eq!(fs::read_to_string(dir.path().join("a_1.log")).unwrap().lines().count(), 2);
    }
}
