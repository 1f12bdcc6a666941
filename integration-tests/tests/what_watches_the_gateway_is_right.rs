//! Alert rules, their cases, the runbook and the dashboard fit each other, and ask for nothing but what the gateway exports.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use integration_tests::paths;
use serde_json::{Value, json};

const RULES: &str = "deploy/prometheus/rules.yml";
const CASES: [&str; 2] = ["deploy/prometheus/rules.test.yml", "deploy/prometheus/rules.days.test.yml"];
const DASHBOARD: &str = "deploy/grafana/afterring.json";

fn read(path: &str) -> Result<String> {
    fs::read_to_string(paths::root().join(path)).context(path.to_owned())
}

fn yaml(path: &str) -> Result<Value> {
    serde_saphyr::from_str(&read(path)?).context(path.to_owned())
}

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

/// Runs promtool (Debian's package prometheus) on files of the project.
fn promtool(arguments: &[&str]) -> Result<()> {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(paths::root())
        .stdin(Stdio::null())
        .output()
        .context("promtool: integration-tests/run installs it")?;
    ensure!(output.status.success(), "promtool {arguments:?}: {output:?}");
    Ok(())
}

struct Alert {
    name: String,
    expr: String,
    severity: String,
    summary: String,
    runbook: String,
}

fn alerts() -> Result<Vec<Alert>> {
    let rules = yaml(RULES)?;
    let of = |rule: &Value| Alert {
        name: text(rule, "alert").to_owned(),
        expr: text(rule, "expr").to_owned(),
        severity: text(&rule["labels"], "severity").to_owned(),
        summary: text(&rule["annotations"], "summary").to_owned(),
        runbook: text(&rule["annotations"], "runbook_url").to_owned(),
    };
    let alerts: Vec<_> = list(&rules, "groups").iter().flat_map(|group| list(group, "rules")).map(of).collect();
    ensure!(alerts.len() > 20, "only {} alerts were found", alerts.len());
    Ok(alerts)
}

/// What the gateway exports, by the page that `metrics_and_docs_agree` holds to the program: series and their labels.
fn exported() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let page = read("docs/metrics.md")?;
    let mut series = BTreeMap::new();
    for row in page.lines().filter(|line| line.starts_with("| `afterring_")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, name, kind, labels, ..] = cells[..] else { continue };
        let name = name.trim_matches('`');
        // What Prometheus adds to everything that it scrapes.
        let mut labels: BTreeSet<_> = labels.split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect();
        labels.extend(["job", "instance"].map(str::to_owned));
        if kind == "histogram" {
            series.extend(["_sum", "_count"].map(|part| (format!("{name}{part}"), labels.clone())));
            labels.insert("le".to_owned());
            series.insert(format!("{name}_bucket"), labels);
        } else {
            series.insert(name.to_owned(), labels);
        }
    }
    ensure!(series.len() > 40, "{series:?}");
    series.insert("up".to_owned(), ["job", "instance"].map(str::to_owned).into());
    // Prometheus's own, with the labels of what fires.
    series.insert("ALERTS".to_owned(), ["alertname", "alertstate"].map(str::to_owned).into());
    Ok(series)
}

/// The names in an expression: series, each with the labels in its braces, and the labels that are grouped or joined by.
#[derive(Debug, Default)]
struct Names {
    series: Vec<(String, Vec<String>)>,
    grouped: Vec<String>,
}

fn names(expr: &str) -> Names {
    let mut found = Names::default();
    let (mut braces, mut grouping) = (false, false);
    let mut rest = expr;
    while let Some(next) = rest.chars().next() {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_:$".contains(c);
        let end = match next {
            '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            // Spans of time, of which a variable may be one, and numbers.
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            _ if is_name(next) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            _ => 1,
        };
        let (token, behind) = rest.split_at(end);
        rest = behind;
        let called = behind.trim_start().starts_with('(');
        match token {
            "{" => braces = true,
            "}" => braces = false,
            ")" => grouping = false,
            _ if !next.is_ascii_alphabetic() => {}
            _ if braces => found.series.last_mut().into_iter().for_each(|(_, labels)| labels.push(token.to_owned())),
            // A label may be called `by`.
            _ if grouping => found.grouped.push(token.to_owned()),
            "by" | "on" | "group_left" | "group_right" | "ignoring" | "without" => grouping = true,
            "and" | "or" | "unless" | "offset" | "bool" => {}
            _ if called || behind.trim_start().starts_with("by") => {}
            _ => found.series.push((token.to_owned(), Vec::new())),
        }
    }
    found
}

/// What an expression or a text of its labels asks for and is not there.
fn unknown(expr: &str, shown: &str, exported: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let names = names(expr);
    let mut unknown = Vec::new();
    let mut known = BTreeSet::new();
    for (series, labels) in &names.series {
        let Some(has) = exported.get(series) else {
            unknown.push(series.clone());
            continue;
        };
        unknown.extend(labels.iter().filter(|label| !has.contains(*label)).map(|label| format!("{series}{{{label}}}")));
        known.extend(has.clone());
    }
    if names.series.is_empty() {
        unknown.push(format!("no series in {expr}"));
    }
    unknown.extend(names.grouped.into_iter().filter(|label| !known.contains(label)));
    for label in shown.split("$labels.").skip(1).filter_map(|rest| rest.split([' ', '}']).next()) {
        if !known.contains(label) {
            unknown.push(format!("$labels.{label}"));
        }
    }
    unknown
}

