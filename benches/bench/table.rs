//! The table of results.

use serde_json::{Value, json};

#[derive(Default)]
pub struct Table(Vec<Row>);

struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    peer: Option<(String, f64)>,
}

impl Row {
    fn line(&self) -> String {
        let Self { name, value, unit, peer } = self;
        match peer {
            Some((peer, theirs)) => {
                format!("{name:<58} {value:>10.2} {unit:<10} {:>8.2}  {peer} {theirs:.2}", value / theirs)
            }
            None => format!("{name:<58} {value:>10.2} {unit:<10} {:>8}", "-"),
        }
    }
}

impl Table {
    /// Adds a figure without a peer.
    pub fn row(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.push(Row { name: name.into(), value, unit, peer: None });
    }

    /// Adds a figure beside that of a peer in the same run.
    pub fn against(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        peer: impl Into<String>,
        peer_value: f64,
    ) {
        self.push(Row { name: name.into(), value, unit, peer: Some((peer.into(), peer_value)) });
    }

    fn push(&mut self, row: Row) {
        // At once, because what follows may take minutes or fail.
        eprintln!("{}", row.line());
        self.0.push(row);
    }

    /// Adds a line for what could not be measured, which is printed and written, but has no figure.
    pub fn missing(&mut self, name: impl Into<String>) {
        self.row(name, f64::NAN, "-");
    }

    pub fn print(&self) {
        println!("\n{:<58} {:>10} {:<10} {:>8}  PEER", "WHAT", "VALUE", "UNIT", "RATIO");
        for row in &self.0 {
            println!("{}", row.line());
        }
    }

    pub fn write(&self, file: &str) {
        let rows: Vec<Value> = self
            .0
            .iter()
            .map(|Row { name, value, unit, peer }| {
                let ratio = peer.as_ref().map(|(_, theirs)| value / theirs);
                json!({ "name": name, "value": value, "unit": unit, "peer": peer.as_ref().map(|(peer, _)| peer), "ratio": ratio })
            })
            .collect();
        // Nothing depends on the file, so an error is only printed.
        if let Err(error) = std::fs::write(file, serde_json::to_string_pretty(&rows).unwrap_or_default()) {
            eprintln!("bench: {file}: {error}");
        }
    }
}
