//! Writes the audit log: one thread, one line an entry, on disk before anybody is answered.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::{Clock, Timestamp};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::read::{self, Cursor, Filter, Month, Page};
use super::{Entry, masked};
use crate::health::{Check, Found};

/// Entries that wait for the disk: more are refused, and so is what they would tell of. All that wait share one sync.
const WAITING: usize = 256;
/// Readers at one time: each reads files, which is nobody's business to wait for.
const READERS: usize = 2;
/// How often files are looked at that are too old.
const UPKEEP: Duration = Duration::from_secs(6 * 3600);

/// Why something could not be noted, and was therefore not done, or not said to be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// Nothing was done.
    #[error("nothing was done: the audit log can't be written: {0}")]
    Refused(String),
    /// It was done, and is not in the log.
    #[error("it was done, but the audit log could not be written: {0}")]
    Unwritten(String),
    /// It was begun, and nobody knows how it ended.
    #[error("it is not known whether it was done: {0}")]
    Unknown(String),
    /// The log can't be read.
    #[error("the audit log can't be read: {0}")]
    Unread(String),
}

/// An error of something that was tried.
pub trait Tried: std::fmt::Display + From<AuditError> {
    /// Whether it may have been done all the same: its answer was lost.
    fn leaves_open(&self) -> bool;
}

enum Job {
    /// Writes, and says how that went.
    Note(Entry, oneshot::Sender<Result<(), String>>),
    /// Says whether writing would go.
    Try(oneshot::Sender<Result<(), String>>),
    /// Removes what is too old.
    Prune(Timestamp),
}

/// The audit log. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    dir: Arc<Path>,
    jobs: mpsc::Sender<Job>,
    failing: Arc<AtomicBool>,
    readers: Arc<Semaphore>,
}

impl Audit {
    /// The log in this directory, which is made when it is missing; files older than `retention` go. Blocks on the disk.
    ///
    /// # Errors
    /// When the directory can't be made or written to.
    pub fn open(dir: PathBuf, retention: Duration) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let (jobs, waiting) = mpsc::channel(WAITING);
        let failing = Arc::new(AtomicBool::new(false));
        let writer = Writer { dir: dir.clone(), retention, file: None, failing: Arc::clone(&failing) };
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(waiting))?;
        Ok(Self { dir: dir.into(), jobs, failing, readers: Arc::new(Semaphore::new(READERS)) })
    }

    /// Notes an entry: it is on disk when this is over.
    ///
    /// # Errors
    /// When it is not.
    pub async fn note(&self, entry: Entry) -> Result<(), AuditError> {
        self.ask(|answer| Job::Note(entry, answer)).await.map_err(AuditError::Unwritten)
    }

    /// Notes an entry before what it tells of is shown: what was seen can't be unseen.
    ///
    /// # Errors
    /// When it is not on disk: nothing may be shown then.
    pub async fn note_first(&self, entry: Entry) -> Result<(), AuditError> {
        self.ask(|answer| Job::Note(entry, answer)).await.map_err(AuditError::Refused)
    }

    /// Does something that must be noted: not where nothing can be noted, and to its end also when whoever asked has gone. The work is given the entry
    /// and gives what is to be noted; nothing where it changed nothing. Where its error leaves open whether it was done, the entry is noted with that.
    ///
    /// # Errors
    /// Those of the work, and when it can't be noted.
    pub async fn act<T, E, W>(&self, entry: Entry, work: impl FnOnce(Entry) -> W + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: Tried + Send + 'static,
        W: Future<Output = Result<(T, Option<Entry>), E>> + Send + 'static,
    {
        let audit = self.clone();
        let done = tokio::spawn(async move {
            audit.ready().await?;
            match tokio::spawn(work(entry.clone())).await {
                Ok(Ok((done, noted))) => {
                    if let Some(noted) = noted {
                        audit.note(noted).await?;
                    }
                    Ok(done)
                }
                Ok(Err(error)) => {
                    if error.leaves_open() {
                        audit.note_doubt(entry, error.to_string()).await;
                    }
                    Err(error)
                }
                Err(panic) => {
                    let error = AuditError::Unknown(panic.to_string());
                    audit.note_doubt(entry, panic.to_string()).await;
                    Err(error.into())
                }
            }
        });
        done.await.unwrap_or_else(|panic| Err(AuditError::Unknown(panic.to_string()).into()))
    }

    /// Notes that something was tried and nobody knows whether it was done.
    async fn note_doubt(&self, tried: Entry, why: String) {
        let before = tried.detail.as_ref().map(|detail| format!("{detail}; ")).unwrap_or_default();
        let entry = tried.detail(format!("{before}it is not known whether it was done: {why}"));
        if let Err(error) = self.note(entry).await {
            tracing::error!(%error, "what was tried, and may have been done, is missing in the audit log");
        }
    }

    /// Whether an entry could be noted now.
    ///
    /// # Errors
    /// When it could not.
    pub async fn ready(&self) -> Result<(), AuditError> {
        if self.failing.load(Ordering::Relaxed) {
            return self.ask(Job::Try).await.map_err(AuditError::Refused);
        }
        if self.jobs.capacity() == 0 {
            return Err(AuditError::Refused("too many entries wait for the disk".to_owned()));
        }
        Ok(())
    }

    /// What readiness says of it. The gateway takes calls without it, so that it only degrades.
    #[must_use]
    pub fn check(&self) -> Check {
        let degraded = self.failing.load(Ordering::Relaxed);
        if degraded {
            // Nobody may act for long: whether it goes again is found out by who looks.
            drop(self.jobs.try_send(Job::Try(oneshot::channel().0)));
        }
        let found = Found::Audit { writes: !degraded };
        Check { name: "audit log", ok: true, degraded, found }
    }

    /// The newest entries before a place, the newest first.
    ///
    /// # Errors
    /// When the files can't be read.
    pub async fn newest(&self, before: Option<Cursor>, limit: usize, filter: Filter) -> Result<Page, AuditError> {
        let unread = |why: &dyn std::fmt::Display| AuditError::Unread(why.to_string());
        let place = Arc::clone(&self.readers).acquire_owned().await.map_err(|error| unread(&error))?;
        let dir = Arc::clone(&self.dir);
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            read::newest(&dir, before, limit, &filter)
        });
        read.await.map_err(|error| unread(&error))?.map_err(|error| unread(&error))
    }

    /// Removes files that are too old, now and then; never returns.
    pub async fn upkeep(self, clock: Clock) {
        let mut tick = tokio::time::interval(UPKEEP);
        loop {
            tick.tick().await;
            // A full queue has other cares; the next time comes.
            drop(self.jobs.try_send(Job::Prune(clock())));
        }
    }

    async fn ask(&self, job: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Job) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        self.jobs.try_send(job(answer)).map_err(|_| "too many entries wait for the disk".to_owned())?;
        answered.await.unwrap_or_else(|_| Err("its writer has ended".to_owned()))
    }
}

