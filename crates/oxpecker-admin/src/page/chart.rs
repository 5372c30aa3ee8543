//! Lines over the last hour as inline SVG: drawn here, so they are there without JavaScript.

use std::fmt::Write;

use jiff::tz::TimeZone;
use maud::{Markup, html};
use oxpecker_api::Sample;

use super::words;

/// What all charts span.
const SPAN_SECONDS: i64 = 3600;

const TICK_SECONDS: i64 = 600;

/// A longer silence is a gap in the line.
const GAP_SECONDS: i64 = 35;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    Connections,
    Throughput,
    ConnectTime,
    ProbeTime,
}

impl Metric {
    pub(super) const ALL: [Self; 4] =
        [Self::Connections, Self::Throughput, Self::ConnectTime, Self::ProbeTime];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Connections => "Connections",
            Self::Throughput => "Throughput",
            Self::ConnectTime => "Connect time",
            Self::ProbeTime => "Probe time",
        }
    }

    /// The chart's lines: for throughput what comes from clients, and what goes back.
    fn lines(self) -> &'static [&'static str] {
        match self {
            Self::Throughput => &["in", "out"],
            _ => &[""],
        }
    }

    fn value(self, sample: &Sample, line: usize) -> Option<f64> {
        match (self, line) {
            (Self::Connections, _) => Some(sample.connections.into()),
            (Self::Throughput, 0) => Some(sample.bits_in_per_second),
            (Self::Throughput, _) => Some(sample.bits_out_per_second),
            (Self::ConnectTime, _) => sample.connect_seconds,
            (Self::ProbeTime, _) => sample.probe_seconds,
        }
    }

    pub(super) fn text(self, value: f64) -> String {
        match self {
            Self::Connections => words::count(value.round() as u64),
            Self::Throughput => words::rate(value),
            Self::ConnectTime | Self::ProbeTime => words::duration(value),
        }
    }

    /// All values of a sample in words.
    pub(super) fn sample_text(self, sample: &Sample) -> String {
        let texts = self.lines().iter().enumerate().map(|(line, name)| {
            let value = self.value(sample, line).map_or_else(|| "-".to_owned(), |v| self.text(v));
            format!("{name} {value}").trim().to_owned()
        });
        texts.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn most<'a>(self, samples: impl IntoIterator<Item = &'a Sample>) -> f64 {
        let lines = self.lines().len();
        let values = samples
            .into_iter()
            .flat_map(|sample| (0..lines).filter_map(move |line| self.value(sample, line)));
        values.fold(0.0, f64::max)
    }

    fn latest(self, samples: &[Sample]) -> Option<&Sample> {
        samples.iter().rev().find(|sample| self.value(sample, 0).is_some())
    }

    /// For who does not see the drawing.
    fn summary(self, samples: &[Sample]) -> String {
        let Some(latest) = self.latest(samples) else {
            return format!("{}: nothing measured in the last hour", self.title());
        };
        let most = self.text(self.most(samples));
        format!("{}: now {}, most {most} in the last hour", self.title(), self.sample_text(latest))
    }
}

/// The size of a drawing, and the value at its top.
#[derive(Debug, Clone, Copy)]
struct Plot {
    width: f64,
    height: f64,
    top: f64,
    end: i64,
}

impl Plot {
    fn x(&self, at: i64) -> f64 {
        let since = (at - (self.end - SPAN_SECONDS)).clamp(0, SPAN_SECONDS);
        since as f64 / SPAN_SECONDS as f64 * self.width
    }

    /// Half a pixel from the edges, so that lines at 0 and at the top are seen whole.
    fn y(&self, value: f64) -> f64 {
        let part = if self.top > 0.0 { (value / self.top).clamp(0.0, 1.0) } else { 0.0 };
        self.height - 1.0 - part * (self.height - 2.0)
    }
}

/// The next of 1, 2, 5 × 10ⁿ: a scale that is read at a glance.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let decade = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|step| step * decade)
        .into_iter()
        .find(|top| *top >= value)
        .unwrap_or(value)
}

/// A path's `d`; a line of one sample becomes a dot.
fn path(plot: &Plot, metric: Metric, line: usize, samples: &[Sample]) -> String {
    let mut d = String::new();
    let mut last: Option<i64> = None;
    for sample in samples {
        let Some(value) = metric.value(sample, line) else { continue };
        let joined = last.is_some_and(|last| sample.at - last <= GAP_SECONDS || is_rare(metric));
        let (x, y) = (plot.x(sample.at), plot.y(value));
        let _ = if joined { write!(d, "L{x:.1} {y:.1}") } else { write!(d, "M{x:.1} {y:.1}h.1") };
        last = Some(sample.at);
    }
    d
}

