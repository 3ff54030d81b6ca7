//! As much of SVG as the plots need.

use std::fmt::{self, Write};

/// What is not a series. Plain rules without variables, since not every program that shows SVG knows those.
const STYLE: &str = "\
text { font: 12px system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif }
text.title { font-size: 14px; font-weight: 600 }
line { stroke-width: 1 }
path { fill: none; stroke-width: 2; stroke-linejoin: round }
";

/// For a mode of the reader: paper, ink, less important text, grid, series.
struct Colors {
    paper: &'static str,
    ink: &'static str,
    faint: &'static str,
    grid: &'static str,
    series: [&'static str; COLORS],
}

const LIGHT: Colors = Colors {
    paper: "#ffffff",
    ink: "#1f2937",
    faint: "#6b7280",
    grid: "#e5e7eb",
    series: ["#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed", "#0891b2"],
};

const DARK: Colors = Colors {
    paper: "#111827",
    ink: "#e5e7eb",
    faint: "#9ca3af",
    grid: "#374151",
    series: ["#60a5fa", "#fbbf24", "#34d399", "#f472b6", "#a78bfa", "#22d3ee"],
};

impl fmt::Display for Colors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { paper, ink, faint, grid, series } = self;
        writeln!(f, ".paper {{ fill: {paper} }} text {{ fill: {faint} }} line {{ stroke: {grid} }}")?;
        writeln!(f, "text.title, text.label {{ fill: {ink} }}")?;
        series
            .iter()
            .enumerate()
            .try_for_each(|(i, color)| writeln!(f, "path.s{i} {{ stroke: {color} }} rect.s{i} {{ fill: {color} }}"))
    }
}

/// Series have these many colours; more begin again.
pub const COLORS: usize = 6;

#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        })
    }
}

/// What has been drawn so far.
pub struct Svg {
    width: f64,
    body: String,
}

impl Svg {
    pub fn new(width: f64) -> Self {
        Self { width, body: String::new() }
    }

    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, text: &str) {
        self.add(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" class="{class}">{}</text>"#,
            escaped(text)
        ));
    }

    pub fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.add(format_args!(r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#));
    }

    /// A line through points, in a series' colour. What it shows is told to whoever points at it.
    pub fn path(&mut self, points: &[(f64, f64)], color: usize, name: &str) {
        let mut d = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(d, "{}{x:.1} {y:.1}", if i == 0 { "M" } else { "L" });
        }
        let (color, name) = (color % COLORS, escaped(name));
        self.add(format_args!(r#"<path d="{d}" class="s{color}"><title>{name}</title></path>"#));
    }

    pub fn bar(&mut self, (x, y): (f64, f64), width: f64, height: f64, color: usize) {
        let color = color % COLORS;
        self.add(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2" class="s{color}"/>"#
        ));
    }

    pub fn finish(self, height: f64) -> String {
        let Self { width, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\">\n<title>coco bench</title>\n\
             <style>\n{STYLE}{LIGHT}@media (prefers-color-scheme: dark) {{\n{DARK}}}\n</style>\n\
             <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n"
        )
    }

    fn add(&mut self, element: fmt::Arguments<'_>) {
        let _ = writeln!(self.body, "{element}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_does_not_become_markup() {
        let mut svg = Svg::new(10.0);
        svg.text((1.0, 2.0), Anchor::End, "label", "a<b & \"c\"");
        let text = svg.finish(20.0);
        assert!(text.contains(r#"text-anchor="end" class="label">a&lt;b &amp; &quot;c&quot;</text>"#), "{text}");
    }

    #[test]
    fn a_path_begins_once() {
        let mut svg = Svg::new(10.0);
        svg.path(&[(0.0, 1.0), (2.0, 3.0)], 7, "x");
        assert!(svg.body.contains(r#"d="M0.0 1.0L2.0 3.0" class="s1""#), "{}", svg.body);
    }
}