struct Writer {
    dir: PathBuf,
    retention: Duration,
    file: Option<(Month, File)>,
    failing: Arc<AtomicBool>,
}

impl Writer {
    /// Until nobody is left who could note anything.
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut taken = Vec::new();
        while jobs.blocking_recv_many(&mut taken, WAITING) > 0 {
            let (mut entries, mut answers) = (Vec::new(), Vec::new());
            for job in taken.drain(..) {
                match job {
                    Job::Note(entry, answer) => {
                        entries.push(entry);
                        answers.push(answer);
                    }
                    Job::Try(answer) => answers.push(answer),
                    Job::Prune(now) => self.prune(now),
                }
            }
            if answers.is_empty() {
                continue;
            }
            let written = self.write(&entries).map_err(|error| error.to_string());
            self.say(&entries, &written);
            for answer in answers {
                drop(answer.send(written.clone()));
            }
        }
    }

    fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        let written = self.append(entries);
        if written.is_err() {
            // Half a line may be there: the file is looked at anew before the next.
            self.file = None;
        }
        written
    }

    fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut month = entries.first().map(|entry| Month::of(entry.at)).or(self.file.as_ref().map(|(of, _)| *of));
        let mut lines = Vec::new();
        for entry in entries {
            let of = Month::of(entry.at);
            if month != Some(of) {
                self.put(month, &lines)?;
                lines.clear();
                month = Some(of);
            }
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        self.put(month, &lines)
    }

    fn put(&mut self, month: Option<Month>, lines: &[u8]) -> io::Result<()> {
        let Some(month) = month else {
            // Nothing to write, and nothing open: whether the directory can be written to is what is asked.
            let probe = self.dir.join("probe");
            fs::write(&probe, b"\n")?;
            return fs::remove_file(&probe);
        };
        if self.file.as_ref().is_none_or(|(of, _)| *of != month) {
            self.file = Some((month, open(&self.dir, month)?));
        }
        if let Some((_, file)) = &mut self.file {
            file.write_all(lines)?;
            file.sync_data()?;
        }
        Ok(())
    }

    fn say(&self, entries: &[Entry], written: &Result<(), String>) {
        for Entry { who, action, subject, reason, until, detail, at: _ } in entries {
            let [subject, reason, detail] = [subject, reason, detail].map(|text| text.as_deref().map(masked));
            tracing::info!(
                target: "audit",
                who,
                action = action.as_str(),
                subject,
                reason,
                until = until.map(tracing::field::display),
                detail,
                written = written.is_ok(),
                "noted"
            );
        }
        let failing = written.is_err();
        if self.failing.swap(failing, Ordering::Relaxed) != failing {
            match written {
                Err(error) => tracing::error!(error, "the audit log can't be written: what must be noted is refused"),
                Ok(()) => tracing::info!("the audit log can be written again"),
            }
        }
    }

    fn prune(&self, now: Timestamp) {
        let months = match read::months(&self.dir) {
            Ok(months) => months,
            Err(error) => return tracing::warn!(%error, "the audit log's files can't be listed"),
        };
        let oldest = Month::of(now - self.retention);
        for month in months.into_iter().filter(|month| *month < oldest) {
            match fs::remove_file(self.dir.join(month.file())) {
                Ok(()) => tracing::info!(%month, "a month of the audit log is older than retention.evidence, and gone"),
                Err(error) => tracing::warn!(%month, %error, "a month of the audit log can't be removed"),
            }
        }
    }
}

