//! Histograms as the metrics page prints them.

/// The bound below which this share of a histogram's observations lies, interpolated within its bucket; in its unit.
#[must_use]
pub fn quantile(page: &str, histogram: &str, share: f64) -> f64 {
    let bucket = |line: &str| {
        let rest = line.strip_prefix(histogram)?.strip_prefix("_bucket{")?;
        let (labels, count) = rest.rsplit_once("} ")?;
        let bound = labels.split("le=\"").nth(1)?.split('"').next()?;
        Some((bound.parse::<f64>().unwrap_or(f64::INFINITY), count.parse::<f64>().ok()?))
    };
    let buckets: Vec<(f64, f64)> = page.lines().filter_map(bucket).collect();
    let wanted = buckets.last().map_or(0.0, |(_, all)| all * share);
    let (mut low, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if count >= wanted && count > below {
            return if bound.is_finite() { low + (bound - low) * (wanted - below) / (count - below) } else { low };
        }
        (low, below) = (bound, count);
    }
    0.0
}
