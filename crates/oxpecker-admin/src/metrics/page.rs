//! The page of metrics in Prometheus' text format. Numbers come from a snapshot, so nothing is counted
//! here; the text itself is written by the `prometheus` crate.

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric as Sample, MetricFamily, MetricType,
};

use super::names::{Kind, Metric};

/// What the text is, for the header `Content-Type`.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Families in the order in which they were first named.
#[derive(Debug, Default)]
pub(crate) struct Page {
    families: Vec<MetricFamily>,
}

impl Page {
    pub(crate) fn put(&mut self, metric: &Metric<'_>, labels: &[&str], value: f64) {
        let mut sample = Sample::default();
        match metric.kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                sample.set_counter(counter);
            }
            Kind::Gauge | Kind::Histogram => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                sample.set_gauge(gauge);
            }
        }
        self.push(metric, labels, sample);
    }

    /// Buckets as (upper bound, how many up to it); all are `count`, and together they took `sum`.
    pub(crate) fn histogram(
        &mut self,
        metric: &Metric<'_>,
        labels: &[&str],
        buckets: impl IntoIterator<Item = (f64, u64)>,
        (count, sum): (u64, f64),
    ) {
        let bucket = |(bound, up_to)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(up_to);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.into_iter().map(bucket).collect());
        histogram.set_sample_count(count);
        histogram.set_sample_sum(sum);
        let mut sample = Sample::default();
        sample.set_histogram(histogram);
        self.push(metric, labels, sample);
    }

    fn push(&mut self, metric: &Metric<'_>, labels: &[&str], mut sample: Sample) {
        let pairs = metric.labels.iter().zip(labels).map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        sample.set_label(pairs.collect());
        // Mostly the last one: pages are written object by object within a family.
        let known = self.families.iter().rposition(|family| family.name() == metric.name);
        let at = known.unwrap_or_else(|| {
            let mut family = MetricFamily::default();
            family.set_name(metric.name.to_owned());
            family.set_help(metric.help.to_owned());
            family.set_field_type(match metric.kind {
                Kind::Counter => MetricType::COUNTER,
                Kind::Gauge => MetricType::GAUGE,
                Kind::Histogram => MetricType::HISTOGRAM,
            });
            self.families.push(family);
            self.families.len() - 1
        });
        self.families[at].mut_metric().push(sample);
    }

    pub(crate) fn text(&self) -> String {
        // Fails for a family without a sample or a name, and `push` makes none.
        TextEncoder::new().encode_to_string(&self.families).unwrap_or_default()
    }
}