/// Times exist only where something was connected or probed: their points are joined over silences.
fn is_rare(metric: Metric) -> bool {
    matches!(metric, Metric::ConnectTime | Metric::ProbeTime)
}

/// Where the member took no new clients: from, to.
fn outages(samples: &[Sample]) -> Vec<(i64, i64)> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    let mut open = false;
    for sample in samples {
        match (sample.usable, open, spans.last_mut()) {
            (false, true, Some(span)) => span.1 = sample.at,
            (false, ..) => spans.push((sample.at, sample.at)),
            // Until it was seen usable again.
            (true, true, Some(span)) => span.1 = sample.at,
            (true, ..) => {}
        }
        open = !sample.usable;
    }
    spans
}

fn drawing(plot: &Plot, metric: Metric, samples: &[Sample]) -> Markup {
    html! {
        @for (from, to) in outages(samples) {
            @let (x, width) = (plot.x(from), (plot.x(to) - plot.x(from)).max(1.5));
            rect.out x=(format!("{x:.1}")) y="0" width=(format!("{width:.1}")) height=(plot.height) {}
        }
        @for (line, name) in metric.lines().iter().enumerate() {
            path class={ "line " (name) } d=(path(plot, metric, line, samples)) {}
        }
    }
}

fn end_of(samples: &[Sample]) -> i64 {
    samples.last().map_or(0, |sample| sample.at)
}

/// Small, for comparing many members; `most` is the column's, so that heights compare.
pub(super) fn small(metric: Metric, samples: &[Sample], most: f64) -> Markup {
    let plot = Plot { width: 150.0, height: 30.0, top: round_up(most), end: end_of(samples) };
    let latest = metric.latest(samples);
    html! {
        svg.spark viewBox="0 0 150 30" width="150" height="30" role="img"
            aria-label=(metric.summary(samples)) preserveAspectRatio="none" {
            (drawing(&plot, metric, &thinned(samples)))
        }
        span.spark-now aria-hidden="true" {
            @match latest { Some(sample) => { (metric.sample_text(sample)) } None => { "-" } }
        }
    }
}

/// One of three, the highest: what a drawing of 150 pixels can show.
fn thinned(samples: &[Sample]) -> Vec<Sample> {
    let highest = |group: &[Sample]| {
        let mut kept = *group.last()?;
        for sample in group {
            kept.connections = kept.connections.max(sample.connections);
            kept.bits_in_per_second = kept.bits_in_per_second.max(sample.bits_in_per_second);
            kept.bits_out_per_second = kept.bits_out_per_second.max(sample.bits_out_per_second);
            kept.connect_seconds = larger(kept.connect_seconds, sample.connect_seconds);
            kept.probe_seconds = larger(kept.probe_seconds, sample.probe_seconds);
            kept.usable &= sample.usable;
        }
        Some(kept)
    };
    samples.chunks(3).filter_map(highest).collect()
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (one, other) => one.or(other),
    }
}

/// Large, with scales, and a reading at each point for pointer and arrow keys.
pub(super) fn large(metric: Metric, samples: &[Sample], zone: &TimeZone) -> Markup {
    let top = round_up(metric.most(samples));
    let plot = Plot { width: 900.0, height: 120.0, top, end: end_of(samples) };
    let ticks = ticks(plot.end);
    let titled = format!("{} over the last hour: use the arrow keys to read it", metric.title());
    html! {
        figure.chart data-key=(metric.title()) {
            figcaption {
                b { (metric.title()) } " "
                @if let Some(sample) = metric.latest(samples) { (metric.sample_text(sample)) " now" }
                @else { span.note { "nothing measured yet" } }
                " " output.reading {}
            }
            div.plot tabindex="0" role="group" aria-label=(titled) data-chart
                data-start=(plot.end - SPAN_SECONDS) data-span=(SPAN_SECONDS)
                data-points=(points(metric, samples, zone)) {
                span.top aria-hidden="true" { @if top > 0.0 { (metric.text(top)) } }
                span.bottom aria-hidden="true" { "0" }
                svg.lines viewBox="0 0 900 120" preserveAspectRatio="none" role="img"
                    aria-label=(metric.summary(samples)) {
                    @for tick in &ticks {
                        @let x = format!("{:.1}", plot.x(*tick));
                        line.grid x1=(x) x2=(x) y1="0" y2="120" {}
                    }
                    line.base x1="0" x2="900" y1="119.5" y2="119.5" {}
                    (drawing(&plot, metric, samples))
                    line.cursor x1="-9" x2="-9" y1="0" y2="120" {}
                }
                svg.ticks aria-hidden="true" {
                    @for tick in &ticks {
                        @let percent = plot.x(*tick) / plot.width * 100.0;
                        text x=(format!("{percent:.2}%")) y="12" text-anchor="middle" {
                            (words::hour_minute(*tick, zone))
                        }
                    }
                }
            }
        }
    }
}

