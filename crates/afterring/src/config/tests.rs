//! Settings as a whole: layers over each other, all faults together, and no secret in anything printed.

use super::*;
use routing::{InDoubtPolicy, Keywords, Limits};

/// Sources that hold only what is said here, and nothing of the machine.
fn sources(environment: &[(&str, &str)]) -> Sources {
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Sources { environment, ..Sources::default() }
}

fn with_code(environment: &[(&str, &str)]) -> Sources {
    let mut all = vec![("AFTERRING_SERVICE__CODE", "0012")];
    all.extend_from_slice(environment);
    sources(&all)
}

fn faults(environment: &[(&str, &str)]) -> Vec<Fault> {
    Settings::load(&with_code(environment)).err().unwrap_or_default().0
}

#[test]
fn the_defaults_are_those_of_the_crates_that_use_them() {
    let settings = Settings::load(&with_code(&[])).unwrap();
    assert_eq!(settings.policy.limits, Limits::default());
    assert_eq!(settings.policy.keywords, Keywords::shipped());
    assert_eq!(settings.policy.service.code.as_str(), "0012");
    assert_eq!(settings.policy.in_doubt, InDoubtPolicy::ResendOnce);
    assert_eq!(settings.policy.self_service, routing::SelfService::default());
    assert_eq!(settings.policy.notify, routing::NotifyMe::default());
    assert_eq!(settings.policy.numbering.as_ref(), Some(&settings.numbering));
    assert_eq!((settings.http.body_limit, settings.http.batch_limit), (1024 * 1024, 10_000));
    assert!(settings.links.is_empty() && settings.sip.listen.is_empty());
    assert_eq!(settings.shown.len(), keys::all().count());
}

#[test]
fn only_the_service_code_is_required() {
    let Faults(faults) = Settings::load(&sources(&[])).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].key.as_str(), faults[0].place.as_str()), ("service.code", "default"));
    assert!(Contact::load(&sources(&[])).is_ok());
}

#[test]
fn later_layers_win_and_each_value_knows_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("afterring.toml");
    std::fs::write(&file, "[alert]\nmin_interval = \"1s\"\nupdate_wait = \"1m\"\ndaily_cap = 7\n").unwrap();
    let mut sources = with_code(&[("AFTERRING_ALERT__MIN_INTERVAL", "2s"), ("AFTERRING_ALERT__UPDATE_WAIT", "2m")]);
    sources.preset =
        vec![("alert.max_parts".to_owned(), "1".to_owned()), ("alert.daily_cap".to_owned(), "9".to_owned())];
    sources.files = vec![dir.path().join("missing.toml"), file.clone()];
    sources.flags = vec!["alert.update_wait=3m".to_owned()];
    let settings = Settings::load(&sources).unwrap();
    let limits = settings.policy.limits;
    assert_eq!((limits.min_interval, limits.update_wait), (Duration::from_secs(2), MINUTE * 3));
    assert_eq!((limits.daily_cap, limits.max_parts), (7, 1));
    let place = |path: &str| settings.shown.iter().find(|shown| shown.path == path).unwrap().place.clone();
    assert_eq!(place("alert.update_wait"), "flag --set");
    assert_eq!(place("alert.min_interval"), "environment AFTERRING_ALERT__MIN_INTERVAL");
    assert_eq!(place("alert.daily_cap"), format!("{}:4", file.display()));
    assert_eq!(place("alert.max_parts"), "preset by the command");
    assert_eq!(place("alert.validity"), "default");
}

#[test]
fn the_named_file_is_used_and_must_exist() {
    let dir = tempfile::tempdir().unwrap();
    let [flag, named] = ["flag.toml", "named.toml"].map(|name| dir.path().join(name));
    std::fs::write(&flag, "[service]\ncode = \"1\"\n").unwrap();
    std::fs::write(&named, "[service]\ncode = \"2\"\n").unwrap();
    let mut sources = sources(&[("AFTERRING_CONFIG", named.to_str().unwrap())]);
    assert_eq!(Settings::load(&sources).unwrap().policy.service.code.as_str(), "2");
    sources.file = Some(flag);
    assert_eq!(Settings::load(&sources).unwrap().policy.service.code.as_str(), "1");
    sources.file = Some(dir.path().join("none.toml"));
    let Faults(faults) = Settings::load(&sources).unwrap_err();
    assert!(faults[0].problem.starts_with("can't be opened"), "{faults:?}");
}

