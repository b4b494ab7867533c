//! What lies beside the program for those who run it says only what is so: alert rules and dashboard
//! name figures that the server shows, unit and container start what the program understands.

use std::collections::{BTreeMap, BTreeSet};

use license_cli::Exit;
use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde::Deserialize;
use serde_json::Value;

use crate::cli::shell::Shell;
use crate::http::world::World;

const ALERTS: &str = include_str!("../../crates/license-cli/packaging/alerts.yml");
const GRAFANA: &str = include_str!("../../crates/license-cli/packaging/grafana.json");
const UNIT: &str = include_str!("../../crates/license-cli/packaging/license.service");
const GUIDE: &str = include_str!("../../crates/license-http/src/guide.rs");
const CONTAINER: &str = include_str!("../../crates/license-cli/packaging/Containerfile");
const WORKSPACE: &str = include_str!("../../Cargo.toml");

/// A file of rules as Prometheus reads it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(default, rename = "for")]
    pending: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[test]
fn alert_rules_are_rules_of_figures_that_there_are() {
    let shown = Shown::of_a_server();
    let rules: Rules = serde_saphyr::from_str(ALERTS).unwrap();
    let [group] = &rules.groups[..] else { panic!("there is one group of rules") };
    assert_eq!(group.name, "license");
    for rule in &group.rules {
        let Rule { alert, expr, pending, labels, annotations } = rule;
        shown.check(alert, expr);
        assert!(pending.as_deref().is_none_or(is_span), "{alert}: {pending:?}");
        assert!(matches!(labels["severity"].as_str(), "warning" | "critical"), "{alert}");
        let known: Vec<&str> = annotations.keys().map(String::as_str).collect();
        assert_eq!(known, ["description", "summary"], "{alert}");
        // What a text names must be left by what the expression sums by.
        let parsed = parser::parse(expr).unwrap();
        for label in annotations.values().flat_map(|text| labels_of(text)) {
            assert!(shown.leaves(&parsed, &label), "{alert}: no {label} is left by {expr}");
        }
    }
    for (what, alert) in [
        ("the server is down", "LicenseServerDown"),
        ("above 95 % used", "LicensesNearlyUsedUp"),
        ("expiring within 14 days", "LicensesExpire"),
        ("refusals rising", "LicenseRefusalsRise"),
        ("a backup lies in the place of the store", "LicenseStoreWentBack"),
    ] {
        assert!(group.rules.iter().any(|rule| rule.alert == alert), "nobody is told: {what}");
    }
}

#[test]
fn the_dashboard_draws_figures_that_there_are() {
    let shown = Shown::of_a_server();
    let dashboard: Value = serde_json::from_str(GRAFANA).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels share an id");
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title} draws nothing");
        for target in targets {
            // Grafana puts the values of its variables in before it asks.
            let expr = target["expr"].as_str().unwrap();
            let expr = expr.replace("$__rate_interval", "5m").replace("$license", ".*");
            assert!(!expr.contains('$'), "{title}: a variable that is not known in {expr}");
            shown.check(title, &expr);
        }
    }
    let names = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = names.iter().map(|list| list["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["source", "license"]);
    let figure = dashboard["templating"]["list"][1]["query"].as_str().unwrap();
    let (figure, label) = figure
        .strip_prefix("label_values(")
        .and_then(|it| it.strip_suffix(')')?.split_once(", "))
        .unwrap();
    assert!(shown.labels[figure].contains(label));
}

#[test]
fn the_unit_starts_what_the_program_understands() {
    let mut seen = BTreeMap::new();
    let mut section = "";
    for line in UNIT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => section = name,
            None => {
                let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
                seen.entry(format!("{section}.{name}")).or_insert_with(Vec::new).push(value);
            }
        }
    }
    let [start] = &seen["Service.ExecStart"][..] else { panic!("it starts one program") };
    let (program, arguments) = start.split_once(' ').unwrap();
    assert!(program.ends_with("/license"));
    let variables = seen["Service.Environment"].iter().copied();
    understood(arguments, variables.map(|it| it.split_once('=').unwrap().0));
    assert_eq!(seen["Unit.Documentation"], ["man:license(1)"]);
    // The store lies where the unit may write.
    let [folder] = &seen["Service.StateDirectory"][..] else { panic!("it has one folder") };
    let store = format!("LICENSE_STORE=sqlite:/var/lib/{folder}/license.db");
    assert!(seen["Service.Environment"].contains(&&*store));
    assert_eq!(seen["Service.KillSignal"], ["SIGTERM"]);
}

