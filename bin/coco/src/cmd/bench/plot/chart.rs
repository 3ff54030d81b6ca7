//! Lines over two axes, with a legend.

use super::axis::{Axis, Range};
use super::svg::{Anchor, Svg};

pub struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

const TITLE_HEIGHT: f64 = 24.0;
const LEGEND_LINE: f64 = 18.0;
const TICK_WIDTH: f64 = 52.0;
const FOOT_HEIGHT: f64 = 40.0;
/// Two names stand beside each other.
const LEGEND_COLUMNS: usize = 2;

impl Chart {
    /// Within the rectangle.
    pub fn draw(&self, svg: &mut Svg, left: f64, top: f64, width: f64, height: f64) {
        svg.text((left, top + 14.0), Anchor::Start, "title", &self.title);
        let legend_lines = self.series.len().div_ceil(LEGEND_COLUMNS);
        for (i, series) in self.series.iter().enumerate() {
            let x = left + (i % LEGEND_COLUMNS) as f64 * width / LEGEND_COLUMNS as f64;
            let y = top + TITLE_HEIGHT + (i / LEGEND_COLUMNS) as f64 * LEGEND_LINE;
            svg.bar((x, y + 4.0), 14.0, 4.0, i);
            svg.text((x + 20.0, y + 10.0), Anchor::Start, "label", &series.name);
        }
        // The unit of the vertical axis stands above it.
        let unit_y = top + TITLE_HEIGHT + legend_lines as f64 * LEGEND_LINE + 14.0;
        svg.text((left, unit_y), Anchor::Start, "", &self.y.title);

        let (plot_left, plot_top) = (left + TICK_WIDTH, unit_y + 10.0);
        let (plot_width, plot_height) = (width - TICK_WIDTH - 12.0, top + height - FOOT_HEIGHT - plot_top);
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = Range::of(&self.x, points().map(|(x, _)| *x));
        let y = Range::of(&self.y, points().map(|(_, y)| *y));
        let at_x = |value: f64| plot_left + x.place(value) * plot_width;
        let at_y = |value: f64| plot_top + (1.0 - y.place(value)) * plot_height;
        for (value, name) in &y.ticks {
            svg.line((plot_left, at_y(*value)), (plot_left + plot_width, at_y(*value)));
            svg.text((plot_left - 8.0, at_y(*value) + 4.0), Anchor::End, "", name);
        }
        for (value, name) in &x.ticks {
            svg.line((at_x(*value), plot_top), (at_x(*value), plot_top + plot_height));
            svg.text((at_x(*value), plot_top + plot_height + 16.0), Anchor::Middle, "", name);
        }
        let foot = (plot_left + plot_width / 2.0, top + height - 6.0);
        svg.text(foot, Anchor::Middle, "", &self.x.title);
        for (i, series) in self.series.iter().enumerate() {
            let places: Vec<(f64, f64)> = series.points.iter().map(|(x, y)| (at_x(*x), at_y(*y))).collect();
            svg.path(&places, i, &series.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::axis::Scale;
    use super::*;

    #[test]
    fn every_axis_has_its_unit_and_every_line_its_name() {
        let axis = |title: &str| Axis { title: title.into(), scale: Scale::Linear, ticks: None };
        let series =
            ["one", "two", "three"].map(|name| Series { name: name.into(), points: vec![(0.0, 1.0), (5.0, 9.0)] });
        let chart = Chart { title: "T".into(), x: axis("seconds"), y: axis("ms"), series: series.into() };
        let mut svg = Svg::new(400.0);
        chart.draw(&mut svg, 0.0, 0.0, 400.0, 300.0);
        let text = svg.finish(300.0);
        for named in [">seconds<", ">ms<", ">T<", ">one<", ">two<", ">three<", "class=\"s2\""] {
            assert!(text.contains(named), "{named}: {text}");
        }
        assert_eq!(text.matches("<path").count(), 3);
    }
}
