//! One measured figure, and what it takes to measure fairly.

use std::io::{self, Write};

use serde_json::json;

/// One figure of a goal.
pub(crate) struct Figure {
    /// The goal, such as `P7`.
    pub(crate) goal: &'static str,
    /// What of it.
    pub(crate) part: String,
    pub(crate) value: f64,
    /// What to reach; `None` for a figure that only explains another.
    pub(crate) bound: Option<Bound>,
    /// What the value is measured against.
    pub(crate) yardstick: String,
    pub(crate) unit: &'static str,
}

/// What a value should reach.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    /// Writes the figure as one line, for people or for programs.
    pub(crate) fn write(&self, out: &mut impl Write, json: bool) -> io::Result<()> {
        let (bound, met, text) = match self.bound {
            Some(Bound::AtLeast(bound)) => (Some(bound), self.value >= bound, format!("≥ {bound}")),
            Some(Bound::AtMost(bound)) => (Some(bound), self.value <= bound, format!("≤ {bound}")),
            None => (None, true, String::new()),
        };
        let Figure { goal, part, value, yardstick, unit, .. } = self;
        if json {
            let line = json!({
                "goal": goal, "part": part, "value": value, "bound": bound, "met": met,
                "yardstick": yardstick, "unit": unit,
            });
            return writeln!(out, "{line}");
        }
        let met = if self.bound.is_none() {
            "    "
        } else if met {
            "met "
        } else {
            "MISS"
        };
        let value = format!("{value:.*}", if *value < 10.0 { 3 } else { 1 });
        writeln!(out, "{goal:4} {met} {value:>9} {unit:<8} {text:8} {part}; yardstick: {yardstick}")
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