#[test]
fn the_guide_installs_the_unit_that_there_is() {
    let (page, _) = GUIDE.split_once("pub mod service {}").unwrap();
    let (_, page) = page.rsplit_once("/// # ").unwrap();
    let lines: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("/// ")).collect();
    let store = UNIT.lines().find_map(|line| line.strip_prefix("Environment=LICENSE_STORE="));
    let commands = lines.iter().filter_map(|line| line.strip_prefix("license "));
    let commands: Vec<&str> = commands.collect();
    assert!(commands.len() >= 3, "{commands:?}");
    for command in commands {
        let command = command.split(" > ").next().unwrap();
        understood(command, [].into_iter());
        let named = command.split_once(" --store ").map(|(_, store)| store);
        assert!(named.is_none() || named == store, "the unit serves {store:?}: {command}");
    }
    let set = lines.iter().filter_map(|line| line.strip_prefix("Environment="));
    let set = set.flat_map(|line| line.split(' ')).map(|it| it.split_once('=').unwrap().0);
    understood("serve", set);
}

#[test]
fn the_guide_has_prometheus_scrape_the_job_that_the_rules_know() {
    let (_, job) = GUIDE.split_once("```yaml\n").unwrap();
    let (job, _) = job.split_once("/// ```").unwrap();
    let job: String = job.lines().map(|line| format!("{}\n", &line["/// ".len()..])).collect();
    let job: Value = serde_saphyr::from_str(&job).unwrap();
    let name = job["scrape_configs"][0]["job_name"].as_str().unwrap();
    assert!(ALERTS.contains(&format!("up{{job=\"{name}\"}}")), "{name}");
    assert!(job["scrape_configs"][0]["authorization"]["credentials_file"].is_string());
}

#[test]
fn the_container_runs_what_it_builds() {
    let value = |name: &str| -> Vec<&str> {
        let lines = CONTAINER.lines().filter_map(|line| line.strip_prefix(name));
        lines.filter_map(|line| line.strip_prefix(' ')).collect()
    };
    let words = |name: &str| -> Vec<String> {
        let [text] = value(name)[..] else { panic!("there is one {name}") };
        serde_json::from_str(text).unwrap()
    };
    let entry = words("ENTRYPOINT");
    assert_eq!(entry, ["/license"]);
    let built = "/source/target/release/license /license";
    assert!(value("COPY").iter().any(|copy| copy.ends_with(built)), "it holds the binary");
    assert!(value("RUN").iter().any(|run| run.contains("--release --locked -p license-cli")));
    let [variables] = value("ENV")[..] else { panic!("there is one ENV") };
    let variables: BTreeMap<&str, &str> =
        variables.split(' ').map(|pair| pair.split_once('=').unwrap()).collect();
    understood(&words("CMD").join(" "), variables.keys().copied());
    let (_, port) = variables["LICENSE_LISTEN"].rsplit_once(':').unwrap();
    assert_eq!(value("EXPOSE"), [port]);
    let [volume] = value("VOLUME")[..] else { panic!("there is one VOLUME") };
    assert!(variables["LICENSE_STORE"].starts_with(&format!("sqlite:{volume}/")));
    let version = WORKSPACE.lines().find_map(|line| line.strip_prefix("rust-version = \""));
    let image = format!("rust:{}-alpine", version.unwrap().trim_end_matches('"'));
    assert!(value("FROM")[0].contains(&image), "its compiler is not {image}");
}

/// Checks a command and the variables that it is given.
fn understood<'a>(arguments: &str, variables: impl Iterator<Item = &'a str>) {
    let help = Shell::new().run(&format!("{arguments} --help"));
    assert_eq!((help.exit, help.stderr.as_str()), (Exit::Done, ""), "license {arguments}");
    let help = help.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for variable in variables {
        let is_read = [']', ','].iter().any(|end| help.contains(&format!("[env: {variable}{end}")));
        assert!(is_read, "{variable} is not read");
    }
}

