//! What is printed: progress to stderr, the table or the JSON to stdout.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a bench is for")]

use serde_json::{Map, Value, json};

use crate::figures::Figure;
use crate::servers::Kind;

pub(crate) fn progress(line: &str) {
    eprintln!("{line}");
}

/// A line a figure: each server's median with its spread, Berth's ratios, the floors.
pub(crate) fn table(kinds: &[Kind], rounds: u32, figures: &[Figure]) {
    let mut header = vec!["".to_owned()];
    header.extend(kinds.iter().map(Kind::to_string));
    header.extend(["÷ distribution", "÷ nginx", "floor"].map(str::to_owned));
    let mut lines = vec![header];
    for figure in figures {
        let mut line = vec![format!("{}, {}", figure.name, figure.unit)];
        line.extend(kinds.iter().map(|&kind| cell(figure, kind)));
        line.extend([Kind::Distribution, Kind::Nginx].map(|kind| ratio(figure.ratio(kind))));
        line.push(floors(figure));
        lines.push(line);
    }
    println!("Medians of {rounds} rounds, and how far the rounds lie from the middle. {}.", machine());
    println!();
    print_aligned(&lines);
    let marks: Vec<_> = figures.iter().flat_map(Figure::floors).map(|(_, reached)| reached).collect();
    let count = |wanted| marks.iter().filter(|&&reached| reached == wanted).count();
    let (reached, missed, unknown) = (count(Some(true)), count(Some(false)), count(None));
    println!();
    println!("Floors: {reached} reached (✓), {missed} missed (✗), {unknown} not measured (?).");
}

/// The same as one document, with every sample.
pub(crate) fn json(rounds: u32, figures: &[Figure]) {
    let figures: Vec<Value> = figures.iter().map(figure_json).collect();
    let document = json!({"rounds": rounds, "machine": machine(), "figures": figures});
    println!("{document:#}");
}

fn figure_json(figure: &Figure) -> Value {
    let servers: Map<String, Value> = figure
        .samples()
        .iter()
        .map(|(&kind, samples)| {
            (kind.to_string(), json!({"median": figure.median(kind), "samples": samples}))
        })
        .collect();
    let floors: Vec<Value> = figure
        .floors()
        .map(|(floor, reached)| json!({"floor": floor.to_string(), "reached": reached}))
        .collect();
    json!({
        "name": figure.name,
        "unit": figure.unit,
        "servers": servers,
        "ratio_to_distribution": figure.ratio(Kind::Distribution),
        "ratio_to_nginx": figure.ratio(Kind::Nginx),
        "floors": floors,
    })
}

fn cell(figure: &Figure, kind: Kind) -> String {
    match (figure.median(kind), figure.spread(kind)) {
        // Nothing has no spread.
        (Some(median), Some(spread)) if spread.is_finite() => {
            format!("{} ±{:.0}%", number(median), spread * 50.0)
        }
        (Some(median), _) => number(median),
        _ => "–".to_owned(),
    }
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.filter(|ratio| ratio.is_finite()).map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
}

fn floors(figure: &Figure) -> String {
    let marks = figure.floors().map(|(floor, reached)| match reached {
        Some(true) => format!("✓ {floor}"),
        Some(false) => format!("✗ {floor}"),
        None => format!("? {floor}"),
    });
    marks.collect::<Vec<_>>().join("  ")
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Processors, and what else is running on them: a loaded machine measures nothing.
fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    format!("{processors} processors, load over 1, 5 and 15 minutes {load}")
}

fn print_aligned(lines: &[Vec<String>]) {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    for line in lines {
        let mut text = String::new();
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            // Names and floors read from the left, figures from the right.
            if column == 0 || column + 1 == columns {
                text += &format!("{cell:<width$}  ");
            } else {
                text += &format!("{cell:>width$}  ");
            }
        }
        println!("{}", text.trim_end());
    }
}