/// The dashboard's expressions, with the panel that each is of.
fn dashboard() -> Result<Vec<(String, String)>> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)?)?;
    let of_panel = |panel: &Value| {
        let title = text(panel, "title").to_owned();
        let exprs = list(panel, "targets").iter().map(move |target| (title.clone(), text(target, "expr").to_owned()));
        exprs.collect::<Vec<_>>()
    };
    let exprs: Vec<_> = list(&dashboard, "panels").iter().flat_map(of_panel).collect();
    ensure!(exprs.len() > 30, "{exprs:?}");
    Ok(exprs)
}

#[test]
fn the_cases_of_the_rules_come_out_as_they_say() -> Result<()> {
    promtool(&["check", "rules", RULES])?;
    let [minutes, days] = CASES;
    promtool(&["test", "rules", minutes, days])
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_a_moment_before_in_which_it_does_not() -> Result<()> {
    let cases = [yaml(CASES[0])?, yaml(CASES[1])?];
    let mut fired = BTreeSet::new();
    for case in cases.iter().flat_map(|file| list(file, "tests")) {
        let mut quiet_before = BTreeSet::new();
        for moment in list(case, "promql_expr_test") {
            let expr = text(moment, "expr");
            ensure!(expr.contains("ALERTS{alertstate=\"firing\"}"), "{expr} does not ask for everything that fires");
            let samples: Vec<_> = list(moment, "exp_samples").iter().map(|sample| text(sample, "labels")).collect();
            for alert in alerts()? {
                let fires = samples.iter().any(|labels| labels.contains(&format!("alertname=\"{}\"", alert.name)));
                match fires {
                    false => drop(quiet_before.insert(alert.name)),
                    true if quiet_before.contains(&alert.name) => drop(fired.insert(alert.name)),
                    true => {}
                }
            }
        }
    }
    let names: BTreeSet<_> = alerts()?.into_iter().map(|alert| alert.name).collect();
    ensure!(fired == names, "without a case: {:?}", names.difference(&fired));
    Ok(())
}

#[test]
fn every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() -> Result<()> {
    let runbook = read("docs/runbook.md")?;
    let sections: Vec<_> = runbook.split("\n### ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    let alerts = alerts()?;
    let titles: Vec<_> = sections.iter().map(|(title, _)| *title).collect();
    let names: Vec<_> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    ensure!(titles == names, "in the same order: the runbook has {titles:?}, the rules have {names:?}");
    for (alert, (title, section)) in alerts.iter().zip(&sections) {
        let anchor = format!("docs/runbook.md#{}", title.to_lowercase());
        ensure!(alert.runbook == anchor, "{title} points at {}", alert.runbook);
        ensure!(["critical", "warning", "info"].contains(&alert.severity.as_str()), "{title}: {}", alert.severity);
        ensure!(section.trim_start().starts_with(&format!("*{}.* ", alert.severity)), "{title} is {}", alert.severity);
        for part in ["**See more:**", "**Do:**", "**Call:**"] {
            ensure!(section.contains(part), "{title} has no {part}");
        }
    }
    // The metrics that it names are exported.
    let exported = exported()?;
    for word in runbook.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let known = exported.keys().any(|series| series == word || series.strip_suffix("_bucket") == Some(word));
        ensure!(!word.starts_with("afterring_") || known, "the runbook names {word}");
    }
    Ok(())
}

#[test]
fn kubernetes_gets_the_same_rules() -> Result<()> {
    let (file, object) = (yaml(RULES)?, yaml("deploy/kubernetes/observe/prometheusrule.yaml")?);
    ensure!(
        object["spec"]["groups"] == file["groups"],
        "the head of prometheusrule.yaml says how to bring it up to date"
    );
    Ok(())
}

#[test]
fn rules_and_dashboard_ask_for_what_is_exported() -> Result<()> {
    let exported = exported()?;
    for Alert { name, expr, summary, .. } in alerts()? {
        let unknown = unknown(&expr, &summary, &exported);
        ensure!(unknown.is_empty(), "{name} asks for {unknown:?}");
    }
    for (panel, expr) in dashboard()? {
        let unknown = unknown(&expr, "", &exported);
        ensure!(unknown.is_empty(), "the panel '{panel}' asks for {unknown:?}");
    }
    Ok(())
}

#[test]
fn what_is_not_exported_is_found() -> Result<()> {
    let exported = exported()?;
    let expr =
        "sum by (link, colour) (rate(afterring_link_up{link=~\"a|b\", smsc!=\"c\"}[5m])) / on (job) afterring_gone";
    let found = unknown(expr, "{{ $labels.link }} {{ $labels.peer }}", &exported);
    ensure!(found == ["afterring_link_up{smsc}", "afterring_gone", "colour", "$labels.peer"], "{found:?}");
    Ok(())
}

#[test]
fn every_expression_of_the_dashboard_is_one() -> Result<()> {
    let variables = [
        ("$__rate_interval", "5m"),
        ("$job", "afterring"),
        ("$instance", ".*"),
        ("$__range", "6h"),
        ("$__interval", "1m"),
    ];
    let rule = |(place, (_, expr)): (usize, (String, String))| {
        let expr = variables.iter().fold(expr, |expr, (variable, value)| expr.replace(variable, value));
        json!({"record": format!("panel:{place}"), "expr": expr})
    };
    let rules: Vec<_> = dashboard()?.into_iter().enumerate().map(rule).collect();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("dashboard.yml");
    // JSON is YAML.
    fs::write(&file, json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string())?;
    promtool(&["check", "rules", &path(&file)])
}

fn path(of: &Path) -> String {
    of.display().to_string()
}