/// The figures that a server shows, each with the names of its labels.
struct Shown {
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Shown {
    /// What a server shows that granted and refused something.
    fn of_a_server() -> Shown {
        let world = World::sample();
        world.retain("0025", "of-ann").expect(201);
        assert_eq!(world.retain("0025", "of-eve").problem(), "409 no_license_left");
        world.get("/metrics").expect(200);
        let text = world.get("/metrics").expect(200).text;
        let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (sample, _) = line.rsplit_once(' ').unwrap();
            let Ok(Expr::VectorSelector(selector)) = parser::parse(sample) else {
                panic!("no sample: {line}")
            };
            let names = selector.matchers.matchers.into_iter().map(|label| label.name);
            // Whoever scrapes adds where it comes from.
            let names = names.chain(["job", "instance"].map(str::to_owned));
            labels.entry(selector.name.unwrap()).or_default().extend(names);
        }
        labels.insert("up".to_owned(), ["job", "instance"].map(str::to_owned).into());
        Shown { labels }
    }

    /// Checks that an expression is one, and asks for nothing that is not shown.
    fn check(&self, what: &str, expr: &str) {
        let parsed = parser::parse(expr).unwrap_or_else(|error| panic!("{what}: {error}: {expr}"));
        let selectors = Selectors::of(&parsed);
        assert!(!selectors.is_empty(), "{what} asks for nothing: {expr}");
        for selector in selectors {
            let name = selector.name.as_deref().unwrap_or_default();
            let labels = self.labels.get(name);
            let labels = labels.unwrap_or_else(|| panic!("{what}: there is no figure {name}"));
            for matcher in &selector.matchers.matchers {
                let known = labels.contains(&matcher.name);
                assert!(known, "{what}: {name} has no label {}", matcher.name);
                let is_code = matcher.name == "code" && matches!(matcher.op, MatchOp::Equal);
                let codes = license_types::ProblemCode::ALL.iter().map(|code| code.as_str());
                assert!(!is_code || codes.into_iter().any(|it| it == matcher.value), "{expr}");
            }
        }
    }

    /// Whether the samples of an expression still bear a label.
    fn leaves(&self, expr: &Expr, label: &str) -> bool {
        match expr {
            Expr::Aggregate(sum) => match &sum.modifier {
                Some(parser::LabelModifier::Include(kept)) => {
                    kept.labels.iter().any(|it| it == label)
                }
                Some(parser::LabelModifier::Exclude(gone)) => {
                    !gone.labels.iter().any(|it| it == label) && self.leaves(&sum.expr, label)
                }
                None => false,
            },
            Expr::Binary(both) => self.leaves(&both.lhs, label) || self.leaves(&both.rhs, label),
            Expr::Paren(inner) => self.leaves(&inner.expr, label),
            Expr::VectorSelector(selector) => {
                let name = selector.name.as_deref().unwrap_or_default();
                self.labels.get(name).is_some_and(|labels| labels.contains(label))
            }
            _ => false,
        }
    }
}

/// The figures that an expression asks for.
#[derive(Default)]
struct Selectors(Vec<VectorSelector>);

impl Selectors {
    fn of(expr: &Expr) -> Vec<VectorSelector> {
        let mut selectors = Selectors::default();
        walk_expr(&mut selectors, expr).unwrap();
        selectors.0
    }
}

impl ExprVisitor for Selectors {
    type Error = String;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, String> {
        match expr {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(range) => self.0.push(range.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

/// The labels that a text shows: `{{ $labels.name }}`.
fn labels_of(text: &str) -> Vec<String> {
    let named = text.split("$labels.").skip(1);
    named
        .map(|rest| rest.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect())
        .collect()
}

fn is_span(text: &str) -> bool {
    let digits = text.trim_end_matches(['s', 'm', 'h', 'd']);
    !digits.is_empty() && digits.len() + 1 == text.len() && digits.parse::<u64>().is_ok()
}