/// Opens a month to append to it. A line that an earlier life could not finish is ended, so that the next is whole.
fn open(dir: &Path, month: Month) -> io::Result<File> {
    let path = dir.join(month.file());
    let is_new = !path.exists();
    let mut file = OpenOptions::new().append(true).read(true).create(true).mode(0o600).open(&path)?;
    if is_new {
        File::open(dir)?.sync_all()?;
    }
    if file.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            tracing::warn!(%month, "the last line of the audit log was cut off: it is skipped");
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::Action;
    use super::*;

    #[derive(Debug, PartialEq, thiserror::Error)]
    enum Failed {
        #[error("refused")]
        Refused,
        #[error("no answer")]
        Silent,
        #[error(transparent)]
        Audit(#[from] AuditError),
    }

    impl Tried for Failed {
        fn leaves_open(&self) -> bool {
            *self == Self::Silent
        }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn entry(text: &str, subject: &str) -> Entry {
        Entry::by("user:anna".to_owned(), at(text), Action::Registered).about(subject)
    }

    fn open(dir: &Path) -> Audit {
        Audit::open(dir.to_owned(), Duration::from_secs(90 * 24 * 3600)).unwrap()
    }

    async fn subjects(audit: &Audit, before: Option<Cursor>, limit: usize) -> (Vec<String>, Page) {
        let page = audit.newest(before, limit, Filter::default()).await.unwrap();
        (page.entries.iter().filter_map(|entry| entry.subject.clone()).collect(), page)
    }

    #[tokio::test]
    async fn pages_go_back_through_months_and_miss_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let audit = open(dir.path());
        for n in 0..5 {
            // All of one moment: a page goes on by place, not by time.
            audit.note(entry("2026-10-31T23:59:59Z", &format!("october {n}"))).await.unwrap();
        }
        let many = (0..600).map(|n| audit.note(entry("2026-11-01T00:00:00Z", &format!("november {n}"))));
        for note in many {
            note.await.unwrap();
        }
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let (mut some, page) = subjects(&audit, before, 7).await;
            assert!(some.len() <= 7);
            all.append(&mut some);
            let Some(next) = page.next else { break };
            before = Some(next.to_string().parse().unwrap());
        }
        let expected = (0..600).rev().map(|n| format!("november {n}"));
        let expected: Vec<_> = expected.chain((0..5).rev().map(|n| format!("october {n}"))).collect();
        assert_eq!(all, expected);
    }

    #[tokio::test]
    async fn a_line_that_was_cut_off_is_skipped_and_said_and_the_next_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).note(entry("2026-11-01T00:00:00Z", "before")).await.unwrap();
        let path = dir.path().join("2026-11.jsonl");
        let mut text = fs::read(&path).unwrap();
        text.extend_from_slice(br#"{"at":1,"who":"us"#);
        fs::write(&path, text).unwrap();
        let audit = open(dir.path());
        audit.note(entry("2026-11-02T00:00:00Z", "after")).await.unwrap();
        let (found, page) = subjects(&audit, None, 10).await;
        assert_eq!((found, page.skipped), (vec!["after".to_owned(), "before".to_owned()], 1));
    }

    #[tokio::test]
    async fn filters_find_by_who_and_what() {
        let dir = tempfile::tempdir().unwrap();
        let audit = open(dir.path());
        let bert = Entry::by("user:bert".to_owned(), at("2026-11-01T00:00:00Z"), Action::Erased).about("x");
        audit.note(entry("2026-11-01T00:00:00Z", "a")).await.unwrap();
        audit.note(bert.clone()).await.unwrap();
        audit.note(entry("2026-11-01T00:00:00Z", "b")).await.unwrap();
        let by_who = Filter { who: Some("user:bert".to_owned()), ..Filter::default() };
        assert_eq!(audit.newest(None, 10, by_who).await.unwrap().entries, vec![bert]);
        let by_action = Filter { action: Some(Action::Registered), ..Filter::default() };
        assert_eq!(audit.newest(None, 10, by_action).await.unwrap().entries.len(), 2);
    }

    #[tokio::test]
    async fn nothing_is_done_that_cannot_be_noted() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("audit");
        let audit = open(&place);
        assert!(!audit.check().degraded);
        // A file where the directory was: nobody can write there, whoever runs this test.
        fs::remove_dir(&place).unwrap();
        fs::write(&place, "").unwrap();
        assert!(matches!(audit.note(entry("2026-11-01T00:00:00Z", "a")).await, Err(AuditError::Unwritten(_))));
        let (sent, mut done) = oneshot::channel();
        let noted = entry("2026-11-01T00:00:00Z", "b");
        let acted = audit.act::<_, Failed, _>(noted.clone(), async move |_| {
            sent.send(()).ok();
            Ok(((), None))
        });
        assert!(matches!(acted.await, Err(Failed::Audit(AuditError::Refused(_)))));
        assert!(matches!(audit.note_first(noted.clone()).await, Err(AuditError::Refused(_))));
        assert!(audit.check().degraded && audit.check().ok);
        assert!(done.try_recv().is_err(), "it was done");
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
        let acted = audit.act::<_, Failed, _>(noted, async |entry| Ok((7, Some(entry))));
        assert_eq!(acted.await, Ok(7));
        assert!(!audit.check().degraded);
        assert_eq!(subjects(&audit, None, 10).await.0, ["b"]);
    }

    #[tokio::test]
    async fn what_may_have_been_done_is_noted_with_that_and_what_was_refused_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let audit = open(dir.path());
        let tried = |subject| entry("2026-11-01T00:00:00Z", subject).because(Some("ticket 7".to_owned()));
        let refused = audit.act::<(), _, _>(tried("refused"), async |_| Err(Failed::Refused)).await;
        assert_eq!(refused, Err(Failed::Refused));
        let silent = audit.act::<(), _, _>(tried("silent").detail("consent"), async |_| Err(Failed::Silent)).await;
        assert_eq!(silent, Err(Failed::Silent));
        let died = audit.act::<(), Failed, _>(tried("died"), async |_| panic!("a fault of the program")).await;
        assert!(matches!(died, Err(Failed::Audit(AuditError::Unknown(_)))), "{died:?}");
        let page = audit.newest(None, 10, Filter::default()).await.unwrap();
        let [died, silent] = &page.entries[..] else { panic!("{:?}", page.entries) };
        assert_eq!((died.subject.as_deref(), silent.subject.as_deref()), (Some("died"), Some("silent")));
        assert_eq!((silent.who.as_str(), silent.reason.as_deref()), ("user:anna", Some("ticket 7")));
        assert_eq!(silent.detail.as_deref(), Some("consent; it is not known whether it was done: no answer"));
    }

    #[tokio::test]
    async fn months_older_than_the_retention_go() {
        let dir = tempfile::tempdir().unwrap();
        let audit = open(dir.path());
        for month in ["07", "08", "09", "10", "11"] {
            audit.note(entry(&format!("2026-{month}-01T00:00:00Z"), month)).await.unwrap();
        }
        audit.jobs.send(Job::Prune(at("2026-11-30T00:00:00Z"))).await.unwrap();
        audit.note(entry("2026-11-30T00:00:00Z", "now")).await.unwrap();
        assert_eq!(subjects(&audit, None, 10).await.0, ["now", "11", "10", "09"]);
    }
}
