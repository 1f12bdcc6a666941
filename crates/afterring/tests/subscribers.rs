//! `afterring migrate` and `afterring subscribers`, the built command against a real Postgres and against a local store.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use throwaway_postgres::{Cluster, Holder, sql};

struct Said {
    code: i32,
    out: String,
    err: String,
}

/// A directory to work in, and perhaps a database.
struct Here {
    dir: TempDir,
    url: Option<String>,
}

impl Here {
    fn with(url: Option<String>) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), url }
    }

    /// In a new database with its tables.
    fn migrated(cluster: &Cluster) -> Self {
        let here = Self::with(Some(cluster.database()));
        assert_eq!(here.run(&["migrate"]).code, 0);
        here
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Said {
        self.fed(arguments, "")
    }

    fn fed(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_afterring"));
        command.args(arguments).current_dir(self.dir.path()).env_clear().env("AFTERRING_STORE__DIR", "store");
        if let Some(url) = &self.url {
            command.env("AFTERRING_DATABASE__URL", url);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let written = child.stdin.take().unwrap().write_all(input.as_bytes());
        let said = child.wait_with_output().unwrap();
        assert!(written.is_ok() || said.status.code() != Some(0), "{written:?}");
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        Said { code: said.status.code().unwrap(), out: text(said.stdout), err: text(said.stderr) }
    }

    fn sql(&self, statements: &str) -> String {
        sql(self.url.as_ref().unwrap(), statements)
    }
}

fn entries(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn migrate_says_from_where_to_where_and_what_is_missing() {
    let cluster = Cluster::start(&[]);
    let here = Here::with(Some(cluster.database()));
    let said = here.run(&["subscribers", "export"]);
    assert_eq!((said.code, said.out.as_str()), (69, ""));
    assert!(said.err.contains("no tables of Afterring") && said.err.contains("afterring migrate"), "{}", said.err);
    let said = here.run(&["migrate"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "tables: version 0 → 3\n", ""));
    let said = here.run(&["migrate"]);
    assert_eq!((said.code, said.out.as_str()), (0, "tables: version 3, nothing to do\n"));

    let said = Here::with(None).run(&["migrate"]);
    assert_eq!((said.code, said.out.as_str()), (78, ""));
    assert!(said.err.contains("AFTERRING_DATABASE__URL"), "{}", said.err);
    let nobody = Here::with(Some("postgres://a:s3cret@127.0.0.1:1/d".to_owned()));
    for arguments in [&["migrate"][..], &["subscribers", "export"]] {
        let said = nobody.run(arguments);
        assert_eq!((said.code, said.out.as_str()), (69, ""));
        assert!(said.err.contains("refused") && !said.err.contains("s3cret"), "{}", said.err);
    }
    let said = Here::with(Some("postgres://a:s3cret@h:x/d".to_owned())).run(&["migrate"]);
    assert_eq!(said.code, 78);
    assert!(said.err.contains("database.url") && !said.err.contains("s3cret"), "{}", said.err);
}

/// What every registry does, wherever it is.
fn round_trip(here: &Here) {
    here.file(
        "people.csv",
        "number,status,language,time_zone\n+8613800000003,suspended,en,\nabc,,,\n013800000001,,zh-CN,Asia/Shanghai\n\
         +8613800000003,,,\n+447700900123,active,en,Europe/London\n",
    );
    let said = here.run(&["subscribers", "import", "--dry-run", "people.csv"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let summary = "would import 3 (new 3, changed 0), unchanged 0, refused 1; 1 rows were passed over for later ones of the same number\n";
    assert_eq!(said.out, summary);
    assert!(said.err.contains("abc,,,,3,not a telephone number"), "{}", said.err);
    assert!(!here.path("people.csv.errors.csv").exists());

    let said = here.run(&["subscribers", "import", "people.csv"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let summary = "imported 3 (new 3, changed 0), unchanged 0, refused 1 → people.csv.errors.csv; \
        1 rows were passed over for later ones of the same number\n";
    assert_eq!(said.out, summary);
    let errors = here.read("people.csv.errors.csv");
    let reason = "not a telephone number: only digits and a leading + are allowed";
    assert_eq!(errors, format!("number,status,language,time_zone,line,reason\nabc,,,,3,{reason}\n"));
    assert_eq!(fs::metadata(here.path("people.csv.errors.csv")).unwrap().permissions().mode() & 0o777, 0o600);

    let everybody = "number,status,language,time_zone,clock,quiet,copy_to\n+447700900123,active,en,Europe/London,,,\n\
        +8613800000001,active,zh-CN,Asia/Shanghai,,,\n+8613800000003,active,,,,,\n";
    let said = here.run(&["subscribers", "export", "all.csv"]);
    assert_eq!((said.code, said.out.as_str()), (0, "exported 3 → all.csv\n"), "{}", said.err);
    assert_eq!(here.read("all.csv"), everybody);
    assert_eq!(here.run(&["subscribers", "export", "-"]).out, everybody);
    assert!(!entries(here.dir.path()).iter().any(|name| name.contains("partial")));

    let said = here.run(&["subscribers", "import", "all.csv"]);
    assert_eq!((said.code, said.out.as_str()), (0, "imported 0 (new 0, changed 0), unchanged 3, refused 0\n"));

    // A column that is left out stays as it is.
    let change = "number,status\n+447700900123,suspended\n+8613800000001,active\n+8613800000009,\n";
    let said = here.fed(&["subscribers", "import", "-"], change);
    assert_eq!((said.code, said.out.as_str()), (0, "imported 2 (new 1, changed 1), unchanged 1, refused 0\n"));
    let said = here.fed(&["subscribers", "import", "-"], "number\n+447700900123\n+8613800000010\n");
    assert_eq!(said.out, "imported 1 (new 1, changed 0), unchanged 1, refused 0\n");
    let all = here.run(&["subscribers", "export"]).out;
    assert!(all.contains("+447700900123,suspended,en,Europe/London,,,\n"), "{all}");
}

#[test]
fn a_list_goes_into_the_database_and_comes_out_as_it_was() {
    let cluster = Cluster::start(&[]);
    let here = Here::migrated(&cluster);
    round_trip(&here);
    assert!(!here.path("store").exists(), "a database is all that is needed");
}

#[test]
fn without_a_database_a_list_goes_into_the_local_store_unless_a_gateway_has_it() {
    let here = Here::with(None);
    round_trip(&here);
    let now = model::Timestamp::from_millis(0);
    let settings = store::EmbeddedSettings::new(here.path("store"), std::time::Duration::from_secs(3_600));
    let gateway = store::Embedded::open(settings, now).unwrap();
    for arguments in [&["subscribers", "export"][..], &["subscribers", "import", "people.csv"]] {
        let said = here.run(arguments);
        assert_eq!((said.code, said.out.as_str()), (69, ""));
        assert!(said.err.contains("in use") && said.err.contains("a gateway runs"), "{}", said.err);
    }
    drop(gateway);
}

#[test]
fn a_directory_without_a_store_is_told_and_looking_makes_none() {
    let here = Here::with(None);
    let said = here.run(&["subscribers", "export"]);
    assert_eq!((said.code, said.out.as_str()), (69, ""));
    assert!(said.err.contains("there is no store in store"), "{}", said.err);
    let said = here.fed(&["subscribers", "import", "--dry-run", "-"], "number\n+8613800000001\n");
    assert_eq!((said.code, said.out.as_str()), (0, "would import 1 (new 1, changed 0), unchanged 0, refused 0\n"));
    assert_eq!(entries(here.dir.path()), [""; 0]);
}

#[test]
fn an_export_replaces_what_a_link_leads_to_and_writes_a_device_as_it_is() {
    let here = Here::with(None);
    assert_eq!(here.fed(&["subscribers", "import", "-"], "number\n+8613800000001\n").code, 0);
    here.file("old.csv", "old");
    std::os::unix::fs::symlink("old.csv", here.path("link.csv")).unwrap();
    assert_eq!(here.run(&["subscribers", "export", "link.csv"]).code, 0);
    assert!(fs::symlink_metadata(here.path("link.csv")).unwrap().is_symlink());
    assert!(here.read("old.csv").contains("+8613800000001,active,,"));
    assert!(Command::new("mkfifo").arg(here.path("pipe")).status().unwrap().success());
    std::thread::scope(|scope| {
        let read = scope.spawn(|| here.read("pipe"));
        assert_eq!(here.run(&["subscribers", "export", "pipe"]).code, 0);
        assert_eq!(read.join().unwrap(), here.read("old.csv"));
    });
    assert_eq!(entries(here.dir.path()), ["link.csv", "old.csv", "pipe", "store"]);
    let said = here.run(&["subscribers", "export", "none/all.csv"]);
    assert_eq!(said.code, 69);
    assert!(said.err.contains("none/all.csv: No such file"), "{}", said.err);
}

#[test]
fn two_imports_at_once_count_each_person_once() {
    let cluster = Cluster::start(&[]);
    let here = Here::migrated(&cluster);
    let list: String = (0..40_000).fold("number,status\n".to_owned(), |text, n| format!("{text}+86138{n:08},\n"));
    here.file("many.csv", &list);
    let new = |said: &Said| {
        assert_eq!(said.code, 0, "{}", said.err);
        let count = said.out.split("(new ").nth(1).unwrap().split(", changed 0)").next().unwrap();
        count.replace(',', "").parse::<u64>().unwrap()
    };
    let all: u64 = std::thread::scope(|scope| {
        let imports: Vec<_> =
            (0..3).map(|_| scope.spawn(|| here.run(&["subscribers", "import", "many.csv"]))).collect();
        imports.into_iter().map(|import| new(&import.join().unwrap())).sum()
    });
    assert_eq!(all, 40_000);
}

#[test]
fn what_can_not_be_used_says_why_and_exits_64() {
    let here = Here::with(None);
    here.file("bad.csv", "number,name\n1,2\n");
    here.file("refused.csv", "number\nabc\n12\n");
    here.file("empty.csv", "number\n");
    for (name, code, words) in [
        ("none.csv", 64, "No such file"),
        ("bad.csv", 64, "the column 'name': columns are number, status, language, time_zone, clock, quiet and copy_to"),
        ("refused.csv", 64, ""),
        ("empty.csv", 0, ""),
    ] {
        let said = here.run(&["subscribers", "import", name]);
        assert_eq!(said.code, code, "{name}: {}", said.err);
        assert!(said.err.contains(words), "{name}: {}", said.err);
    }
    assert_eq!(here.read("refused.csv.errors.csv").lines().count(), 3);
    let said = here.run(&["subscribers", "import", "refused.csv", "--errors", "elsewhere.csv"]);
    assert!(said.out.ends_with("refused 2 → elsewhere.csv\n"), "{}", said.out);
    assert_eq!(here.read("elsewhere.csv"), here.read("refused.csv.errors.csv"));
    let said = here.fed(&["subscribers", "import", "-"], "number\nabc\n");
    assert_eq!(said.code, 64);
    assert!(said.err.contains("number,line,reason\nabc,2,not a telephone number"), "{}", said.err);
    let said = here.run(&["subscribers", "import", "--help"]);
    assert!(said.out.contains("Examples:") && said.out.contains("time_zone"), "{}", said.out);
}

#[test]
fn many_people_come_in_transactions_that_nodes_can_follow_and_progress_is_told() {
    let cluster = Cluster::start(&[]);
    let here = Here::migrated(&cluster);
    let list: String = (0..30_000).fold("number\n".to_owned(), |text, n| format!("{text}+86138{n:08}\n"));
    here.file("many.csv", &list);
    let said = here.run(&["subscribers", "import", "many.csv"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "imported 30,000 (new 30,000, changed 0), unchanged 0, refused 0\n")
    );
    let told = "imported 9,000 of 30,000 (30 %)\nimported 18,000 of 30,000 (60 %)\nimported 27,000 of 30,000 (90 %)\n\
        imported 30,000 of 30,000 (100 %)\n";
    assert_eq!(said.err, told);
    let transactions = here.sql("select count(*) from subscriber group by changed order by 1 desc");
    assert_eq!(transactions, "9000\n9000\n9000\n3000\n");
    let before = here.sql("select max(changed::text::bigint) from subscriber");
    assert_eq!(here.run(&["subscribers", "import", "many.csv"]).code, 0);
    assert_eq!(
        here.sql("select max(changed::text::bigint) from subscriber"),
        before,
        "nothing changed, nothing to follow"
    );
}

#[test]
fn a_row_that_somebody_holds_for_a_while_is_waited_for() {
    let cluster = Cluster::start(&[]);
    let here = Here::migrated(&cluster);
    assert_eq!(here.fed(&["subscribers", "import", "-"], "number\n+8613800000001\n").code, 0);
    let holder = Holder::of(here.url.as_ref().unwrap(), "select 1 from subscriber for update");
    let said = std::thread::scope(|scope| {
        let import =
            scope.spawn(|| here.fed(&["subscribers", "import", "-"], "number,status\n+8613800000001,suspended\n"));
        while !cluster.log().contains("due to lock timeout") && !import.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        drop(holder);
        import.join().unwrap()
    });
    assert_eq!(
        (said.code, said.out.as_str()),
        (0, "imported 1 (new 0, changed 1), unchanged 0, refused 0\n"),
        "{}",
        said.err
    );
}

/// What every place does with lists and people.
fn lists_and_people(here: &Here) {
    here.file("all.csv", "number\n+8613800000002\nabc\n013800000001\n+8613800000001\n");
    let said = here.run(&["lists", "import", "do-not-contact", "all.csv", "--dry-run"]);
    assert_eq!((said.code, said.out.as_str()), (0, "would import 2, refused 1\n"), "{}", said.err);
    let said = here.run(&["lists", "import", "do-not-contact", "all.csv"]);
    let summary = "do_not_contact: imported 2, on it already 0, refused 1 → all.csv.errors.csv; 1 rows came again\n";
    assert_eq!((said.code, said.out.as_str()), (0, summary), "{}", said.err);
    assert!(here.read("all.csv.errors.csv").contains("abc,3,not a telephone number"));
    let said = here.run(&["lists", "import", "do-not-contact", "all.csv"]);
    assert!(said.out.starts_with("do_not_contact: imported 0, on it already 2, refused 1"), "{}", said.out);
    let said = here.run(&["lists", "add", "consent", "13800000001"]);
    assert_eq!((said.code, said.out.as_str()), (0, "+8613800000001 added to consent\n"), "{}", said.err);
    let said = here.run(&["lists", "add", "consent", "13800000001"]);
    assert_eq!(said.out, "+8613800000001 is already on consent\n");
    let shown = here.run(&["lists", "show", "+8613800000001"]).out;
    assert!(shown.contains("consent since 2") && shown.contains("(cli)"), "{shown}");
    assert!(shown.contains("do_not_contact since 2") && shown.contains("(import all.csv)"), "{shown}");
    let exported = here.run(&["lists", "export", "do-not-contact"]);
    assert_eq!(exported.out, "number\n+8613800000001\n+8613800000002\n");
    let said = here.run(&["lists", "remove", "do-not-contact", "+8613800000001"]);
    assert_eq!(said.out, "+8613800000001 taken off do_not_contact\n");
    let said = here.run(&["lists", "remove", "do-not-contact", "+8613800000001"]);
    assert_eq!(said.out, "+8613800000001 is not on do_not_contact\n");

    assert_eq!(here.fed(&["subscribers", "import", "-"], "number,language\n+8613800000001,en\n").code, 0);
    let said = here.run(&["person", "export", "13800000001"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let known: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(known["number"], 8_613_800_000_001_u64);
    assert_eq!((&known["subscriber"]["language"], &known["lists"][0]["list"]), (&"en".into(), &"consent".into()));
    for arguments in [&["person", "erase", "13800000001"][..], &["person", "erase", "13800000001", "--reason", " "]] {
        assert_eq!(here.run(arguments).code, 64);
    }
    let said = here.run(&["person", "erase", "13800000001", "--reason", "asked by letter"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let erased: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&erased["subscriber"], &erased["lists"], &erased["do_not_contact"]),
        (&true.into(), &1.into(), &false.into())
    );
    let said = here.run(&["person", "export", "13800000001"]);
    assert_eq!((said.code, said.err.as_str()), (69, "nothing is known of +8613800000001\n"));
    let said = here.run(&["person", "erase", "13800000001", "--reason", "again"]);
    assert_eq!(said.code, 0, "{}", said.err);
    // Who was on the do-not-contact list stays there.
    let said = here.run(&["person", "erase", "13800000002", "--reason", "asked"]);
    assert!(said.out.contains("\"do_not_contact\": true"), "{}", said.out);
    assert!(here.run(&["lists", "show", "13800000002"]).out.contains("(erased)"));
}

#[test]
fn lists_and_people_in_a_database() {
    let cluster = Cluster::start(&[]);
    let here = Here::migrated(&cluster);
    lists_and_people(&here);
    assert_eq!(here.sql("select count(*) from erasure").trim(), "3");
    assert!(!here.path("store").exists(), "a database is all that is needed");
}

#[test]
fn lists_and_people_in_the_local_store() {
    let here = Here::with(None);
    let said = here.run(&["person", "export", "13800000001"]);
    assert_eq!(said.code, 69);
    assert!(said.err.contains("there is no store in store"), "{}", said.err);
    lists_and_people(&here);
    assert_eq!(here.run(&["lists", "add", "friends", "13800000001"]).code, 64);
    assert_eq!(here.run(&["lists", "add", "consent", "abc"]).code, 64);
}