#[test]
fn campaigns_that_ranges_name_must_exist() {
    let campaigns = ("AFTERRING_CAMPAIGNS", "summer:3@2026-12-01/2027-01-01;autumn:1");
    let found = faults(&[campaigns, ("AFTERRING_RANGES", "a=86138*:5?campaigns=summer+spring;b=86139*:5")]);
    let [fault] = &found[..] else { panic!("{found:?}") };
    assert_eq!(fault.key, "ranges");
    assert_eq!(fault.problem, "range 'a' has the campaign 'spring', which campaigns doesn't name");
    let found =
        faults(&[("AFTERRING_CAMPAIGNS", "summer"), ("AFTERRING_RANGES", "a=86138*:5?campaigns=summer&quite=1")]);
    let keys: Vec<&str> = found.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["campaigns", "ranges"]);
    assert!(found[1].problem.contains("there is no parameter 'quite'"), "{}", found[1].problem);
}

#[test]
fn all_faults_are_told_together_with_key_place_value_and_what_is_valid() {
    let given = [
        ("AFTERRING_RANGES", "a=8613900000009-8613900000001:5;b=86138*:5;c=861380*:5"),
        ("AFTERRING_KEYWORDS__REFUSE", "R,c"),
        ("AFTERRING_KEYWORDS__HELP", ""),
        ("AFTERRING_ALERT__MIN_INTERVAL", "60"),
        ("AFTERRING_ALERT__UPDATE", "sometimes"),
        ("AFTERRING_TEXT__TIME_ZONE", "Asia/Beijing"),
        ("AFTERRING_INGRESS__ACKNOWLEDGE_AFTER", "database"),
        ("AFTERRING_HTTP__LISTEN", "0.0.0.0:8080"),
        ("AFTERRING_SMSC_URL", "x"),
    ];
    let found = faults(&given);
    let keys: Vec<&str> = found.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "smsc_url",
            "http.token",
            "ranges",
            "ranges",
            "keywords.refuse",
            "keywords.help",
            "alert.min_interval",
            "alert.update",
            "text.time_zone",
            "ingress.acknowledge_after",
        ]
    );
    for fault in &found {
        assert!(fault.place.starts_with("environment AFTERRING_") || fault.key == "http.token", "{fault}");
        assert!(!fault.valid.is_empty() || fault.problem.contains("did you mean"), "{fault}");
    }
    assert!(found[2].problem.contains("before the first"));
    let interval = found.iter().find(|fault| fault.key == "alert.min_interval").unwrap();
    assert_eq!(interval.value.as_deref(), Some("60"));
    assert!(Faults(found).to_string().starts_with("10 faults in the configuration:"));
}