/// Every ten minutes by the clock. Zones differ by multiples of it or show `:05`.
fn ticks(end: i64) -> Vec<i64> {
    let first = (end - SPAN_SECONDS).div_euclid(TICK_SECONDS) * TICK_SECONDS + TICK_SECONDS;
    (0..6).map(|n| first + n * TICK_SECONDS).filter(|tick| *tick <= end).collect()
}

/// `seconds|text` for each sample, joined by newlines: what a reading says.
fn points(metric: Metric, samples: &[Sample], zone: &TimeZone) -> String {
    let line = |sample: &Sample| {
        let out = if sample.usable { "" } else { ", took no new clients" };
        let clock = jiff::Timestamp::from_second(sample.at)
            .map(|at| at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string())
            .unwrap_or_default();
        format!("{}|{clock}: {}{out}", sample.at, metric.sample_text(sample))
    };
    samples.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: i64, connections: u32, usable: bool) -> Sample {
        Sample {
            at,
            connections,
            bits_in_per_second: 8.0,
            bits_out_per_second: 16_000.0,
            connect_seconds: None,
            probe_seconds: (at % 30 == 0).then_some(0.002),
            usable,
        }
    }

    #[test]
    fn scales_are_round() {
        for (value, top) in [(0.0, 0.0), (1.0, 1.0), (3.0, 5.0), (187.0, 200.0), (0.0021, 0.005)] {
            assert!((round_up(value) - top).abs() < 1e-9, "{value}: {}", round_up(value));
        }
    }

    #[test]
    fn ticks_are_on_the_clock() {
        assert_eq!(ticks(3600), [600, 1200, 1800, 2400, 3000, 3600]);
        assert_eq!(ticks(3601), [600, 1200, 1800, 2400, 3000, 3600]);
        assert_eq!(ticks(4199), [600, 1200, 1800, 2400, 3000, 3600]);
    }

    #[test]
    fn a_silence_breaks_the_line_of_connections() {
        let samples = [sample(0, 1, true), sample(10, 2, true), sample(100, 0, true)];
        let plot = Plot { width: 360.0, height: 12.0, top: 2.0, end: 3600 };
        assert_eq!(
            path(&plot, Metric::Connections, 0, &samples),
            "M0.0 6.0h.1L1.0 1.0M10.0 11.0h.1"
        );
        assert_eq!(path(&plot, Metric::ConnectTime, 0, &samples), "", "nothing was measured");
        let probes = [sample(0, 0, true), sample(60, 0, true)];
        assert_eq!(path(&plot, Metric::ProbeTime, 0, &probes).matches('M').count(), 1);
    }

    #[test]
    fn outages_last_until_it_is_usable_again() {
        let usable = [true, false, false, true, true, false];
        let samples: Vec<_> = usable
            .iter()
            .enumerate()
            .map(|(n, usable)| sample(n as i64 * 10, 0, *usable))
            .collect();
        assert_eq!(outages(&samples), [(10, 30), (50, 50)]);
    }

    #[test]
    fn drawings_say_in_words_what_they_show() {
        let samples = [sample(0, 7, true), sample(10, 3, true)];
        assert_eq!(
            Metric::Connections.summary(&samples),
            "Connections: now 3, most 7 in the last hour"
        );
        assert_eq!(
            Metric::Throughput.summary(&samples),
            "Throughput: now in 8 bit/s, out 16.0 Kbit/s, most 16.0 Kbit/s in the last hour"
        );
        assert_eq!(
            Metric::ConnectTime.summary(&samples),
            "Connect time: nothing measured in the last hour"
        );
    }

    #[test]
    fn thinning_keeps_peaks_and_outages() {
        let samples = [sample(0, 1, true), sample(10, 90, false), sample(20, 2, true)];
        let thin = thinned(&samples);
        assert_eq!(
            (thin.len(), thin[0].connections, thin[0].usable, thin[0].at),
            (1, 90, false, 20)
        );
    }
}
