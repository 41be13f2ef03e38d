//! Samples to medians, medians to ratios, ratios to floors reached or missed.

use std::collections::BTreeMap;

use crate::servers::Kind;

/// One line of the table: the same thing measured of several servers.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    samples: BTreeMap<Kind, Vec<f64>>,
    floors: Vec<Floor>,
}

/// What Berth has to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Floor {
    RatioAtLeast(f64, Kind),
    RatioAtMost(f64, Kind),
    ValueAtMost(f64),
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, floors: &[Floor]) -> Self {
        Self { name: name.into(), unit, samples: BTreeMap::new(), floors: floors.to_vec() }
    }

    pub(crate) fn add(&mut self, kind: Kind, sample: f64) {
        self.samples.entry(kind).or_default().push(sample);
    }

    pub(crate) fn samples(&self) -> &BTreeMap<Kind, Vec<f64>> {
        &self.samples
    }

    pub(crate) fn median(&self, kind: Kind) -> Option<f64> {
        let mut samples = self.samples.get(&kind)?.clone();
        samples.sort_by(f64::total_cmp);
        let middle = samples.len() / 2;
        if samples.len() % 2 == 1 {
            return samples.get(middle).copied();
        }
        Some((samples.get(middle.checked_sub(1)?)? + samples.get(middle)?) / 2.0)
    }

    /// How far the samples lie apart, as a part of their median: 0.1 is ±5 %.
    pub(crate) fn spread(&self, kind: Kind) -> Option<f64> {
        let samples = self.samples.get(&kind)?;
        let least = samples.iter().copied().min_by(f64::total_cmp)?;
        let most = samples.iter().copied().max_by(f64::total_cmp)?;
        Some((most - least) / self.median(kind)?)
    }

    /// Berth's median over the other's.
    pub(crate) fn ratio(&self, other: Kind) -> Option<f64> {
        Some(self.median(Kind::Berth)? / self.median(other)?)
    }

    /// Each floor, and whether it was reached; `None` where a server it needs was not measured.
    pub(crate) fn floors(&self) -> impl Iterator<Item = (Floor, Option<bool>)> {
        self.floors.iter().map(|&floor| {
            let reached = match floor {
                Floor::RatioAtLeast(times, other) => self.ratio(other).map(|ratio| ratio >= times),
                Floor::RatioAtMost(times, other) => self.ratio(other).map(|ratio| ratio <= times),
                Floor::ValueAtMost(most) => self.median(Kind::Berth).map(|median| median <= most),
            };
            (floor, reached)
        })
    }

    pub(crate) fn floors_reached(&self) -> bool {
        self.floors().all(|(_, reached)| reached != Some(false))
    }
}

impl std::fmt::Display for Floor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RatioAtLeast(times, other) => write!(formatter, "≥ {times} × {other}"),
            Self::RatioAtMost(times, other) => write!(formatter, "≤ {times} × {other}"),
            Self::ValueAtMost(most) => write!(formatter, "≤ {most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(berth: &[f64], nginx: &[f64], floors: &[Floor]) -> Figure {
        let mut figure = Figure::new("a figure", "per second", floors);
        berth.iter().for_each(|&sample| figure.add(Kind::Berth, sample));
        nginx.iter().for_each(|&sample| figure.add(Kind::Nginx, sample));
        figure
    }

    #[test]
    fn the_median_counts_and_one_bad_round_does_not() {
        let figure = figure(&[50.0, 10.0, 60.0], &[90.0, 110.0], &[]);
        assert_eq!(figure.median(Kind::Berth), Some(50.0));
        assert_eq!(figure.median(Kind::Nginx), Some(100.0));
        assert_eq!(figure.ratio(Kind::Nginx), Some(0.5));
    }

    #[test]
    fn a_floor_is_reached_missed_or_not_known() {
        let floors = [
            Floor::RatioAtLeast(0.45, Kind::Nginx),
            Floor::RatioAtMost(0.4, Kind::Nginx),
            Floor::RatioAtLeast(8.0, Kind::Distribution),
            Floor::ValueAtMost(50.0),
        ];
        let figure = figure(&[50.0], &[100.0], &floors);
        let reached: Vec<_> = figure.floors().map(|(_, reached)| reached).collect();
        assert_eq!(reached, [Some(true), Some(false), None, Some(true)]);
        assert!(!figure.floors_reached());
    }
}
