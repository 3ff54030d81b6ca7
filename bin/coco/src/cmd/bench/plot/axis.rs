//! From values to places, and which values are written beside an axis.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scale {
    /// From zero.
    Linear,
    /// Whole powers of ten; what is not above zero stands at the lower end.
    Logarithmic,
}

pub struct Axis {
    /// With the unit.
    pub title: String,
    pub scale: Scale,
    /// Places with their names, if they are not just numbers.
    pub ticks: Option<Vec<(f64, String)>>,
}

/// An axis with its ends.
pub struct Range {
    scale: Scale,
    low: f64,
    high: f64,
    pub ticks: Vec<(f64, String)>,
}

impl Range {
    /// Holds all values.
    pub fn of(axis: &Axis, values: impl Iterator<Item = f64> + Clone) -> Self {
        let most = values.clone().fold(0.0, f64::max);
        match (axis.scale, &axis.ticks) {
            (scale, Some(ticks)) => {
                let high = if most > 0.0 { most } else { 1.0 };
                let ticks = ticks.iter().filter(|(value, _)| *value <= high * 1.001).cloned().collect();
                Self { scale, low: 0.0, high, ticks }
            }
            (Scale::Linear, None) => {
                let step = step(most / 5.0);
                let high = ((most / step).ceil() * step).max(step);
                let count = (high / step).round() as u32;
                let ticks = (0..=count).map(|i| f64::from(i) * step).map(|value| (value, number(value))).collect();
                Self { scale: axis.scale, low: 0.0, high, ticks }
            }
            (Scale::Logarithmic, None) => {
                let least = values.filter(|value| *value > 0.0).fold(most.max(1e-3), f64::min).max(1e-3);
                let (first, last) = (least.log10().floor() as i32, most.max(1e-3).log10().ceil() as i32);
                let last = last.max(first + 1);
                let ticks = (first..=last).map(|power| 10_f64.powi(power)).map(|value| (value, number(value)));
                Self { scale: axis.scale, low: 10_f64.powi(first), high: 10_f64.powi(last), ticks: ticks.collect() }
            }
        }
    }

    /// 0 at the lower end, 1 at the upper.
    pub fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => (value.max(self.low) / self.low).log10() / (self.high / self.low).log10(),
        };
        place.clamp(0.0, 1.0)
    }
}

/// The next of 1, 2, 5, 10, 20 …
fn step(least: f64) -> f64 {
    if least <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= least * 0.999).unwrap_or(power)
}

/// As short as it can be read: 0.01, 25, 10k, 2.5M.
pub fn number(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e4 => format!("{}k", value / 1e3),
        value => format!("{}", (value * 1e6).round() / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(scale: Scale, values: &[f64]) -> Range {
        Range::of(&Axis { title: String::new(), scale, ticks: None }, values.iter().copied())
    }

    fn names(range: &Range) -> Vec<&str> {
        range.ticks.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers_and_hold_all_values() {
        let linear = range(Scale::Linear, &[0.0, 9_300.0]);
        assert_eq!(names(&linear), ["0", "2000", "4000", "6000", "8000", "10k"]);
        assert_eq!((linear.place(0.0), linear.place(5_000.0), linear.place(1e9)), (0.0, 0.5, 1.0));
        let logarithmic = range(Scale::Logarithmic, &[0.0, 0.7, 35.0]);
        assert_eq!(names(&logarithmic), ["0.1", "1", "10", "100"]);
        assert!((logarithmic.place(1.0) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(logarithmic.place(0.0), 0.0);
    }

    #[test]
    fn nothing_at_all_has_an_axis_too() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            for values in [&[][..], &[0.0]] {
                let range = range(scale, values);
                assert!(range.ticks.len() >= 2 && range.place(0.0) == 0.0);
            }
        }
    }

    #[test]
    fn names_are_short() {
        assert_eq!([0.001, 25.0, 10_000.0, 2_500_000.0].map(number), ["0.001", "25", "10k", "2.5M"]);
    }
}