#[test]
fn each_value_is_read_by_its_own_form() {
    let good = [
        ("AFTERRING_SERVICE__ORIGINATOR_DETAIL", "+8613900000000"),
        ("AFTERRING_SERVICE__ORIGINATOR_FALLBACK", "true"),
        ("AFTERRING_SERVICE__NUMBERS", "12599=subscribers; 0012=prospects; 139-0000-0000=prospects"),
        ("AFTERRING_NUMBERING__NATIONAL_PREFIX", ""),
        ("AFTERRING_TEASER__FETCH_PRICE", "1e5"),
        ("AFTERRING_KEYWORDS__FETCH", "1e5,true,0012"),
        ("AFTERRING_HTTP__TOKEN", "0012"),
    ];
    let settings = Settings::load(&with_code(&good)).unwrap();
    let policy = settings.policy;
    assert_eq!(policy.texts.fetch_price, "1e5");
    assert_eq!(policy.keywords.shown(routing::Action::Fetch), "1e5");
    assert_eq!(
        policy.service.numbers.keys().map(model::ShortNumber::as_str).collect::<Vec<_>>(),
        ["0012", "12599", "8613900000000"]
    );
    assert_eq!(settings.numbering.national_prefix, "");
    assert_eq!(settings.http.listener.token.unwrap().reveal(), "0012");
    for (name, value) in [
        ("AFTERRING_SERVICE__CODE", "+8613900000000"),
        ("AFTERRING_SERVICE__CODE", "1e5"),
        ("AFTERRING_SERVICE__CODE", "true"),
        ("AFTERRING_SERVICE__CODE", ""),
        ("AFTERRING_SERVICE__NUMBERS", "12599=everybody"),
        ("AFTERRING_SERVICE__NUMBERS", "12599=subscribers;12599=prospects"),
        ("AFTERRING_SERVICE__NUMBERS", "013900000000=subscribers;+8613900000000=prospects"),
        ("AFTERRING_SERVICE__ORIGINATOR_DETAIL", "much too long a name"),
        ("AFTERRING_NUMBERING__COUNTRY_CODE", "086"),
        ("AFTERRING_NUMBERING__COUNTRY_CODE", ""),
        ("AFTERRING_NUMBERING__INTERNATIONAL_PREFIX", "+"),
        ("AFTERRING_NUMBERING__NATIONAL_PREFIX", "00"),
        ("AFTERRING_ALERT__DAILY_CAP", "1e5"),
        ("AFTERRING_ALERT__DAILY_CAP", "0"),
        ("AFTERRING_ALERT__DAILY_CAP", "true"),
        ("AFTERRING_ALERT__IN_DOUBT", "Hold"),
        ("AFTERRING_ALERT__VALIDITY", ""),
        ("AFTERRING_ALERT__UPDATE", "sometimes"),
        ("AFTERRING_TEXT__LANGUAGE", "fr"),
        ("AFTERRING_REPLY__DOUBLE_OPT_IN", "yes"),
        ("AFTERRING_REPLY__COPIES", "1"),
        ("AFTERRING_REPLY__CONFIRM_WITHIN", "0s"),
        ("AFTERRING_REPLY__LONGEST_PAUSE", "1h"),
        ("AFTERRING_NOTIFY__USUAL", "true"),
        ("AFTERRING_NOTIFY__ON_NET", "86139"),
        ("AFTERRING_NOTIFY__DAILY_CAP", "21"),
        ("AFTERRING_NOTIFY__WITHIN", "8d"),
        ("AFTERRING_LOG__FILTER", "a=b=c"),
        ("AFTERRING_LOG__FILTER", "warn*"),
        ("AFTERRING_LOG__FILTER", "warning"),
        ("AFTERRING_LOG__FILTER", "info,"),
        ("AFTERRING_LOG__FILTER", "=debug"),
        ("AFTERRING_LOG__FILTER", ""),
        ("AFTERRING_LOG__FORMAT", "xml"),
        ("AFTERRING_STORE__DIR", ""),
        ("AFTERRING_HTTP__TOKEN", "with space"),
        ("AFTERRING_DATABASE__URL", "mysql://h/d"),
        ("AFTERRING_DATABASE__URL", "postgres:///d"),
        ("AFTERRING_DATABASE__URL", "postgres://h:x/d"),
        ("AFTERRING_DATABASE__URL", "postgres://h/d?sslmode=on"),
        ("AFTERRING_DATABASE__URL", "postgres://h/d?nonsense=1"),
        ("AFTERRING_DATABASE__MIGRATE", "yes"),
        ("AFTERRING_DATABASE__POOL", "0"),
        ("AFTERRING_DATABASE__LEASE", "0s"),
        ("AFTERRING_SIP__MAX_TRANSACTIONS", "999"),
        ("AFTERRING_SIP__MAX_CONNECTIONS", "0"),
        ("AFTERRING_SIP__IDLE_TIMEOUT", "0s"),
        ("AFTERRING_SIP__STALL_TIMEOUT", "10"),
        ("AFTERRING_SIP__NOT_FOUND", "busy"),
    ] {
        let sources =
            sources(&[("AFTERRING_SERVICE__CODE", "1"), (name, value)][usize::from(name.ends_with("CODE"))..]);
        let environment =
            if name == "AFTERRING_NUMBERING__COUNTRY_CODE" { with_code(&[(name, value)]) } else { sources };
        let Faults(found) = Settings::load(&environment).unwrap_err();
        assert_eq!(found.len(), 1, "{name}={value}: {found:?}");
        assert_eq!(keys::environment_name(&found[0].key), name);
    }
}

