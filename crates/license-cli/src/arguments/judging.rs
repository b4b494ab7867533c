//! Arguments of `validate` and `schema`.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use license_types::schemas::{NAMES, Profile};
use license_validate::rules::Rule;

use super::one_of;
use crate::instant::Day;

/// Checks JSON or NDJSON files against a schema and names every violation with its place
///
/// Without --schema, an array or null is a License usage and an object with `products` a License
/// info. Several values in one file, or a name that ends in .ndjson or .jsonl, are judged as one
/// record each. Compressed files (gzip, zstd) are unpacked as they are read. Exit code 0 when all
/// conform, 3 with violations, 2 when something is no JSON.
#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// The files, `-` for stdin
    #[arg(value_name = "FILE", required_unless_present = "list_rules")]
    pub files: Vec<PathBuf>,
    /// The schema, one of those that `license schema` lists
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(NAMES), hide_possible_values = true)]
    pub schema: Option<String>,
    /// `observed` is what others write, `documented` what this program writes
    #[arg(long, default_value = "observed", value_parser = one_of::<Profile>(Profile::ALL.map(Profile::as_str)))]
    pub profile: Profile,
    /// Leaves values out of messages
    #[arg(long)]
    pub mask: bool,
    /// Counts the violations of each rule and place, instead of one line for each
    #[arg(long)]
    pub summary: bool,
    /// Stops after so many violations
    #[arg(long, value_name = "N")]
    pub max_violations: Option<NonZeroU64>,
    /// Threads that judge; with 1, each record is judged as soon as it comes, and so it is with
    /// --rules [default: one for each core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Rules that no schema can state, parted by commas, or `all`; see --list-rules
    #[arg(long, value_name = "NAME", value_delimiter = ',', hide_possible_values = true)]
    #[arg(value_parser = Asked::parser())]
    pub rules: Vec<Asked>,
    /// The day on which rights are judged [default: today]
    #[arg(long, value_name = "DATE", requires = "rules")]
    pub at: Option<Day>,
    /// Lists the rules that --rules takes
    #[arg(long, conflicts_with = "files")]
    pub list_rules: bool,
}

/// Lists the schemas, or prints one as a self-contained document
#[derive(Args, Debug)]
pub(crate) struct Schema {
    /// The schema, such as license-usage
    #[arg(value_parser = PossibleValuesParser::new(NAMES), hide_possible_values = true)]
    pub name: Option<String>,
    /// `documented` is what this program writes, `observed` what it reads from others
    #[arg(long, default_value = "documented", value_parser = one_of::<Profile>(Profile::ALL.map(Profile::as_str)))]
    pub profile: Profile,
}

/// A rule that is asked for, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    All,
    Rule(Rule),
}

impl Asked {
    fn parser() -> impl TypedValueParser<Value = Asked> {
        let words = Rule::ALL.into_iter().map(Rule::name).chain(["all"]);
        PossibleValuesParser::new(words).map(|word| word.parse().map_or(Asked::All, Asked::Rule))
    }
}
