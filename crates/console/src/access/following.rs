//! Takes changes of the file of users and tokens while the gateway runs, and tells the audit log of them: also of those made while it was stopped.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::door::{Access, Known};
use super::users::{Users, UsersError, stamp};
use crate::audit::{Action, Audit, Entry};

/// How often the file of users is looked at.
const LOOK: Duration = Duration::from_secs(1);

impl Access {
    /// Takes changes of the file while the gateway runs; what can't be used changes nothing. Each change is noted, compared with what was noted last,
    /// which `told` remembers across restarts without any secret. Never returns.
    pub async fn follow(self, audit: Audit, told: PathBuf) {
        if self.0.settings.users.is_none() {
            return std::future::pending().await;
        }
        let mut told = Told::read(told);
        let mut tick = tokio::time::interval(LOOK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let access = self.clone();
            // A panic there is a fault of the program; the users stay as they were.
            drop(tokio::task::spawn_blocking(move || access.refresh()).await);
            self.tell(&mut told, &audit).await;
        }
    }

    /// Reads the file anew if it has changed. Blocks on the disk.
    pub fn refresh(&self) {
        let Some(path) = &self.0.settings.users else { return };
        let (before, stamp) = (self.0.known.load_full(), stamp(path));
        if stamp == before.stamp && before.complaint.is_none() {
            return;
        }
        // Whoever removes the file by mistake must not open the door, nor shut it: taking somebody away is a change of the file.
        let read = match stamp {
            None if before.stamp.is_some() || before.complaint.is_some() => Err(UsersError::gone(path)),
            _ => Users::read(path),
        };
        match read {
            Ok(users) => {
                tracing::info!(users = users.users.len(), tokens = users.tokens.len(), "users and tokens read anew");
                self.0.known.store(Arc::new(Known { users, stamp, complaint: None }));
                self.0.turn.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if before.complaint.as_ref() != Some(&error) => {
                tracing::error!(%error, "the file of users can't be used: users and tokens stay as they were");
                let Known { users, stamp, .. } = &*before;
                let known = Known { users: users.clone(), stamp: *stamp, complaint: Some(error) };
                self.0.known.store(Arc::new(known));
            }
            Err(_) => {}
        }
    }

    /// Notes what is otherwise than what was noted last. Where nothing can be noted now, the next look tries again.
    async fn tell(&self, told: &mut Told, audit: &Audit) {
        let users = self.0.known.load().users.without_secrets();
        let changes = users.differences(&told.last);
        if !changes.is_empty() {
            if audit.ready().await.is_err() {
                return;
            }
            for change in changes {
                let detail = format!("{}{change}", told.when);
                if let Err(error) = audit.note(Entry::gateway(self.now(), Action::AccessChanged).detail(detail)).await {
                    tracing::error!(%error, "a change of users is not in the audit log yet");
                    return;
                }
            }
            told.remember(users);
        }
        told.when = "";
    }
}

/// What the audit log was told of users and tokens.
struct Told {
    file: PathBuf,
    last: Users,
    /// What stands before a change: at the first look, when it was made.
    when: &'static str,
}

impl Told {
    /// As an earlier life left it; nothing where there was none.
    fn read(file: PathBuf) -> Self {
        let read = fs::read(&file).and_then(|text| Ok(serde_json::from_slice(&text)?));
        let last = read.unwrap_or_else(|error: io::Error| {
            if error.kind() != io::ErrorKind::NotFound {
                let file = file.display();
                tracing::warn!(%error, %file, "what was noted of users is not known: all are noted as added");
            }
            Users::default()
        });
        Self { file, last, when: "while the gateway was stopped: " }
    }

    /// Blocks on the disk for a moment, rarely.
    fn remember(&mut self, users: Users) {
        if let Err(error) = users.write(&self.file) {
            tracing::warn!(%error, "a restart will note a change of users again");
        }
        self.last = users;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use model::Timestamp;

    use super::super::door::{AccessSettings, Local};
    use super::super::users::User;
    use super::super::{Role, Scope, password};
    use super::*;
    use crate::audit::Filter;

    fn noon() -> Timestamp {
        Timestamp::parse("2026-11-23T04:00:00Z").unwrap()
    }

    fn open(users: &Path) -> Access {
        let settings = AccessSettings { users: Some(users.to_owned()), ..AccessSettings::none(Local::Nobody) };
        Access::open(settings, noon).unwrap()
    }

    async fn told(audit: &Audit) -> Vec<String> {
        let page = audit.newest(None, 100, Filter::default()).await.unwrap();
        page.entries.into_iter().rev().filter_map(|entry| entry.detail).collect()
    }

    #[tokio::test]
    async fn changes_are_noted_once_also_those_made_while_the_gateway_was_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let (path, file) = (dir.path().join("users.json"), dir.path().join("told.json"));
        let audit = Audit::open(dir.path().join("audit"), Duration::from_secs(3600)).unwrap();
        let user = |name: &str, role, words: &str| {
            let password = password::hash(words).unwrap();
            User { name: name.to_owned(), role, password }
        };
        let mut users = Users { users: vec![user("anna", Role::Admin, "correct horse")], tokens: Vec::new() };
        users.add_token("feed", Scope::Ingest, noon()).unwrap();
        users.write(&path).unwrap();
        let (first, mut known) = (open(&path), Told::read(file.clone()));
        first.tell(&mut known, &audit).await;
        users.users.push(user("bert", Role::Care, "battery staple"));
        users.write(&path).unwrap();
        first.refresh();
        first.tell(&mut known, &audit).await;
        let mut expected = vec![
            "while the gateway was stopped: user anna added as admin",
            "while the gateway was stopped: token feed added for ingest",
            "user bert added as care",
        ];
        assert_eq!(told(&audit).await, expected);
        // Nothing of it is remembered that anybody could sign in with.
        let remembered = fs::read_to_string(&file).unwrap();
        assert!(remembered.contains("bert") && !remembered.contains("argon2"), "{remembered}");
        assert!(!remembered.contains(&users.tokens[0].sha256), "{remembered}");
        // The gateway is stopped, and meanwhile another role, another password, and nobody of the other name.
        users.users = vec![user("anna", Role::Viewer, "another horse")];
        users.write(&path).unwrap();
        for _ in 0..2 {
            let (later, mut known) = (open(&path), Told::read(file.clone()));
            later.tell(&mut known, &audit).await;
        }
        expected.extend([
            "while the gateway was stopped: user anna is viewer, was admin",
            "while the gateway was stopped: user anna has another password",
            "while the gateway was stopped: user bert removed",
        ]);
        assert_eq!(told(&audit).await, expected);
    }
}
