//! `afterring users` and `afterring tokens`: who may come in, in the file that a running gateway reads anew when it changes.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use console::access::{Role, Scope, Token, User, Users as File, UsersError, check_name, hash_password};
use model::Clock;

use super::{CONFIGURATION, OK, Terminal, Tokens, UNAVAILABLE, USAGE, Users};
use crate::config::{Sources, users_place};

/// Why it was not done.
enum Undone {
    /// It can't be asked for like this.
    Usage(String),
    /// The file holds something wrong.
    Unusable(UsersError),
    /// It can't be written, or nobody gives a password.
    Unavailable(String),
}

impl From<UsersError> for Undone {
    fn from(error: UsersError) -> Self {
        Self::Unusable(error)
    }
}

pub(super) fn users(asked: &Users, sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    if let Users::List = asked {
        return list(sources, terminal, |file| {
            file.users.iter().map(|user| format!("{}\t{}", user.name, user.role.as_str())).collect()
        });
    }
    changed(sources, terminal, |file| match asked {
        Users::Add { name, role, password_file } => {
            check_name(name).map_err(|why| Undone::Usage(why.to_owned()))?;
            if file.user(name).is_some() {
                return Err(Undone::Usage(format!("there is a user '{name}' already")));
            }
            let password = password(password_file.as_deref())?;
            file.users.push(User { name: name.clone(), role: *role, password });
            Ok(format!("user '{name}' may sign in as {}", role.as_str()))
        }
        Users::Remove { name } => {
            let place = file.users.iter().position(|user| user.name == *name);
            file.users.remove(place.ok_or_else(|| nobody(name))?);
            Ok(format!("user '{name}' is removed, and signed out"))
        }
        Users::Password { name, password_file } => {
            let password = password(password_file.as_deref())?;
            user(file, name)?.password = password;
            Ok(format!("user '{name}' has another password, and is signed out"))
        }
        Users::Role { name, role } => {
            user(file, name)?.role = *role;
            Ok(format!("user '{name}' is {} from now on", role.as_str()))
        }
        Users::List => Ok(String::new()),
    })
}

pub(super) fn tokens(asked: &Tokens, sources: &Sources, clock: Clock, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    if let Tokens::List = asked {
        let line = |token: &Token| format!("{}\t{}\t{}", token.name, token.scope.as_str(), token.since);
        return list(sources, terminal, |file| file.tokens.iter().map(line).collect());
    }
    let mut shown = None;
    let code = changed(sources, terminal, |file| match asked {
        Tokens::Add { name, scope } => {
            shown = Some(file.add_token(name, *scope, clock()).map_err(Undone::Usage)?);
            Ok(format!("token '{name}' may {}; it is shown this once:", may(*scope)))
        }
        Tokens::Remove { name } => {
            let place = file.tokens.iter().position(|token| token.name == *name);
            file.tokens.remove(place.ok_or_else(|| Undone::Usage(format!("there is no token '{name}'")))?);
            Ok(format!("token '{name}' is removed"))
        }
        Tokens::List => Ok(String::new()),
    })?;
    if let Some(shown) = shown.filter(|_| code == OK) {
        writeln!(terminal.out, "{shown}")?;
    }
    Ok(code)
}

const fn may(scope: Scope) -> &'static str {
    match scope {
        Scope::Ingest => "report calls",
        Scope::Read => "read everything, numbers in full",
        Scope::Operate => "read and change everything but what only administrators may",
    }
}

fn user<'a>(file: &'a mut File, name: &str) -> Result<&'a mut User, Undone> {
    file.users.iter_mut().find(|user| user.name == *name).ok_or_else(|| nobody(name))
}

fn nobody(name: &str) -> Undone {
    Undone::Usage(format!("there is no user '{name}'"))
}

fn list(sources: &Sources, terminal: &mut Terminal<'_>, lines: impl FnOnce(&File) -> Vec<String>) -> io::Result<u8> {
    let path = match users_place(sources) {
        Ok(path) => path,
        Err(faults) => return super::told(&faults, terminal),
    };
    match File::read(&path) {
        Ok(file) => {
            for line in lines(&file) {
                writeln!(terminal.out, "{line}")?;
            }
            Ok(OK)
        }
        Err(error) => undone(&Undone::Unusable(error), terminal),
    }
}

/// Changes the file, one process at a time; says in words what was done.
fn changed(
    sources: &Sources,
    terminal: &mut Terminal<'_>,
    change: impl FnOnce(&mut File) -> Result<String, Undone>,
) -> io::Result<u8> {
    let path = match users_place(sources) {
        Ok(path) => path,
        Err(faults) => return super::told(&faults, terminal),
    };
    let done = || {
        let _lock = locked(&path).map_err(|error| Undone::Unavailable(format!("{}: {error}", path.display())))?;
        let mut file = File::read(&path)?;
        let said = change(&mut file)?;
        file.write(&path).map_err(|error| Undone::Unavailable(error.to_string()))?;
        Ok(said)
    };
    match done() {
        Ok(said) => {
            writeln!(terminal.err, "{said}")?;
            Ok(OK)
        }
        Err(why) => undone(&why, terminal),
    }
}

/// Until it is dropped, no other command changes the file.
fn locked(path: &Path) -> io::Result<fs::File> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::create_dir_all(dir)?;
    }
    let mut lock = PathBuf::from(path).into_os_string();
    lock.push(".lock");
    let lock = fs::File::create(lock)?;
    lock.lock()?;
    Ok(lock)
}

fn undone(why: &Undone, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let (code, text) = match why {
        Undone::Usage(text) => (USAGE, text.clone()),
        Undone::Unusable(error) => (CONFIGURATION, error.to_string()),
        Undone::Unavailable(text) => (UNAVAILABLE, text.clone()),
    };
    writeln!(terminal.err, "{text}")?;
    Ok(code)
}

/// A password as it is kept: from a file, from whoever sits at the terminal, or the first line of standard input.
fn password(file: Option<&Path>) -> Result<String, Undone> {
    let unread = |error: io::Error| Undone::Unavailable(format!("no password: {error}"));
    let given = match file {
        Some(path) => fs::read_to_string(path).map_err(unread)?,
        None if io::stdin().is_terminal() => {
            let first = rpassword::prompt_password("Password: ").map_err(unread)?;
            let again = rpassword::prompt_password("Again: ").map_err(unread)?;
            if first != again {
                return Err(Undone::Usage("the two are not the same".to_owned()));
            }
            first
        }
        None => {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map_err(unread)?;
            line
        }
    };
    hash_password(given.trim_end_matches(['\r', '\n'])).map_err(Undone::Usage)
}

pub(super) fn role(word: &str) -> Result<Role, &'static str> {
    Role::ALL.into_iter().find(|role| role.as_str() == word).ok_or("not a role: viewer, care, operator or admin")
}

pub(super) fn scope(word: &str) -> Result<Scope, &'static str> {
    Scope::ALL.into_iter().find(|scope| scope.as_str() == word).ok_or("not a scope: ingest, read or operate")
}
