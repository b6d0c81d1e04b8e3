//! The output: figures as lines of JSON or as a table.

use serde::Serialize;

/// One figure. The names of the fields are a promise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// The name of the figure.
    pub(crate) figure: String,
    /// The median of the rounds.
    pub(crate) value: f64,
    /// The unit of the value.
    pub(crate) unit: &'static str,
    /// How many threads ran the measured code at once.
    pub(crate) threads: usize,
    /// The reference figure: the same unit and number of threads, in the same run.
    pub(crate) ratio_to: Option<&'static str>,
    /// This value divided by the reference; if they were compared round by round, the median of the ratios.
    pub(crate) ratio: Option<f64>,
}

// === impl Figure ===

impl Figure {
    /// A figure without a reference.
    pub(crate) fn alone(figure: impl Into<String>, value: f64, unit: &'static str, threads: usize) -> Self {
        let value = rounded(value);
        Figure { figure: figure.into(), value, unit, threads, ratio_to: None, ratio: None }
    }

    /// Adds a reference with this value. There is no ratio to a reference of zero.
    pub(crate) fn against(mut self, figure: &'static str, value: f64) -> Self {
        self.ratio_to = Some(figure);
        self.ratio = (value > 0.0).then(|| rounded(self.value / value));
        self
    }

    /// Adds a reference that was compared round by round; `ratio` is the median of the ratios.
    pub(crate) fn in_ratio(mut self, figure: &'static str, ratio: f64) -> Self {
        self.ratio_to = Some(figure);
        self.ratio = Some(rounded(ratio));
        self
    }
}

/// Rounds to three decimal places: a picosecond if the unit is a nanosecond.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// One line of JSON per figure.
pub(crate) fn lines(figures: &[Figure]) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    for figure in figures {
        text.push_str(&serde_json::to_string(figure)?);
        text.push('\n');
    }
    Ok(text)
}

/// The table for a person.
pub(crate) fn table(figures: &[Figure]) -> String {
    let width = figures.iter().map(|figure| figure.figure.len()).max().unwrap_or(0);
    let mut text = format!("{:<width$}  THREADS  {:>10}  {:<12}  RATIO\n", "FIGURE", "VALUE", "UNIT");
    for figure in figures {
        let ratio = match (figure.ratio, figure.ratio_to) {
            (Some(ratio), Some(to)) => format!("{ratio:>5.2} × {to}"),
            _ => String::new(),
        };
        let line = format!(
            "{:<width$}  {:>7}  {:>10.2}  {:<12}  {ratio}",
            figure.figure, figure.threads, figure.value, figure.unit
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> [Figure; 2] {
        [
            Figure::alone("dispatch.cell", 2.100_49, "ns", 1).against("dispatch.dyn", 2.0),
            Figure::alone("publish.rate", 10_000.0, "per second", 1),
        ]
    }

    #[test]
    fn the_json_has_the_promised_fields() {
        let expected = "\
{\"figure\":\"dispatch.cell\",\"value\":2.1,\"unit\":\"ns\",\"threads\":1,\"ratio_to\":\"dispatch.dyn\",\"ratio\":1.05}
{\"figure\":\"publish.rate\",\"value\":10000.0,\"unit\":\"per second\",\"threads\":1,\"ratio_to\":null,\"ratio\":null}
";
        assert_eq!(lines(&figures()).unwrap(), expected);
    }

    #[test]
    fn the_table_is_aligned() {
        let expected = "\
FIGURE         THREADS       VALUE  UNIT          RATIO
dispatch.cell        1        2.10  ns             1.05 × dispatch.dyn
publish.rate         1    10000.00  per second
";
        assert_eq!(table(&figures()), expected);
    }

    #[test]
    fn a_reference_of_zero_gives_no_ratio() {
        assert_eq!(Figure::alone("a", 1.0, "ns", 1).against("b", 0.0).ratio, None);
    }
}