#[test]
fn a_database_is_used_as_it_is_told_and_a_wrong_address_says_what_is_wrong_without_its_password() {
    let url = "postgres://me:s3cret@a:5432,b:6432/calls?sslmode=verify-full";
    let given = [
        ("AFTERRING_DATABASE__URL", url),
        ("AFTERRING_DATABASE__NODE", "north-1"),
        ("AFTERRING_HEALTH__TIMEOUT", "2s"),
    ];
    let settings = Settings::load(&with_code(&given)).unwrap();
    let database = settings.database.unwrap();
    assert_eq!((database.url.reveal(), database.node_name.as_str(), database.migrate), (url, "north-1", true));
    assert_eq!(
        (database.timeout, database.lease, database.retention.calls),
        (Duration::from_secs(2), MINUTE * 10, DAY * 30)
    );
    assert!(Settings::load(&with_code(&[])).unwrap().database.is_none());
    for (url, words) in [
        ("mysql://me:s3cret@h/d", "not of the form postgres://"),
        ("postgres://me:s3cret@h:x/d", "not of the form postgres://"),
        ("postgres://me:s3cret@/d", "no host"),
        ("postgres://me:s3cret@h/d?sslmode=s3cret", "sslmode is one of"),
        ("postgres://me:s3cret@h/d?pasword=s3cret", "not of the form postgres://"),
        ("me:s3cret@h", "not of the form postgres://"),
        ("postgres://me:s3cret@s3cret@h:s3cret/d", "not of the form postgres://"),
    ] {
        let sources = with_code(&[("AFTERRING_DATABASE__URL", url)]);
        let found = faults(&[("AFTERRING_DATABASE__URL", url)]);
        assert_eq!(found.len(), 1, "{url}: {found:?}");
        assert!(found[0].key == "database.url" && found[0].problem.contains(words), "{url}: {found:?}");
        let told = format!("{}{}{:?}", Faults(found), effective(&in_force(&sources)), Registry::load(&sources));
        assert!(!told.contains("s3cret"), "{url}: {told}");
    }
}

#[test]
fn every_link_is_traced_as_it_is_told() {
    let urls = ("AFTERRING_SMSC__URLS", "smpp://a:b@one,smpp://a:b@two");
    assert!(Settings::load(&with_code(&[urls])).unwrap().links.iter().all(|link| link.trace.is_none()));
    let given = [
        urls,
        ("AFTERRING_SMSC__TRACE", "/var/trace"),
        ("AFTERRING_SMSC__TRACE_NUMBERS", "true"),
        ("AFTERRING_SMSC__TRACE_FILE_SIZE", "1MiB"),
        ("AFTERRING_SMSC__TRACE_FILES", "2"),
    ];
    let links = Settings::load(&with_code(&given)).unwrap().links;
    let expected =
        smpp_client::TraceSettings { dir: "/var/trace".into(), file_size: 1024 * 1024, files: 2, numbers: true };
    assert!(links.len() == 2 && links.iter().all(|link| link.trace.as_ref() == Some(&expected)), "{links:?}");
    let wrong = [
        ("AFTERRING_SMSC__TRACE_NUMBERS", "yes"),
        ("AFTERRING_SMSC__TRACE_FILE_SIZE", "1KiB"),
        ("AFTERRING_SMSC__TRACE_FILES", "0"),
    ];
    let keys: Vec<String> = faults(&wrong).into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["smsc.trace_numbers", "smsc.trace_file_size", "smsc.trace_files"]);
}

#[test]
fn no_secret_is_in_anything_printed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, "smpp://id:s3cret@h:1\nsmpp://id:s3cret@h:2\n").unwrap();
    let hidden = |sources: &Sources| {
        let shown = in_force(sources);
        let loaded = Settings::load(sources);
        let contact = Contact::load(sources);
        let faults = loaded.as_ref().err().map(ToString::to_string);
        let printed = format!("{loaded:?}{contact:?}{faults:?}{shown:?}{}{}", effective(&shown), digest(&shown));
        assert!(!printed.contains("s3cret"), "{printed}");
        printed
    };
    let sound = with_code(&[
        ("AFTERRING_SMSC__URLS_FILE", file.to_str().unwrap()),
        ("AFTERRING_HTTP__TOKEN", "s3cret"),
        ("AFTERRING_ADMIN__TOKEN", "s3cret"),
    ]);
    assert!(hidden(&sound).contains("smpp://id:***@h:1,smpp://id:***@h:2"));
    assert_eq!(Settings::load(&sound).unwrap().links.len(), 2);
    for url in [
        "smpp://id:s3cret@h?x",
        "smpp://id:s3cret,s3cret@h",
        "s3cret",
        "smpp://id:s3cret/s3cret@h",
        "smpps://id:s3cret@h?tls_ca=/nowhere/ca.pem",
        "smpps://id:s3cret?tls_ca=s3cret@h",
        "smpp://id:s3cret@h?name=a,smpp://id:s3cret@i?name=a&charset=utf8",
        "smpp://id:s3cret@h?bind=transmitter&name=a",
    ] {
        hidden(&with_code(&[("AFTERRING_SMSC__URLS", url), ("AFTERRING_DATABASE__URL", "postgres://a:s3cret@h/d")]));
        hidden(&with_code(&[("AFTERRING_SMSC__URL", url), ("AFTERRING_HTTP__TOKEN", "s3cret and more")]));
        let mut flagged = with_code(&[]);
        flagged.flags = vec![format!("smsc.urls={url}"), format!("http.tokne={url}"), url.to_owned()];
        let told = Settings::load(&flagged).unwrap_err().to_string();
        assert!(!told.contains("s3cret"), "{told}");
        let path = dir.path().join("afterring.toml");
        for text in [
            format!("[smsc]\nurls = [\"{url}\"]\n"),
            format!("[http]\ntoken = [\"{url}\"]\n"),
            format!("[http]\ntoken = {url}\n"),
        ] {
            std::fs::write(&path, text).unwrap();
            let mut in_file = with_code(&[]);
            in_file.file = Some(path.clone());
            hidden(&in_file);
        }
    }
}

/// A folder of texts with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir
}

#[test]
fn texts_of_the_operators_own_are_read_for_everybody_a_range_and_a_campaign() {
    let dir = folder(&[
        ("en.toml", "withheld = \"hidden\""),
        ("notes.txt", "not read"),
        (".git/config", "not read"),
        ("ranges/north/en.toml", "refused = \"Done.\""),
    ]);
    let path = dir.path().to_str().unwrap();
    let settings = Settings::load(&with_code(&[
        ("AFTERRING_RANGES", "north=86139*:5"),
        ("AFTERRING_TEXT__DIR", path),
        ("AFTERRING_TEXT__CLOCK", "12"),
        ("AFTERRING_TEXT__NUMBERS", "national"),
    ]))
    .unwrap();
    let policy = settings.policy;
    assert_eq!(policy.clock, ClockFace::Twelve);
    let number = model::Msisdn::international("8613911112222").unwrap();
    assert_eq!(policy.texts.number(number), "13911112222");
    let (north, english) = (routing::RangeName("north".to_owned()), Language::en());
    let reader = routing::text::Reader { range: Some(&north), ..routing::text::Reader::new(&english, "UTC") };
    let notice = policy.texts.notice(reader, routing::ReplyVerdict::Refused, &policy.keywords, &[]);
    assert_eq!(notice.as_deref(), Some("Done."));
}

#[test]
fn faults_of_texts_are_told_with_all_others_by_file_line_and_key() {
    let dir = folder(&[
        ("en.toml", "refused = \"No more.\"\n\nteaser_one = \"{caller} rang\"\n"),
        ("zh.toml.bak", ""),
        ("not a language.toml", ""),
        ("campaign/a/en.toml", ""),
        ("ranges/south/en.toml", ""),
        ("ranges/en.toml", ""),
        ("ranges/north/deeper/en.toml", ""),
    ]);
    let path = dir.path().to_str().unwrap();
    let faults = faults(&[
        ("AFTERRING_RANGES", "north=86139*:5"),
        ("AFTERRING_TEXT__DIR", path),
        ("AFTERRING_TEXT__CLOCK", "13"),
        ("AFTERRING_TEXT__NUMBERS", "short"),
        ("AFTERRING_TEXT__WITHOUT_PREFIX", "+86"),
        ("AFTERRING_TEASER__REQUIRE", "refuse,stop"),
    ]);
    let of = |key: &str| -> Vec<String> {
        faults.iter().filter(|fault| fault.key == key).map(|fault| fault.problem.clone()).collect()
    };
    let expected = [
        "campaign: not a folder that is read",
        "not a language.toml: not the name of a language",
        "ranges/en.toml: not a folder",
        "ranges/north/deeper: a folder where files are read",
        "ranges/south: no range of the setting ranges is called so",
        "en.toml:3: teaser_one: unknown placeholder {caller}: known here are {count}",
    ];
    let found = of("text.dir");
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
    assert_eq!(of("teaser.require"), ["'stop' is not one of the words known here"]);
    for key in ["text.clock", "text.numbers", "text.without_prefix"] {
        assert_eq!(of(key).len(), 1, "{key}");
    }
    let missing = self::faults(&[("AFTERRING_TEXT__DIR", "/nowhere/at/all")]);
    assert!(missing.len() == 1 && missing[0].problem.starts_with("can't be read: "), "{missing:?}");
}

#[test]
fn a_teaser_holds_what_the_operator_requires() {
    let dir = folder(&[("zh-CN.toml", "teaser_one = \"有人找您。\"")]);
    let path = dir.path().to_str().unwrap();
    let faults = faults(&[("AFTERRING_TEXT__DIR", path), ("AFTERRING_TEASER__REQUIRE", "refuse,fetch_price")]);
    let told: Vec<_> = faults.iter().map(|fault| (fault.key.as_str(), fault.problem.as_str())).collect();
    assert_eq!(
        told,
        [
            ("teaser.require", "fetch_price is required, but teaser.fetch_price is empty: word it, or require it not"),
            (
                "text.dir",
                "zh-CN.toml:1: teaser_one: {fetch_price} is missing: put it in, or take it out of teaser.require"
            ),
            ("text.dir", "zh-CN.toml:1: teaser_one: {refuse} is missing: put it in, or take it out of teaser.require"),
        ]
    );
    let nothing = [("AFTERRING_TEXT__DIR", path), ("AFTERRING_TEASER__REQUIRE", "")];
    assert!(Settings::load(&with_code(&nothing)).is_ok());
}

#[test]
fn alerts_about_calls_may_come_from_the_caller_and_others_not() {
    let caller =
        [("AFTERRING_SERVICE__ORIGINATOR_DETAIL", "caller"), ("AFTERRING_SERVICE__ORIGINATOR_NOTIFY", "Afterring")];
    let service = Settings::load(&with_code(&caller)).unwrap().policy.service;
    assert_eq!(service.originators.get(&model::Kind::Detail), Some(&routing::Originator::Caller));
    let named = model::Address::Alphanumeric("Afterring".to_owned());
    assert_eq!(service.originators.get(&model::Kind::Notify), Some(&routing::Originator::Address(named)));
    let other = Settings::load(&with_code(&[("AFTERRING_SERVICE__ORIGINATOR_FALLBACK", "+8613911112222")])).unwrap();
    let number = model::Address::International(model::Msisdn::international("8613911112222").unwrap());
    let chosen = other.policy.service.originators.get(&model::Kind::Fallback).cloned();
    assert_eq!(chosen, Some(routing::Originator::Address(number)));
}
